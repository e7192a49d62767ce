"""README and docs/ against the project: shell lines by the commands' real options, figures by their file, links."""

import ast
import html
import json
import os
import re
from importlib.util import find_spec

import pytest
import yaml
from typer.exceptions import TyperException

import documents
from benchmarks import document_figures, marks, wrong_models
from benchmarks import documents as written
from benchmarks import export as benchmark
from commands import ROOT
from converter.cli.ci import CiOutput
from converter.cli.command import Session
from converter.cli.progress import Interruption
from converter.errors import UsageError
from documents import MODULES, PAGES, PROJECT, inline_code, lines_of, names_of, option_names, shell_lines, typer_command

README = ROOT / "README.md"
ELSEWHERE = {"--no-deps", "--install-completion"}  # options of other programs, and of ours that typer adds
BENCHMARKS = {
    "benchmarks.export": benchmark.parse,
    "benchmarks.documents": written.parse,
    "benchmarks.wrong_models": wrong_models.parse,
}
LINES = [pytest.param(line, id=f"{line.page}: {line}") for page in PAGES for line in shell_lines(page)]
FIGURES = written.read_figures()


def test_readme_is_short_and_shows_the_main_job_first_and_then_its_two_commands():
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    first = [str(line) for line in shell_lines(README)][:3]
    assert first == ["lt-export LightTrackM.pth", "make demo", "make test"]
    assert text.partition("lt-export LightTrackM.pth")[0].count("\n") < 10


def parse(program, words):
    """What the command itself would make of the words; nothing is run and nothing is printed."""
    command = typer_command(program)
    session = Session(Interruption(), CiOutput(program))
    words = [os.path.expanduser(word) for word in words if word not in ("-h", "--help")]  # as a shell does
    name, parent = program, None
    while True:
        ends = {name for option in command.params if option.is_eager for name in names_of(option)} - {"--json"}
        for option in command.params:
            option.callback = None
            option.required = option.required and not ends & set(words)
        context = command.make_context(name, list(words), parent=parent, obj=session)
        if not (commands := getattr(command, "commands", {})) or not context.args:
            return context
        name, *words = context.args
        assert name in commands, f"{program} has no {name}"
        command, parent = commands[name], context


@pytest.mark.parametrize("line", LINES)
def test_a_shell_line_is_one_that_its_program_takes(line, tmp_path, monkeypatch):
    if line.program in MODULES:
        parse(line.program, line.words)
    elif line.program == "make":
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in line.words if "=" not in word} <= targets
    elif line.program == "python":
        assert line.words[0] == "-m"
        assert find_spec(line.words[1])
        for name in (word for word in line.words if re.search(r"\.\w+$", word)):
            (tmp_path / name).touch()
        monkeypatch.chdir(tmp_path)
        BENCHMARKS.get(line.words[1], lambda words: words)(list(line.words[2:]))
    else:
        check_pip(line.words)


def check_pip(words):
    assert words[0] == "install"
    for extra in re.findall(r"\.\[([\w,]+)\]", " ".join(words)):
        assert set(extra.split(",")) <= PROJECT["optional-dependencies"].keys()
    if "-c" in words:
        assert (ROOT / words[words.index("-c") + 1]).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_between_the_words_are_those_of_the_commands(page):
    everywhere = set().union(*map(option_names, MODULES)) | ELSEWHERE
    for code in inline_code(page):
        program = code.split()[0].rpartition("/")[2]
        if program == "pip":
            check_pip(re.sub(r'["\']', "", code).split()[1:])
        if program in MODULES or program.startswith("--"):
            names = option_names(program) | ELSEWHERE if program in MODULES else everywhere
            used = {word.partition("=")[0] for word in code.split() if re.match(r"--?[a-z]", word)}
            assert used <= names, code


def test_lines_are_found_in_every_kind_of_block():
    text = (
        "words\n\n    $ .venv/bin/lt-export --resume a.pth \\\n      -o 'my dir'  # why\n\n`lt-bench no`\n\n"
        "```sh\nLT_DEBUG=1 lt-verify x > log && make demo\n```\n\n"
        "<!-- run -->\n```yaml\n      - run: lt-export -q\n```\n"
        "```python\nmake = 1\n```\n\n    ok it's output\n"
    )
    found = [(str(line), line.chosen) for line in lines_of(text)]
    lines = [("lt-export --resume a.pth -o 'my dir'", False), ("lt-verify x", False), ("make demo", False)]
    assert found == [*lines, ("lt-export -q", True)]


@pytest.mark.parametrize(
    "words", [("--resume", "a.pth", "--fromat", "onnx"), ("--resume", "a.pth", "--seed", "x"), ("a", "b")]
)
def test_a_line_that_the_command_refuses_is_noticed(words):
    with pytest.raises((TyperException, UsageError)):
        parse("lt-export", words)
    assert parse("lt-export", ("--list-presets",)).params["list_presets"] is True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_figures_are_those_of_the_file(page):
    text = page.read_text(encoding="utf-8")
    assert marks.filled(text, FIGURES) == text, "python -m benchmarks.documents --fill puts the file's figures there"


def test_every_section_of_the_file_is_measured_and_shown():
    shown = {name.partition(".")[0] for page in PAGES for name in marks.names(page.read_text(encoding="utf-8"))}
    assert FIGURES.keys() == document_figures.SECTIONS.keys()
    assert shown | {"run"} == FIGURES.keys()  # that one is the picture


# as percentages, megabytes and seconds; tolerances are data in configs/, and held against it below
MEASURED = re.compile(r"(?<!\w)\d[\d.]* ?(?:%|MB|ms|seconds|s)(?![\w-])")
TOLERANCES = {"0.5 %", "1 %"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_figure_stands_beside_the_file(page):
    text = page.read_text(encoding="utf-8")
    if marks.MARK.search(text):
        assert set(MEASURED.findall(marks.MARK.sub("", text))) <= TOLERANCES


def test_the_tolerances_named_are_the_configs():
    half = yaml.safe_load((ROOT / "configs/lighttrack_mobile.yaml").read_text(encoding="utf-8"))["tolerances"]["half"]
    assert {half["zf"]["rtol"], half["xf"]["rtol"]} == {0.005}
    assert {half["cls"]["rtol"], half["reg"]["rtol"]} == {0.01}


def test_marks_take_lists_and_forms():
    figures = {"a": {"share": 0.6113, "lines": ["one", "", "two"]}}
    text = "is <!-- figure a.share .0% -->5 %<!-- / -->, <!-- figure a.lines --><!-- / -->"
    done = marks.filled(text, figures)
    assert done == (
        "is <!-- figure a.share .0% -->61 %<!-- / -->, <!-- figure a.lines -->\n\n    one\n\n    two\n\n<!-- / -->"
    )
    assert marks.filled(done, figures) == done
    assert marks.names(done) == ["a.share", "a.lines"]
    with pytest.raises(KeyError, match=r"no figure a\.gone"):
        marks.filled("<!-- figure a.gone --><!-- / -->", figures)


def test_a_section_that_needs_a_trained_checkpoint_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(written, "FIGURES", tmp_path / "figures.json")
    assert written.main(["half"]) == 1
    assert capsys.readouterr().err == "not measured: --trained is missing, a trained LightTrack-Mobile checkpoint\n"
    with pytest.raises(SystemExit):
        written.parse(["halves"])
    assert "halves: no such section, expected demo, " in capsys.readouterr().err


def test_a_section_is_written_and_the_others_stay(tmp_path, monkeypatch):
    file, page = tmp_path / "figures.json", tmp_path / "page.md"
    file.write_text('{"demo": {"kept": 1}, "counts": {"mutants": 0}}')
    page.write_text("<!-- figure counts.mutants --><!-- / --> and <!-- figure demo.kept --><!-- / -->")
    monkeypatch.setattr(written, "FIGURES", file)
    monkeypatch.setattr(written, "ROOT", tmp_path)
    monkeypatch.setattr(written, "documents", lambda: [page])
    assert written.main(["counts"]) == 0
    figures = json.loads(file.read_text())
    assert figures["demo"] == {"kept": 1}
    assert figures["counts"]["mutants"] > 200
    assert marks.MARK.sub(lambda mark: mark[4], page.read_text()) == f"{figures['counts']['mutants']} and 1"


def anchors(page):
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        linked = page.parent / file if file else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_every_page_can_be_reached_from_readme():
    text = README.read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if f"docs/{page.name}" not in text] == []


def test_the_picture_is_of_the_run_in_the_file_and_fetches_nothing():
    svg = (ROOT / "docs/run.svg").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"<]+", svg)) <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}
    assert "<script" not in svg
    shown = without_spaces(html.unescape(re.sub(r"<[^>]+>", "", svg)))
    command, *lines = FIGURES["run"]["command"], *FIGURES["run"]["lines"]
    (line,) = documents.lines_of(f"    {command}\n")
    parse(line.program, line.words)
    for text in (f"$ {command}", *lines):
        assert without_spaces(text) in shown


def without_spaces(text):
    return re.sub(r"\s", "", text)


OF_NCNN = {"layer MatMul not exists"}  # what ncnn itself says on a device


def said_by_the_code():
    """Every text in the code, a blank for what is put in."""
    texts = []
    for folder in ("converter", "official_patches"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    texts.append("".join(getattr(part, "value", "…") if is_text(part) else "…" for part in node.values))
                elif is_text(node):
                    texts.append(node.value)
    return "\n".join(texts)


def is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_the_messages_to_look_up_are_those_of_the_code():
    table = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    messages = set(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE))
    said, unknown = said_by_the_code(), []
    for message in messages - OF_NCNN:
        pieces = [piece.split() for piece in message.split("…")]
        threes = {" ".join(words[at : at + 3]) for words in pieces for at in range(max(1, len(words) - 2))} - {"", ":"}
        if not any(three in said for three in threes if len(three) > 8):
            unknown.append(message)
    assert len(messages) > 6
    assert messages >= OF_NCNN
    assert unknown == []

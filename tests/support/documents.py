"""README and docs/ as tests read them: pages, the shell lines in their code, the code between their words."""

import re
import shlex
import tomllib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from typer.main import get_command

from commands import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULES = {name: f"converter.cli.{name.removeprefix('lt-')}" for name in PROJECT["scripts"]}
OTHER_PROGRAMS = {"make", "pip", "python"}
RUN = "<!-- run -->"  # in front of the block whose first line is run in place of the page's first
IN_OTHER_LANGUAGES = {"python", "py", "cpp", "c++", "json", "html", "diff"}
CONTROL = {"&&", "||", "|", ";", "&"}


@dataclass(frozen=True)
class Line:
    """A command line that a page shows: the program without its folder, and its words.

    Attributes:
        chosen: whether the page says that this is the line to run.
    """

    page: str
    program: str
    words: tuple[str, ...]
    chosen: bool

    def __str__(self) -> str:
        return shlex.join((self.program, *self.words))


def blocks(text: str) -> list[tuple[str, str]]:
    """(what stands in front, the code) of every block of shell lines, YAML or output; fenced or indented."""
    fenced = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
    found = [(text[: block.start()], block[3]) for block in fenced.finditer(text) if block[2] not in IN_OTHER_LANGUAGES]
    # what is fenced keeps its length, so that places still are those of the page
    rest = fenced.sub(lambda block: re.sub(r"[^\n]", "x", block[0]), text)
    for block in re.finditer(r"(?:^|\n\n)((?: {4}[^\n]*(?:\n|$))+)", rest):
        found.append((text[: block.start()], text[slice(*block.span(1))]))
    return sorted(found, key=lambda block: len(block[0]))


def shell_lines(page: Path) -> list[Line]:
    """The lines of a page that call a program of ours, make, pip or python."""
    return lines_of(page.read_text(encoding="utf-8"), page.name)


def lines_of(text: str, page: str = "page.md") -> list[Line]:
    lines = []
    for before, code in blocks(text):
        chosen = before.rstrip().endswith(RUN)
        for line in code.replace("\\\n", " ").splitlines():
            for program, words in _commands(line):
                lines.append(Line(page, program, words, chosen))
                chosen = False
    return lines


def _commands(line: str) -> list[tuple[str, tuple[str, ...]]]:
    line = re.sub(r"^\s*(- )?(run: )?(\$ )?", "", line)
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:  # no shell: an apostrophe in some output
        return []
    commands: list[list[str]] = [[]]
    for word in words:
        if word in CONTROL:
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for words in commands if (command := _command(words))]


def _command(words: list[str]) -> tuple[str, tuple[str, ...]] | None:
    """Program and words, without variables before them and redirections behind."""
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words = words[1:]
    if not words or (program := words[0].rpartition("/")[2]) not in {*MODULES, *OTHER_PROGRAMS}:
        return None
    end = next((place for place, word in enumerate(words) if re.match(r"\d?>|<", word)), len(words))
    return program, tuple(words[1:end])


def inline_code(page: Path) -> list[str]:
    """What stands between backticks in a page's sentences and tables."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)


def typer_command(program: str):
    """A fresh one, whose parameters may be changed."""
    return get_command(import_module(MODULES[program]).command.app)


def option_names(program: str) -> set[str]:
    """Of a command and of its subcommands."""
    command = typer_command(program)
    each = [command, *getattr(command, "commands", {}).values()]
    return {"--help", "-h"} | {name for one in each for option in one.params for name in names_of(option)}


def names_of(option) -> list[str]:
    return [*option.opts, *option.secondary_opts]

"""What README and docs/ show is carried out as it stands there: ``make demo``, a line of each page, and the C++ code by
ncnn's own Python."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import sysconfig

import clips
import cv2
import hostile
import ncnn
import numpy as np
import pytest
import torch
from consumer import answers, assert_close

from benchmarks.documents import read_figures
from benchmarks.setting import COLUMNS
from commands import ROOT, environment, lt
from conftest import MOBILE
from documents import MODULES, PAGES, shell_lines

MAKE = ("make", "--no-print-directory", "-f", ROOT / "Makefile")


def make(*words, cwd):
    variables = {name: value for name, value in environment().items() if not name.startswith(("MAKE", "MFLAGS"))}
    variables["COLUMNS"] = COLUMNS  # as the figures were measured
    return subprocess.run([*MAKE, *words], cwd=cwd, env=variables, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def demo(once):
    """What ``make demo`` said, and where it was called; with the packages that are there, not a new environment."""

    def call(folder):
        folder.mkdir()
        done = make("-o", "setup", f"BIN={sysconfig.get_path('scripts')}", "demo", cwd=folder)
        assert done.returncode == 0, done.stderr
        folder.with_suffix(".txt").write_text(done.stdout)

    folder = once("clone", call)
    return folder.with_suffix(".txt").read_text(), folder


def test_the_demo_makes_a_verified_export(demo):
    said, folder = demo
    assert said.startswith("demo/LightTrackM_seeded.pth: LightTrackM_Subnet with seeded weights (seed 0), not trained")
    assert "\nverified LightTrackM_Subnet in demo/export\n" in said
    files = {f"lighttrack_{graph}.{kind}" for graph in ("init", "update") for kind in ("param", "bin")}
    listed = said.partition("\ntotal ")[2].splitlines()[1:]  # what ls says behind it
    assert {line.split()[-1] for line in listed} == files | {"manifest.json"}
    assert {path.name for path in (folder / "demo/export").iterdir()} == files | {"manifest.json"}
    assert {path.name for path in folder.iterdir()} == {"demo"}
    manifest = json.loads((folder / "demo/export/manifest.json").read_text())
    assert manifest["verification"]["status"] == "passed"
    weights = (folder / "demo/LightTrackM_seeded.pth").read_bytes()
    assert manifest["checkpoint"]["sha256"] == hashlib.sha256(weights).hexdigest()


def test_the_demo_sets_the_environment_up_first():
    done = make("-n", "-B", "demo", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    steps = [
        "-m venv .venv",
        "-c constraints.txt -e",
        "-m converter.network.demo",
        "lt-export --arch LightTrackM_Subnet",
    ]
    places = [done.stdout.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)


def form(lines):
    """Lines without what differs from machine to machine: numbers, and the widths of columns that hold them."""
    return [" ".join(re.sub(r"[\d.,]+(e[+-]\d+)?", "N", line).split()) for line in lines]


def test_the_documents_show_what_the_demo_shows_now(demo):
    scripts = f"{sysconfig.get_path('scripts')}/"
    shown = demo[0].partition("\ntotal ")[0].replace(scripts, "").splitlines()
    advice = "what the commands print is not what the pages show: python -m benchmarks.documents"
    figures = read_figures()
    assert form(shown[1:]) == form(figures["demo"]["lines"]), advice
    assert form(figures["run"]["lines"])[-len(figures["demo"]["lines"]) :] == form(figures["demo"]["lines"]), advice


def test_readme_shows_what_a_failed_proof_shows_now(demo, tmp_path):
    line = next(line for line in shell_lines(PAGES[0]) if line.program in MODULES and "other.pth" in line.words)
    folder = shutil.copytree(demo[1], tmp_path / "clone")
    words = [sys.executable, "-m", "converter.network.demo", "other.pth", "--seed", "1"]
    subprocess.run(words, cwd=folder, env=environment(), check=True, capture_output=True, timeout=60)
    done = lt(MODULES[line.program], *line.words, cwd=folder, COLUMNS=COLUMNS)
    assert done.code == 1
    assert form(done.out.splitlines()) == form(read_figures()["failed"]["lines"])


def line_to_run(page):
    """The line that a page chooses, or else its first that calls a command of ours; None where there is none."""
    lines = [line for line in shell_lines(page) if line.program in MODULES]
    return next((line for line in lines if line.chosen), lines[0] if lines else None)


def lines_to_run():
    """A line to run -> the pages that have it."""
    found = {}
    for page in PAGES:
        if line := line_to_run(page):
            found.setdefault((line.program, line.words), []).append(page.name)
    return found


RUN = lines_to_run()


def test_most_pages_have_a_line_to_run():
    without = {page.name for page in PAGES} - {name for pages in RUN.values() for name in pages}
    assert without <= {"glossary.md", "api.md", "python.md", "terminal.md"}


@pytest.mark.parametrize(("program", "words"), RUN, ids=map(" ".join, RUN.values()))
def test_a_line_of_each_page_is_run(program, words, seeded, exported, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    for place in (".", "checkpoints"):
        shutil.copy(seeded, tmp_path / place / "LightTrackM.pth")
    weights = torch.load(seeded, weights_only=True)["state_dict"]
    (tmp_path / "LightTrackM.safetensors").write_bytes(hostile.safetensors(weights))
    for export in ("exports/LightTrackM_Subnet", "export"):
        shutil.copytree(exported[0], tmp_path / export)
    (tmp_path / "street.mp4").mkdir()  # a clip may be a folder of pictures
    for index in range(3):
        assert cv2.imwrite(str(tmp_path / "street.mp4" / f"{index}.png"), clips.frame(index, (480, 360)))
    done = lt(MODULES[program], *words, cwd=tmp_path)
    assert done.code == 0, done.err


# every kind of statement in the C++ code, and the same in Python
STATEMENTS = (
    (r"ncnn::Net (\w+), (\w+)", r"\1, \2 = ncnn.Net(), ncnn.Net()"),
    (r"((?:\w+\.opt\.\w+ = )+)false", r"\1False"),
    (r"(\w+\.load_(?:param|model)\(\"[^\"]+\"\))", r"code = \1"),
    (r"const float (\w+)\[\] = \{(.+)\}", r"\1 = numbers('\2')"),
    (
        r"ncnn::Mat (\w+) = ncnn::Mat::from_pixels\((\w+), ncnn::Mat::(\w+), (\d+), (\d+)\)(?:, \w+)+",
        r"\1 = ncnn.Mat.from_pixels(\2, ncnn.Mat.PixelType.\3, \4, \5)",
    ),
    (r"(\w+\.substract_mean_normalize\(\w+, \w+\))", r"\1"),
    (r"ncnn::Extractor (\w+) = (\w+\.create_extractor\(\))", r"\1 = \2"),
    (r"(\w+\.input\(\"[^\"]+\", \w+\))", r"code = \1"),
    (r"(\w+)\.extract\((\"[^\"]+\"), (\w+)\)", r"code, \3 = \1.extract(\2)"),
)


def in_cpp():
    """The C++ code of docs/, a statement each, without comments."""
    section = (ROOT / "docs/presets.md").read_text(encoding="utf-8").partition("\n## In C++\n")[2]
    code = re.search(r"```cpp\n(.*?)```", section, re.DOTALL)[1]
    code = re.sub(r"//.*", "", code)
    assert code.rstrip().endswith(";")
    return [" ".join(statement.split()) for statement in code.split(";") if statement.strip()]


def in_python(statement):
    found = [re.sub(pattern, other, statement) for pattern, other in STATEMENTS if re.fullmatch(pattern, statement)]
    assert len(found) == 1, statement
    return found[0]


def numbers(text):
    assert re.fullmatch(r"(\d+\.\d+f(, )?)+", text), text
    return [float(number.removesuffix("f")) for number in text.split(", ")]


def test_the_cpp_code_gives_the_networks_answers(demo, monkeypatch):
    folder = demo[1] / "demo"
    generator = np.random.default_rng(8)
    crops = {side: generator.integers(0, 256, (side, side, 3), np.uint8) for side in (127, 288)}
    known = {"ncnn": ncnn, "numbers": numbers, "crop_bgr": crops[127], "search_bgr": crops[288]}
    monkeypatch.chdir(folder / "export")
    for statement in in_cpp():
        known["code"] = 0
        exec(in_python(statement), known)
        assert known["code"] == 0, statement
    assert {known[net].opt.use_fp16_storage for net in ("init", "update")} == {False}  # as the comment says
    z, x = (
        ((crop[..., ::-1] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(2, 0, 1)[np.newaxis]
        for crop in crops.values()
    )
    expected = answers(folder / "LightTrackM_seeded.pth", np.float32(z), np.float32(x), MOBILE)
    assert_close([np.array(known[name])[np.newaxis] for name in ("zf", "cls", "reg")], expected)


def test_the_cpp_code_says_what_the_manifest_says(demo):
    manifest = json.loads((demo[1] / "demo/export/manifest.json").read_text())
    code, preprocess, tracker = "; ".join(in_cpp()), manifest["preprocess"], manifest["tracker"]
    for name in ("mean", "norm"):
        assert numbers(re.search(rf"{name}\[\] = {{(.+?)}}", code)[1]) == preprocess[name]
    assert preprocess["colour_order"] == "RGB"
    assert re.findall(r"from_pixels\((\w+), ncnn::Mat::(\w+), (\d+), (\d+)\)", code) == [
        (crop, "PIXEL_BGR2RGB", *(str(tracker[size]),) * 2)
        for crop, size in (("crop_bgr", "template_size"), ("search_bgr", "search_size"))
    ]
    assert tracker["cls"] == "logit"
    files, fed, asked = [], [], []
    for graph in manifest["graphs"]:
        files += [file["name"] for file in graph["files"]]
        fed += [tensor["name"] for tensor in graph["inputs"]]
        asked += [tensor["name"] for tensor in graph["outputs"]]
    assert re.findall(r'load_\w+\("(.+?)"\)', code) == files
    assert re.findall(r'input\("(.+?)",', code) == fed
    assert re.findall(r'extract\("(.+?)",', code) == asked

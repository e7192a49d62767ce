"""The built wheel in an environment without the checkout: what it says of itself, and the main job."""

import json
import os
import re
import subprocess
import sys
import venv
from email import message_from_string
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest

from commands import ROOT, environment
from documents import MODULES, lines_of


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    isolation = ("--no-build-isolation",) if find_spec("hatchling") else ()  # pip fetches hatchling otherwise
    words = ("wheel", "-q", "--disable-pip-version-check", "--no-deps", *isolation, "-w", folder, ROOT)
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """Runs a program of an environment with the wheel and this one's other packages, in a folder of its own."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "env", symlinks=True)
    pip = (sys.executable, "-m", "pip", "--python", folder / "env/bin/python", "--disable-pip-version-check")
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", wheel], check=True, timeout=300)
    (own,) = folder.glob("env/lib/python*/site-packages")
    # as plain paths: the .pth files in them, one of which names the checkout, are not read
    others = [entry for entry in map(Path, sys.path) if entry.name == "site-packages"]
    (own / "others.pth").write_text("".join(f"{entry}\n" for entry in others))
    (folder / "work").mkdir()
    variables = {name: value for name, value in environment().items() if not name.startswith("PYTHON")}

    def run(program, *words):
        command = [folder / "env/bin" / program, *words]
        return subprocess.run(command, cwd=folder / "work", env=variables, capture_output=True, text=True, timeout=300)

    return run


def test_the_wheel_says_what_it_is(wheel):
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        (record,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        about = message_from_string(archive.read(record).decode())
        (licence,) = (name for name in names if ".dist-info/" in name and name.endswith("/LICENSE"))
        assert archive.read(licence).decode() == (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert about["License-Expression"] == "MIT"
    assert about["License-File"] == "LICENSE"
    assert about["Requires-Python"] == ">=3.11"
    assert "ncnn" in about["Keywords"].split(",")
    assert {"Typing :: Typed", "Operating System :: POSIX :: Linux"} <= set(about.get_all("Classifier"))
    text = about.get_payload()
    assert text.lstrip().startswith("# lighttrack-export\n")
    assert [line.program for line in lines_of(text)] == ["lt-export", "lt-verify"]
    assert all("://" in target for target in re.findall(r"\]\(([^)]+)\)", text))  # a package index has no other file
    # in the same words as README
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.partition("\n\n")[2].partition("\n\n")[0] in text
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"converter", "official_patches"}
    configs = {f"converter/{path.relative_to(ROOT)}" for path in (ROOT / "configs").rglob("*.yaml")}
    assert {"converter/py.typed", *configs} <= set(names)


def test_the_wheel_does_the_main_job(bare):
    where = bare("python", "-c", "import converter, official_patches as p; print(converter.__file__, p.__file__)")
    assert re.fullmatch(r"\S+/env/lib/\S+/converter/__init__\.py \S+/env/lib/\S+\n", where.stdout), where
    assert str(ROOT) + os.sep not in where.stdout
    made = bare("python", "-m", "converter.network.demo", "LightTrackM.pth")
    assert made.returncode == 0, made.stderr
    export = bare("lt-export", "--arch", "LightTrackM_Subnet", "--resume", "LightTrackM.pth", "--json")
    assert export.returncode == 0, export.stderr
    assert json.loads(export.stdout)["verification"]["status"] == "passed"
    verify = bare("lt-verify", "exports/LightTrackM_Subnet", "--resume", "LightTrackM.pth")
    assert verify.returncode == 0, verify.stderr
    assert verify.stdout.startswith("verified LightTrackM_Subnet in exports/LightTrackM_Subnet\n")


def test_the_wheel_has_the_presets_and_every_command(bare):
    presets = bare("lt-export", "--list-presets")
    assert [line.split()[0] for line in presets.stdout.splitlines()] == sorted(
        path.stem for path in (ROOT / "configs/presets").glob("*.yaml")
    )
    for program in MODULES:
        shown = bare(program, "--version")
        assert (shown.returncode, shown.stdout.split()[0]) == (0, program), shown.stderr

"""A working folder that holds modules, as a downloaded export may: nothing of them is run."""

import os
import shutil
import subprocess

import pytest

from commands import BENCH, EXPORT, ROOT, SETUP, VERIFY, command, environment
from conftest import TINY
from converter.util.commands import attempt
from converter.util.process import python_environment, python_module

MODULES = ("numpy", "converter", "ncnn", "onnxruntime", "json", "pickle", "sitecustomize", "pip")


@pytest.fixture
def trap(tiny_both, tmp_path):
    """An export with modules in it that leave a mark when they are imported."""
    folder = shutil.copytree(tiny_both, tmp_path / "export")
    for name in MODULES:
        (folder / f"{name}.py").write_text(
            f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})\nraise SystemExit(9)\n"
        )
    return folder


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (VERIFY, (".", "--resume", "tiny.pth")),
        (BENCH, (".", "--rounds", 1, "--runs", 1, "--threads", 1, "--precision", "fp32")),
        (SETUP, ()),
        (EXPORT, ("--resume", "tiny.pth", "--path-name", TINY, "-o", "again", "--format", "ncnn", "--format", "onnx")),
    ],
)
def test_a_command_runs_nothing_of_its_working_folder(trap, tiny, tmp_path, module, arguments):
    shutil.copy(tiny, trap / "tiny.pth")
    python, *words = command(*arguments, "-q", module=module)
    # -P as for an installed command, whose own path does not begin with the working folder either
    done = subprocess.run([python, "-P", *words], cwd=trap, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_child_drops_relative_folders_of_the_search_path(trap, tmp_path, monkeypatch):
    """PYTHONPATH=:/somewhere names the working folder, too."""
    kept = str(tmp_path / "kept")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", ".", kept]))
    assert python_environment()["PYTHONPATH"].split(os.pathsep) == [str(ROOT), kept]
    monkeypatch.chdir(trap)
    code, out, err = attempt(python_module("pip", "--version"), "pip")
    assert (code, out[:4]) == (0, "pip "), err
    assert not (tmp_path / "ran").exists()


def test_every_python_that_is_started_is_started_so():
    """One place knows how; what runs the interpreter otherwise has the working folder on its path."""
    packages = (ROOT / "converter", ROOT / "official_patches")
    users = {path for package in packages for path in package.rglob("*.py") if "sys.executable" in path.read_text()}
    # the guest starts itself again as it was started; the set-up looks for a Python that is no environment's, with -I
    others = ("converter/formats/rknn/guest.py", "converter/formats/rknn/setup.py")
    assert users == {ROOT / "converter/util/process.py", *(ROOT / other for other in others)}

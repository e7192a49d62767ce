"""A working folder that holds modules, as a downloaded export may: nothing of them is run."""

import os
import shutil
import subprocess

import pytest
from clips import save_pictures
from loose_limits import save_limits

from commands import (
    BENCH,
    CALIBRATE,
    CPP,
    EXPORT,
    MATRIX,
    QUANTIZE,
    ROOT,
    SETUP,
    TRACK,
    VERIFY,
    command,
    environment,
    lt_bench,
    lt_setup,
)
from conftest import TINY
from converter.checks.arm.root import qemu_on_path
from converter.formats.rknn import setup as rknn
from converter.util.commands import attempt
from converter.util.process import python_environment, python_module

MODULES = ("numpy", "converter", "ncnn", "onnxruntime", "json", "pickle", "sitecustomize", "pip")

CLIP = ("--clip", "clip", "--box", "40,30,20,16")


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
        (TRACK, (".", "clip", "--box", "40,30,20,16")),
        (CPP, (".", "-o", "cpp")),
        (CALIBRATE, ("tiny.pth", "--path-name", TINY, *CLIP, "-o", "calib")),
        (
            QUANTIZE,
            ("tiny.pth", "--path-name", TINY, *CLIP, *CLIP, "--config", "loose.yaml", "--samples", 2, "-o", "small"),
        ),
        (MATRIX, ("tiny.pth", "--paths", "paths.txt", "-o", "matrix", "--format", "ncnn", "--format", "onnx")),
        (EXPORT, ("--resume", "tiny.pth", "--path-name", TINY, "-o", "again", "--format", "ncnn", "--format", "onnx")),
    ],
)
def test_a_command_runs_nothing_of_its_working_folder(trap, tiny, tmp_path, module, arguments):
    shutil.copy(tiny, trap / "tiny.pth")
    save_pictures(trap / "clip", ["0.png", "1.png"])
    (trap / "paths.txt").write_text(f"{TINY}\n")
    save_limits(trap / "loose.yaml")
    python, *words = command(*arguments, "-q", module=module)
    # -P as for an installed command, whose own path does not begin with the working folder either
    done = subprocess.run([python, "-P", *words], cwd=trap, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "program"),
    [("arm", "dpkg"), ("vulkan", "dpkg"), ("cpp", "cmake"), ("rknn", "python3.11")],
)
@pytest.mark.parametrize("path", ["", ".", "here:"])
def test_a_set_up_starts_no_program_of_its_working_folder(tmp_path, monkeypatch, name, program, path):
    """PATH=:/somewhere names the working folder, as a PATH does that was put together with an empty variable."""
    for place in (tmp_path / "work", tmp_path / "work/here"):
        place.mkdir()
        for each in ("dpkg", "apt-get", "apt-config", "cmake", "c++", "python3.11", "python3", "sh", "nice"):
            (place / each).write_text(f"#!/bin/sh\n: >{tmp_path}/ran\n")
            (place / each).chmod(0o755)
    monkeypatch.setattr(rknn, "PYTHON", (2, 7))  # none that runs here
    done = lt_setup(name, "--folder", tmp_path / "new", cwd=tmp_path / "work", PATH=path)
    assert done.code == 5, done.err
    assert program in done.error_line
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "new").exists()


def test_an_emulator_in_the_working_folder_is_not_the_systems(tmp_path, monkeypatch):
    (tmp_path / "qemu-aarch64-static").write_text("#!/bin/sh\n")
    (tmp_path / "qemu-aarch64-static").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join(["", "."]))
    assert qemu_on_path() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert qemu_on_path() == tmp_path / "qemu-aarch64-static"


@pytest.mark.parametrize("kind", ["settings", "a pipe", "damaged"])
def test_a_picture_is_drawn_as_always_whatever_the_working_folder_holds(tiny_export, tmp_path, kind):
    """matplotlib reads matplotlibrc there; LaTeX, which one may ask for, runs what it is told."""
    (tmp_path / "ours").mkdir()
    shutil.copytree(tiny_export, tmp_path / "ours/export")
    path = tmp_path / "ours/matplotlibrc"
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"text.usetex: True\nsavefig.facecolor: red\n" if kind == "settings" else b"\xff\xfe: 1\n")
    words = ("export", "--rounds", 1, "--runs", 1, "--threads", 1, "--precision", "fp32", "-q", "--plot", "a.svg")
    done = lt_bench(*words, cwd=tmp_path / "ours", apart=True)
    assert (done.code, done.out, done.err) == (0, "", "")
    drawn = (tmp_path / "ours/a.svg").read_text()
    assert "<svg" in drawn
    assert "fill: #ff0000" not in drawn


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

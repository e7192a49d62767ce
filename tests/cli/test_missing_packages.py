"""A package that is missing, or is there and cannot be imported: one line that says so and what to do, and exit 5."""

import json
import re
import shutil
import subprocess
import sys

import pytest

import warm
from commands import BENCH, CALIBRATE, CPP, EXPORT, MATRIX, QUANTIZE, ROOT, TRACK, VERIFY, environment, lt
from conftest import TINY, damage, hide

INSTALL = f"pip install -c {ROOT}/constraints.txt"
LIBRARY = "libX.so.1: cannot open shared object file: No such file or directory"
OPENCV = "opencv-python-headless (cv2)"
HARMS = {
    "library": (f"raise OSError({LIBRARY!r})\n", LIBRARY),
    "libGL": ("raise ImportError('libGL.so.1: cannot open shared object file')\n", "libGL.so.1: cannot open shared"),
    "ABI": (
        "try:\n    raise ImportError('numpy._core.multiarray failed to import')\n"
        "except ImportError as error:\n    raise RuntimeError('a page\\nof advice') from error\n",
        "numpy._core.multiarray failed to import",
    ),
    "requirement": ("import a_package_that_is_not_there\n", "No module named 'a_package_that_is_not_there'"),
    "other": ("raise AttributeError('_ARRAY_API not found')\n", "AttributeError: _ARRAY_API not found"),
}


@pytest.fixture
def calls(tiny, tiny_both, loud_picture, tmp_path):
    """Name -> a command that has work to do for some packages."""
    bench = (tiny_both, "--rounds", 1, "--runs", 1, "--threads", 1, "--precision", "fp32")
    clip = ("--clip", tmp_path, "--box", "1,1,9,9")
    (tmp_path / "drawn").mkdir()
    for name in ("0.png", "1.png"):
        shutil.copy(loud_picture, tmp_path / "drawn" / name)
    drawn = ("--clip", tmp_path / "drawn", *clip[2:])
    new = ("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out")
    plan, onnx_plan = tmp_path / "plan.yaml", tmp_path / "onnx.yaml"
    for path, formats in ((plan, ["ncnn"]), (onnx_plan, ["onnx"])):
        path.write_text(json.dumps({"checkpoints": [str(tiny)], "path_names": [TINY], "formats": formats}))
    return {
        "export": (EXPORT, new),
        "export onnx": (EXPORT, (*new, "--format", "onnx")),
        "export picture": (EXPORT, (*new, "--image", loud_picture)),
        "verify": (VERIFY, (tiny_both, "--resume", tiny)),
        "verify onnx": (VERIFY, (tiny_both, "--resume", tiny, "--format", "onnx")),
        "verify clip": (VERIFY, (tiny_both, "--resume", tiny, *clip)),
        "bench": (BENCH, (*bench, "--format", "ncnn")),
        "track": (TRACK, (tiny_both, tmp_path, "--box", "1,1,9,9")),
        "cpp": (CPP, (tiny_both, "-o", tmp_path / "out")),
        "track onnx": (TRACK, (tiny_both, tmp_path, "--box", "1,1,9,9", "--format", "onnx")),
        "bench onnx": (BENCH, (*bench, "--format", "onnx")),
        "bench torch": (BENCH, (*bench, "--format", "ncnn", "--resume", tiny)),
        "bench plot": (BENCH, (*bench, "--format", "ncnn", "--plot", tmp_path / "a.svg")),
        "calibrate": (CALIBRATE, (tiny, "--path-name", TINY, "--image", loud_picture, "-o", tmp_path / "out")),
        "calibrate clip": (CALIBRATE, (tiny, "--path-name", TINY, *clip, "-o", tmp_path / "out")),
        "quantize": (QUANTIZE, (tiny, "--path-name", TINY, *drawn, *drawn, "-o", tmp_path / "out")),
        "matrix": (MATRIX, (plan, "-o", tmp_path / "out")),
        "matrix onnx": (MATRIX, (onnx_plan, "-o", tmp_path / "out")),
    }


def run(call, package, folder):
    """A command behind a folder that hides or damages a package; torch is there already where it does not need that."""
    module, words = call
    if package in ("torch", "numpy"):
        return lt(module, *words, "-q", PYTHONPATH=folder)
    return warm.run_behind(folder, module, *words, "-q")


def one_line(done, program):
    assert done.code == 5, done.err
    assert done.out == ""
    line = done.error_line
    assert line.startswith(f"{program}: error: ")
    return line.removeprefix(f"{program}: error: ")


@pytest.mark.parametrize(
    ("call", "package", "said"),
    [
        (
            "export",
            "torch",
            f"torch, which builds and runs the network, is not installed here: {INSTALL} lighttrack-export",
        ),
        ("export", "yaml", f"pyyaml (yaml), which reads configs, is not installed here: {INSTALL} lighttrack-export"),
        (
            "export picture",
            "PIL",
            f"pillow (PIL), which reads and writes pictures, is not installed here: {INSTALL} lighttrack-export",
        ),
        (
            "verify",
            "numpy",
            f"numpy, which holds inputs and outputs, is not installed here: {INSTALL} lighttrack-export",
        ),
        (
            "verify",
            "torch",
            f"torch, which builds and runs the network, is not installed here: {INSTALL} lighttrack-export",
        ),
        ("verify", "ncnn", f"--format ncnn needs ncnn, not installed here: {INSTALL} lighttrack-export"),
        (
            "verify onnx",
            "onnxruntime",
            f"--format onnx needs onnxruntime, not installed here: {INSTALL} 'lighttrack-export[onnx]'",
        ),
        (
            "verify onnx",
            "onnx",
            f"onnx, which writes ONNX models, is not installed here: {INSTALL} 'lighttrack-export[onnx]'",
        ),
        (
            "verify clip",
            "cv2",
            f"--clip needs {OPENCV}, not installed here: {INSTALL} 'lighttrack-export[clip]'",
        ),
        ("cpp", "ncnn", f"--format ncnn needs ncnn, not installed here: {INSTALL} lighttrack-export"),
        (
            "cpp",
            "numpy",
            f"numpy, which holds inputs and outputs, is not installed here: {INSTALL} lighttrack-export",
        ),
        ("track", "cv2", f"lt-track needs {OPENCV}, not installed here: {INSTALL} 'lighttrack-export[clip]'"),
        (
            "bench plot",
            "matplotlib",
            f"--plot needs matplotlib, not installed here: {INSTALL} 'lighttrack-export[bench]'",
        ),
        (
            "calibrate",
            "torch",
            f"torch, which builds and runs the network, is not installed here: {INSTALL} lighttrack-export",
        ),
        (
            "calibrate",
            "PIL",
            f"pillow (PIL), which reads and writes pictures, is not installed here: {INSTALL} lighttrack-export",
        ),
        (
            "calibrate clip",
            "cv2",
            f"--clip needs {OPENCV}, not installed here: {INSTALL} 'lighttrack-export[clip]'",
        ),
        (
            "quantize",
            "torch",
            f"torch, which builds and runs the network, is not installed here: {INSTALL} lighttrack-export",
        ),
        (
            "quantize",
            "cv2",
            f"--clip needs {OPENCV}, not installed here: {INSTALL} 'lighttrack-export[clip]'",
        ),
        (
            "matrix",
            "torch",
            f"torch, which builds and runs the network, is not installed here: {INSTALL} lighttrack-export",
        ),
        ("matrix", "yaml", f"pyyaml (yaml), which reads configs, is not installed here: {INSTALL} lighttrack-export"),
        ("matrix", "ncnn", f"--format ncnn needs ncnn, not installed here: {INSTALL} lighttrack-export"),
        (
            "matrix onnx",
            "onnxruntime",
            f"--format onnx needs onnxruntime, not installed here: {INSTALL} 'lighttrack-export[onnx]'",
        ),
    ],
)
def test_a_missing_package_is_one_line_with_what_installs_it(calls, tmp_path, call, package, said):
    done = run(calls[call], package, hide(tmp_path, package))
    assert one_line(done, f"lt-{call.split()[0]}") == said


@pytest.mark.parametrize(
    ("call", "package", "harm"),
    [
        ("export", "pnnx", "library"),
        ("export", "ncnn", "ABI"),
        ("export onnx", "onnx", "other"),
        ("export onnx", "onnxsim", "requirement"),
        ("export picture", "PIL", "library"),
        ("verify", "yaml", "other"),
        ("verify", "numpy", "library"),
        ("verify", "torch", "library"),
        ("verify", "ncnn", "library"),
        ("verify onnx", "onnxruntime", "ABI"),
        ("verify clip", "cv2", "libGL"),
        ("bench", "ncnn", "other"),
        ("track", "cv2", "libGL"),
        ("track", "yaml", "other"),
        ("cpp", "ncnn", "library"),
        ("cpp", "numpy", "ABI"),
        ("bench onnx", "onnxruntime", "library"),
        ("bench torch", "torch", "ABI"),
        ("bench plot", "matplotlib", "library"),
        ("calibrate", "numpy", "ABI"),
        ("calibrate", "torch", "library"),
        ("calibrate clip", "cv2", "libGL"),
        ("quantize", "torch", "library"),
        ("quantize", "cv2", "libGL"),
        ("matrix", "torch", "library"),
        ("matrix", "ncnn", "ABI"),
        ("matrix", "pnnx", "library"),
        ("matrix", "numpy", "library"),
        ("matrix", "yaml", "other"),
        ("matrix onnx", "onnx", "other"),
        ("matrix onnx", "onnxruntime", "ABI"),
    ],
)
def test_a_package_that_cannot_be_imported_is_one_line_with_the_reason(calls, tmp_path, call, package, harm):
    source, said = HARMS[harm]
    done = run(calls[call], package, damage(tmp_path, package, source))
    line = one_line(done, f"lt-{call.split()[0]}")
    assert re.search(rf"(^| |\(){package}\)?, which ", line)
    assert f"cannot be imported here ({said}" in line
    command = INSTALL if harm == "requirement" else "pip install --force-reinstall --no-deps "
    assert f"): {command}" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("package", ["typer", "rich", "pydantic"])
@pytest.mark.parametrize("harm", ["other", "exits"])
def test_what_the_command_line_itself_needs_is_missing_too(tmp_path, package, harm):
    """As an installed command starts; ``--json`` has its object then, too."""
    source = "raise SystemExit(1)\n" if harm == "exits" else HARMS[harm][0]
    words = ["-c", "from converter.cli.start import lt_verify; lt_verify()", "--json"]
    variables = environment(PYTHONPATH=damage(tmp_path, package, source))
    done = subprocess.run([sys.executable, *words], env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 5, done.stderr
    (line,) = done.stderr.splitlines()
    assert f": error: {package}, which " in line
    assert json.loads(done.stdout)["error"]["exit_code"] == 5


@pytest.mark.parametrize(
    ("call", "package"),
    [
        ("export", "torch"),
        ("export", "pnnx"),
        ("verify", "ncnn"),
        ("verify onnx", "onnxruntime"),
        ("bench", "ncnn"),
        ("cpp", "ncnn"),
        ("calibrate", "torch"),
        ("matrix", "torch"),
        ("matrix", "ncnn"),
    ],
)
@pytest.mark.parametrize(
    "source", ["raise SystemExit(1)\n", "", "import os; os.abort()\n"], ids=["exits", "empty", "aborts"]
)
def test_a_package_that_ends_its_process_or_holds_nothing_is_no_failed_verification(
    calls, tmp_path, call, package, source
):
    if "abort" in source and not call.startswith("verify"):
        source = "class Odd(BaseException): pass\nraise Odd\n"  # what ends this process cannot be told by it
    module, words = calls[call]
    done = lt(module, *words, "-q", PYTHONPATH=damage(tmp_path, package, source))
    assert re.search(rf"{package}, which .* cannot be (imported|used) here", one_line(done, f"lt-{call.split()[0]}"))


def test_a_pnnx_that_does_not_start_is_to_be_reinstalled(calls, tmp_path):
    script = tmp_path / "run"
    script.write_text("#!/bin/sh\necho 'pnnx: error while loading shared libraries: libX.so.1' >&2\nexit 127\n")
    script.chmod(0o755)
    module, words = calls["export"]
    done = lt(module, *words, "-q", PYTHONPATH=damage(tmp_path, "pnnx", f"EXEC_PATH = {str(script)!r}\n"))
    line = one_line(done, "lt-export")
    assert "could not be started; it said: pnnx: error while loading shared libraries: libX.so.1; reinstall it" in line

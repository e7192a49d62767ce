"""A folder that lt-cpp wrote, built and run."""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converter.checks.cpp.library import default_folder, library
from converter.checks.cpp.setup import TOOLS
from converter.errors import ConversionError, UsageError, VerificationError
from converter.track.cpp.listing import MARKER
from converter.util.commands import attempt
from converter.util.paths import why_no_folder

PROGRAM = "lighttrack"
NCNN = "ncnn_DIR"  # what CMake asks, too


@dataclass(frozen=True)
class Program:
    """The built program.

    Attributes:
        path: of it.
        models: the export's folder.
    """

    path: Path
    models: Path

    def run(self, frames: Iterable[np.ndarray], words: Sequence[str]) -> None:
        """Track through frames.

        Args:
            frames: (H, W, 3) uint8 RGB, all of one size.
            words: options beside ``--raw`` and ``--model``.

        Raises:
            VerificationError: when it fails, with what it said.
        """
        frames = iter(frames)
        first = next(frames)
        command = [str(self.path), "--raw", f"{first.shape[1]}x{first.shape[0]}", "--model", str(self.models), *words]
        with tempfile.TemporaryFile() as said:
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said) as process:
                assert process.stdin is not None
                try:
                    for frame in (first, *frames):
                        process.stdin.write(frame[..., ::-1].tobytes())
                    process.stdin.close()
                except BrokenPipeError:  # it has ended, and says why
                    pass
                except BaseException:
                    process.kill()
                    raise
                code = process.wait()
            if code:
                said.seek(0)
                lines = [line.strip() for line in said.read().decode(errors="replace").splitlines() if line.strip()]
                ended = f"ended by signal {-code}" if code < 0 else f"ended with code {code}"
                raise VerificationError(f"the C++ tracker {ended}: {lines[-1][:300] if lines else 'without a word'}")


@contextmanager
def built(folder: Path, models: Path) -> Iterator[Program]:
    """The program of a folder, built aside: the folder stays as it is.

    Raises:
        UsageError: for a folder without one.
        DependencyError: when the compiler, CMake or ncnn is missing.
        VerificationError: when it does not compile, with the first error.
        ConversionError: when something ended the compiler.
    """
    if reason := why_no_folder(folder):
        raise UsageError(f"--cpp {folder}: {reason}, expected a folder that lt-cpp wrote")
    if not (folder / MARKER).is_file():
        raise UsageError(f"--cpp {folder}: no {MARKER} in it, expected a folder that lt-cpp wrote")
    for program, package in TOOLS.items():
        attempt([program, "--version"], f"--cpp needs {program} of the package {package}")
    named = os.environ.get(NCNN)
    found = os.path.abspath(named) if named else library(default_folder()).config
    with tempfile.TemporaryDirectory(prefix="lt-cpp-") as work:
        for words in (
            ["cmake", "-S", os.path.abspath(folder), "-B", work, f"-D{NCNN}={found}", "-DLT_OPENCV=OFF"],
            ["cmake", "--build", work, "--target", PROGRAM],
        ):
            code, out, err = attempt(words, f"building {folder}")
            if code < 0:
                raise ConversionError(f"building {folder}: {words[0]} was ended by signal {-code}")
            if code:
                lines = [line.strip() for line in (err + out).splitlines() if line.strip()]
                errors = [line for line in lines if "error" in line.lower()] or lines[-1:] or ["without a word"]
                raise VerificationError(f"--cpp {folder} does not build: {errors[0][:300]}")
        yield Program(Path(work, PROGRAM), models)

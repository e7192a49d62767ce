"""The commands as tests call them: in this process, or in one of their own where that is what is tested."""

import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parents[1]
EXPORT, VERIFY, BENCH = "converter.cli.export", "converter.cli.verify", "converter.cli.bench"
SETUP, TRACK, CPP = "converter.cli.setup", "converter.cli.track", "converter.cli.cpp"
CALIBRATE = "converter.cli.calibrate"
MATRIX = "converter.cli.matrix"
QUANTIZE = "converter.cli.quantize"
LEFT_OUT = ("LIGHTTRACK_ROOT", "STARK_ROOT", "NANOTRACK_ROOT", "LT_DEBUG", "CI", "NO_COLOR", "FORCE_COLOR")
LEFT_OUT += ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE")
READ_AT_START = {"PYTHONPATH", "TMPDIR", "HOME", "XDG_CACHE_HOME"}  # by Python or a runtime, once for the process
LOGGERS = (None, "converter", "official_patches")


@dataclass(frozen=True)
class Finished:
    """A command that ended: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def error_line(self) -> str:
        """The one line that begins with the program's name."""
        lines = [line for line in self.err.splitlines() if re.match(r"lt-\w+: (internal )?error: ", line)]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]


def lt_export(*arguments: object, cwd: Path | None = None, apart: bool = False, **extra: str) -> Finished:
    """Run the command line.

    Args:
        apart: in a process of its own; in this one otherwise.
        extra: of the environment; what a process reads when it starts asks for one of its own.
    """
    return _run(EXPORT, arguments, cwd, apart, extra)


def lt_verify(*arguments: object, cwd: Path | None = None, apart: bool = False, **extra: str) -> Finished:
    """Likewise."""
    return _run(VERIFY, arguments, cwd, apart, extra)


def lt_cpp(*arguments: object, cwd: Path | None = None, apart: bool = False, **extra: str) -> Finished:
    """Likewise."""
    return _run(CPP, arguments, cwd, apart, extra)


def lt_calibrate(*arguments: object, cwd: Path | None = None, apart: bool = False, **extra: str) -> Finished:
    """Likewise."""
    return _run(CALIBRATE, arguments, cwd, apart, extra)


def lt_bench(*arguments: object, cwd: Path | None = None, apart: bool = False, **extra: str) -> Finished:
    """Likewise."""
    return _run(BENCH, arguments, cwd, apart, extra)


def lt_track(*arguments: object, cwd: Path | None = None, apart: bool = False, **extra: str) -> Finished:
    """Likewise."""
    return _run(TRACK, arguments, cwd, apart, extra)


def lt_matrix(*arguments: object, cwd: Path | None = None, apart: bool = False, **extra: str) -> Finished:
    """Likewise."""
    return _run(MATRIX, arguments, cwd, apart, extra)


def lt_quantize(*arguments: object, cwd: Path | None = None, apart: bool = False, **extra: str) -> Finished:
    """Likewise."""
    return _run(QUANTIZE, arguments, cwd, apart, extra)


def lt_setup(*arguments: object, cwd: Path | None = None, apart: bool = False, **extra: str) -> Finished:
    """Likewise."""
    return _run(SETUP, arguments, cwd, apart, extra)


def lt(module: str, *arguments: object, cwd: Path | None = None, **extra: str) -> Finished:
    """Likewise, whichever command it is."""
    return _run(module, arguments, cwd, False, extra)


def command(*arguments: object, module: str = EXPORT) -> list[str]:
    """The words of a command line in a process of its own."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def environment(**extra: str) -> dict[str, str]:
    """The environment without what would change an export; the project is importable from any folder."""
    kept = {key: value for key, value in os.environ.items() if key not in LEFT_OUT}
    path = os.pathsep.join(filter(None, [extra.pop("PYTHONPATH", ""), str(ROOT)]))
    return {**kept, "PYTHONPATH": path, "COLUMNS": "160", **extra}


def _run(module, arguments, cwd, apart, extra):
    return (_apart if apart or READ_AT_START & extra.keys() else _inside)(module, arguments, cwd, extra)


def _apart(module, arguments, cwd, extra):
    words = command(*arguments, module=module)
    done = subprocess.run(words, cwd=cwd, env=environment(**extra), capture_output=True, text=True, timeout=300)
    return Finished(done.returncode, done.stdout, done.stderr)


def _inside(module, arguments, cwd, extra):
    call, out, err = import_module(module).call, io.StringIO(), io.StringIO()
    with surroundings(cwd, extra), redirect_stdout(out), redirect_stderr(err):
        code = call([str(word) for word in arguments])
    return Finished(code, out.getvalue(), err.getvalue())


@contextmanager
def surroundings(cwd: Path | None, extra: dict[str, str]) -> Iterator[None]:
    """Working folder, environment and logging as a process of its own has them; afterwards as before."""
    folder, variables, loggers = Path.cwd(), dict(os.environ), [logging.getLogger(name) for name in LOGGERS]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    os.chdir(cwd or folder)
    for name in LEFT_OUT:
        os.environ.pop(name, None)
    os.environ.update({"COLUMNS": "160", **extra})
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(variables)
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers

"""Every path option of every command, and what may lie at a path that is neither a file nor a folder to read."""

import ctypes
import json
import os
import socket
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from typer.main import get_command

from commands import BENCH, CALIBRATE, CPP, EXPORT, MATRIX, QUANTIZE, SETUP, TRACK, VERIFY
from converter.cli import bench, calibrate, cpp, export, matrix, quantize, setup, track, verify

MODULES = {"lt-export": EXPORT, "lt-verify": VERIFY, "lt-bench": BENCH, "lt-track": TRACK, "lt-setup": SETUP}
MODULES |= {"lt-cpp": CPP, "lt-calibrate": CALIBRATE, "lt-matrix": MATRIX, "lt-quantize": QUANTIZE}
CHECKPOINTS = ("checkpoint", "--resume")
_COMMANDS = [module.command for module in (export, verify, bench, track, setup, cpp, calibrate, matrix, quantize)]
_VERSION, _DAC_OVERRIDE, _DAC_READ_SEARCH = 0x20080522, 1 << 1, 1 << 2


def path_options() -> list[tuple[str, str, str]]:
    """(program, option or name of the argument, what stands for its value), read from the commands themselves."""
    found = []
    for command in _COMMANDS:
        hints = typing.get_type_hints(command.app.registered_commands[0].callback)
        for parameter in get_command(command.app).params:
            if Path in _types(hints.get(parameter.name)):
                found.append((command.program, parameter.opts[0], parameter.metavar or ""))
    return found


def _types(hint: object) -> Iterator[object]:
    yield hint
    for part in typing.get_args(hint):
        yield from _types(part)


def make_odd(folder: Path, suffix: str = "") -> dict[str, Path]:
    """Kind to a path of that kind; all but devices lie in the folder and have the suffix."""
    paths = {kind: folder / f"{kind}{suffix}" for kind in ("pipe", "socket", "loop")}
    os.mkfifo(paths["pipe"])
    with _inside(folder), socket.socket(socket.AF_UNIX) as made:  # the name of a socket has to be short
        made.bind(paths["socket"].name)
    paths["loop"].symlink_to(paths["loop"].name)
    linked = folder / f"zero{suffix}"
    linked.symlink_to("/dev/zero")
    long = {"long": folder / f"{'n' * 260}{suffix}", "long folder": folder / ("é" * 130) / f"a{suffix}"}
    return {**paths, "device": linked, **long, "in a loop": paths["loop"] / f"a{suffix}"}


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def unprivileged(function: Callable[[], list[object]]) -> list[typing.Any]:
    """What a function gives in a fork of this process that closed folders are closed to, for root too."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _drop_capabilities()
            with os.fdopen(writing, "w") as pipe:
                json.dump(function(), pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return json.loads(answer)


def _drop_capabilities() -> None:
    class Header(ctypes.Structure):
        _fields_ = (("version", ctypes.c_uint32), ("process", ctypes.c_int))

    class Sets(ctypes.Structure):
        _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))

    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = Header(_VERSION, 0), (Sets * 2)()
    if libc.capget(ctypes.byref(header), sets):
        raise OSError(ctypes.get_errno(), "capget")
    for name, _ in Sets._fields_:
        setattr(sets[0], name, getattr(sets[0], name) & ~(_DAC_OVERRIDE | _DAC_READ_SEARCH))
    if libc.capset(ctypes.byref(header), sets):
        raise OSError(ctypes.get_errno(), "capset")

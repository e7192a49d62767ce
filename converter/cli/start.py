"""The first of ours that a command runs: until the command itself listens to signals, one of them ends it in a line."""

import json
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import NoReturn


def _end(number: int, _frame: FrameType | None) -> None:
    line = f"{os.path.basename(sys.argv[0])}: interrupted by {signal.Signals(number).name}; nothing was begun\n"
    os.write(2, line.encode(errors="replace"))
    os._exit(128 + number)


def _start(name: str) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _end)
    try:
        from converter.util.packages import importing

        with importing():
            main = import_module(f"converter.cli.{name}").main
    except BaseException as error:
        _refuse(error)
    main()


def _refuse(error: BaseException) -> NoReturn:
    """What the command itself needs cannot be imported: its error, as the command would have said it."""
    if os.environ.get("LT_DEBUG"):
        import traceback

        lines = traceback.format_exc().splitlines()
        with suppress(OSError):
            os.write(2, "".join(f"{_harmless(line)}\n" for line in lines).encode(errors="replace"))
    code = getattr(error, "exit_code", 70)
    internal = f"internal error: {type(error).__name__}: {error}; please report it; LT_DEBUG=1 shows more"
    message = " ".join((internal if code == 70 else str(error)).split())
    line = message if code == 70 else f"error: {message}"
    answer = json.dumps({"error": {"exit_code": code, "message": message, "checks": []}}, indent=2)
    for number, text in ((1, answer if "--json" in sys.argv else ""), (2, f"{os.path.basename(sys.argv[0])}: {line}")):
        with suppress(OSError):
            os.write(number, f"{text}\n".encode(errors="replace") if text else b"")
    os._exit(code)


def _harmless(line: str) -> str:
    """As :func:`converter.report.text.harmless`, which may be what cannot be imported."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


def lt_export() -> None:
    _start("export")


def lt_verify() -> None:
    _start("verify")


def lt_bench() -> None:
    _start("bench")


def lt_track() -> None:
    _start("track")


def lt_setup() -> None:
    _start("setup")


def lt_matrix() -> None:
    _start("matrix")


def lt_cpp() -> None:
    _start("cpp")


def lt_calibrate() -> None:
    _start("calibrate")


def lt_quantize() -> None:
    _start("quantize")

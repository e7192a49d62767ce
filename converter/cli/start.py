"""The first of ours that a command runs: until the command itself listens to signals, one of them ends it in a line."""

import os
import signal
import sys
from importlib import import_module
from types import FrameType


def _end(number: int, _frame: FrameType | None) -> None:
    line = f"{os.path.basename(sys.argv[0])}: interrupted by {signal.Signals(number).name}; nothing was begun\n"
    os.write(2, line.encode(errors="replace"))
    os._exit(128 + number)


def _start(name: str) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _end)
    import_module(f"converter.cli.{name}").main()


def lt_export() -> None:
    _start("export")


def lt_verify() -> None:
    _start("verify")


def lt_bench() -> None:
    _start("bench")


def lt_setup() -> None:
    _start("setup")

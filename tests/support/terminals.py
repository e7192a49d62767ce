"""Commands on a terminal of their own, as a person has one: what it shows, and the keys that are pressed."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path

from commands import command, environment

CTRL_C = b"\x03"
PATIENCE = 120.0  # seconds


class Terminal:
    """A command under way, with a terminal as stdin and stderr, and as stdout unless that is a file.

    Attributes:
        shown: everything so far, escape codes included.
    """

    def __init__(
        self, module: str, words: Sequence[object], columns: int = 80, stdout: Path | None = None, **extra: str
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        surroundings = {**environment(TERM="xterm"), **extra}
        del surroundings["COLUMNS"]
        out = stdout.open("wb") if stdout else None
        self.process = subprocess.Popen(
            command(*words, module=module),
            env=surroundings,
            stdin=theirs,
            stdout=out or theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        if out:
            out.close()
        self.shown = ""

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def until(self, pattern: str) -> None:
        """Wait until something is shown."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.shown):
            assert time.monotonic() < deadline, self.shown
            assert self._read(), self.shown

    def end(self) -> int:
        """Wait for the command; its exit code."""
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait(PATIENCE)

    @property
    def lines(self) -> list[str]:
        """What is on the screen, as far as our commands move its cursor: up, to the left, and erasing a line."""
        rows, row = [""], 0
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", self.shown):
            if part == "\n":
                row += 1
                rows += [""] * (row == len(rows))
            elif part == "\x1b[1A":
                row -= 1
            elif part == "\x1b[2K":
                rows[row] = ""
            elif part[0] not in "\x1b\r":
                rows[row] += part
        return [line.rstrip() for line in rows if line.strip()]

    def _read(self) -> bool:
        """Whether there was something to come; the end is when all who write have closed it."""
        ready, _, _ = select.select([self._ours], [], [], PATIENCE)
        assert ready, self.shown
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # nobody has the other end any more
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)

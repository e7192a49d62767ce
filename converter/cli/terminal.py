"""Streams that people and programs read: on a terminal or not, in any encoding, closed by their reader at any time."""

import codecs
import errno
import json
import logging
import os
import sys
from collections.abc import Iterable
from typing import IO, Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.logging import RichHandler
from rich.segment import Segment
from rich.text import Text

from converter.report.text import harmless
from converter.util.process import open_standard_streams

LONGEST_MESSAGE = 500  # characters

# what is shown of our own characters where an encoding lacks them; any other one becomes its Python escape
SPELLED = {"–": "-", "Δ": "d", "×": "x", "±": "+-", "…": "...", "∞": "inf", "→": "->"}


def spell(error: UnicodeError) -> tuple[str, int]:
    """An error handler for encoding, see :func:`codecs.register_error`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(SPELLED.get(char) or ascii(char)[1:-1] for char in text), error.end


def take_any_text() -> None:
    """stdout and stderr of this process take any text, whatever the encoding of the terminal."""
    codecs.register_error("spell", spell)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="spell")


class Lenient:
    """A text stream that may be closed, whose reader may go away, whose disk may be full: the run goes on all the same.

    Attributes:
        lost: why something that was written to it is lost; None where nothing is.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.lost: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        try:
            self.stream.write(text)
        except OSError as error:
            self._lose(error)
        return len(text)

    def flush(self) -> None:
        try:
            self.stream.flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        """From now on everything goes nowhere, what is still in a buffer first."""
        self.lost = self.lost or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.stream.fileno())
        os.close(nowhere)


def take_any_end() -> None:
    """stdout and stderr of this process may be closed, on either end; their numbers are taken then, by nothing."""
    open_standard_streams()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w")  # noqa: SIM115 as long as the process
        lenient = Lenient(stream)
        setattr(sys, name, lenient)
        setattr(sys, f"__{name}__", lenient)


def lost(stream: object) -> OSError | None:
    """Why something that was written to stdout or stderr is lost, although its reader had not had enough."""
    if isinstance(stream, Lenient):
        stream.flush()
        if stream.lost is not None and stream.lost.errno != errno.EPIPE:
            return stream.lost
    return None


def put(line: str, stream: IO[str] | None) -> None:
    """Print to a stream that may be closed."""
    if stream is not None:
        print(harmless(line), file=stream, flush=True)


def put_json(answer: object) -> None:
    """One JSON object on stdout."""
    put(json.dumps(answer, indent=2), sys.stdout)


def within(message: str, most: int = LONGEST_MESSAGE) -> str:
    """A message of at most so many characters: of a longer one the beginning, and the end, which says what to do.

    Characters are counted as they are shown.
    """
    message, half = harmless(message), most // 2
    return message if len(message) <= most else f"{message[: most - half - 3]} … {message[-half:]}"


class Short(logging.Formatter):
    """Log messages of at most :data:`LONGEST_MESSAGE` characters."""

    def format(self, record: logging.LogRecord) -> str:
        return within(super().format(record))


class Stream(Console):
    """A console that shows words as they are: a path such as ``a[/x]`` is no markup, ``:x:`` no picture.

    Control characters reach it from rich alone, which colours and moves; those in a text are shown as their escapes.
    """

    def __init__(self, **more: Any) -> None:
        super().__init__(markup=False, emoji=False, **more)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=harmless(segment.text))


class LogLines(RichHandler):
    """A message wrapped and indented on a terminal, and one line anywhere else, for who searches a log."""

    def emit(self, record: logging.LogRecord) -> None:
        if self.console.file.isatty():
            super().emit(record)
        else:
            self.console.print(Text(f"{record.levelname:8} {self.format(record)}"), soft_wrap=True, highlight=False)


def summary_console(as_json: bool) -> Console:
    """Where tables go: stdout, or stderr where stdout carries JSON."""
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    return Stream(stderr=as_json, width=None if on_terminal or "COLUMNS" in os.environ else 120)


def log_console() -> Console:
    """Where messages and progress go: one console, for a message has to be above the bar."""
    handlers = logging.getLogger().handlers
    consoles = [handler.console for handler in handlers if isinstance(handler, RichHandler)]
    return consoles[0] if consoles else Stream(stderr=True)


def shows_movement(console: Console) -> bool:
    """Whether somebody watches: no pipe, no file, no log of a CI, no terminal that cannot move its cursor."""
    ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    return console.is_terminal and console.file.isatty() and not console.is_dumb_terminal and not ci

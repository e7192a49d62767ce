"""Streams that people and programs read: on a terminal or not, in any encoding, closed by their reader at any time."""

import codecs
import json
import logging
import os
import sys
from collections.abc import Iterable
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.logging import RichHandler
from rich.segment import Segment
from rich.text import Text

from converter.report.text import harmless

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


def drop(stream: IO[str]) -> None:
    """Its reader has gone: what is written to it from now on is lost, and nobody is told."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def put(line: str, stream: IO[str] | None) -> None:
    """Print to a stream that may be closed, on either end."""
    if stream is None:
        return
    try:
        print(harmless(line), file=stream, flush=True)
    except BrokenPipeError:
        drop(stream)


def put_json(answer: object) -> None:
    """One JSON object on stdout."""
    put(json.dumps(answer, indent=2), sys.stdout)


class Stream(Console):
    """A console whose reader may go away (``| head -1``): the run goes on, and so does its verdict.

    Control characters reach it from rich alone, which colours and moves; those in a text are shown as their escapes.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=harmless(segment.text))

    def on_broken_pipe(self) -> None:
        drop(self.file)


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

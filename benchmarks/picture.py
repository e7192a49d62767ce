"""A command's run as an SVG: the real command in a pseudo-terminal, and what its screen shows at the end."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path

import pyte
from rich.console import CONSOLE_SVG_FORMAT, Console
from rich.style import Style
from rich.text import Text

WIDTH, HEIGHT = 140, 200
TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
LEFT_OUT = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "LT_DEBUG", "CI", "GITHUB_ACTIONS")
COLOURS = {"brown": "yellow"}  # pyte's names for what rich calls otherwise
# the letters come from the reader's own fonts: a picture that fetches some is not shown everywhere
FORM = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
FORM = FORM.replace(' clip-path="url(#{unique_id}-clip-terminal)"', "")  # which cuts underscores off in the last line


class CommandError(RuntimeError):
    """A command ended otherwise than expected; the text has its output."""


def screen_of(command: Sequence[str], cwd: Path, code: int = 0, width: int = WIDTH) -> list[Text]:
    """What the command leaves on a terminal, a line each.

    Raises:
        CommandError: when it does not end with ``code``.
    """
    screen = pyte.Screen(width, HEIGHT)
    stream = pyte.ByteStream(screen)
    ended = _run_in_terminal(command, cwd, width, stream)
    lines = [_line(screen, row) for row in range(HEIGHT)]
    while lines and not lines[-1].plain:
        lines.pop()
    if ended != code:
        shown = "\n".join(line.plain for line in lines)
        raise CommandError(f"{shown}\n{' '.join(command)}: exit code {ended}, expected {code}")
    return lines


def _run_in_terminal(command: Sequence[str], cwd: Path, width: int, stream: pyte.ByteStream) -> int:
    """Feed the stream with everything that the command writes; its exit code."""
    terminal, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, width, 0, 0))
    kept = {key: value for key, value in os.environ.items() if key not in LEFT_OUT}
    process = subprocess.Popen(
        command, cwd=cwd, env={**kept, **TERMINAL}, stdin=inner, stdout=inner, stderr=inner, start_new_session=True
    )
    os.close(inner)
    try:
        while data := os.read(terminal, 1 << 16):
            stream.feed(data)
    except OSError:  # nobody holds the other end any more
        pass
    finally:
        os.close(terminal)
    return process.wait()


def _line(screen: pyte.Screen, row: int) -> Text:
    line = Text()
    cells = screen.buffer[row]
    for column in range(screen.columns):
        cell = cells[column]
        line.append(cell.data, Style(color=_colour(cell.fg), bgcolor=_colour(cell.bg), bold=cell.bold or None))
    line.rstrip()
    return line


def _colour(name: str) -> str | None:
    if name == "default":
        return None
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return f"#{name}"
    bright = name.removeprefix("bright")
    return COLOURS.get(bright, bright) if bright == name else f"bright_{COLOURS.get(bright, bright)}"


def draw(file: Path, title: str, shown: Sequence[tuple[str, Sequence[Text]]], width: int = WIDTH) -> None:
    """Write an SVG.

    Args:
        shown: command lines as typed, and what each left on the terminal.
    """
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for typed, lines in shown:
        console.print(Text.assemble(("$ ", "dim"), (typed, "bold")))
        for line in lines:
            console.print(line, soft_wrap=True)
    svg = console.export_svg(title=title, code_format=FORM, unique_id="run")
    file.write_text(svg if svg.endswith("\n") else svg + "\n", encoding="utf-8")

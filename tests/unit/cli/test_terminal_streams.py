"""Characters that an encoding lacks or a terminal obeys, and when a bar is shown."""

import errno
import io
import logging
import os

import pytest
from rich.panel import Panel
from rich.text import Text

from converter.cli import terminal
from converter.cli.command import log_to_stderr
from converter.cli.terminal import SPELLED, Lenient, LogLines, Short, Stream, lost, put, shows_movement, within


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("ascii", "1-2 +-3 max |d| \\xfc \\udce4"), ("latin-1", "1-2 ±3 max |d| ü \\udce4")],
)
def test_what_an_encoding_lacks_is_spelled(encoding, shown, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(terminal.sys, "stdout", stream)
    terminal.take_any_text()
    put("1–2 ±3 max |Δ| ü \udce4", stream)
    assert stream.buffer.getvalue().decode(encoding) == shown + "\n"


HOSTILE = "a\x1b[31m\x07b\rc\x9b2Jd\x7f\u202ee\u2028f\u061c"
SHOWN = r"a\x1b[31m\x07b\rc\x9b2Jd\x7f\u202ee\u2028f\u061c"


def test_control_characters_are_shown_as_escapes():
    stream = io.StringIO()
    put(HOSTILE + "\tg\nh", stream)
    assert stream.getvalue() == SHOWN + "\tg\nh\n"


def test_a_console_has_no_control_characters_but_its_own():
    bold, file = Text("a\x1b[2Jb\x9bc\u202e", "bold"), io.StringIO()
    console = Stream(file=file, force_terminal=True, width=80)
    console.print(bold)
    console.print("plain \x1b]0;owned", markup=False, highlight=False)
    console.print(Panel(Text("in\x1b[1m")))
    shown = file.getvalue()
    assert "\x1b[1ma" + r"\x1b[2Jb\x9bc\u202e" + "\x1b[0m\n" in shown
    assert r"plain \x1b]0;owned" in shown
    assert r"in\x1b[1m" in shown
    assert not {*"\x9b\u202e"} & {*shown}
    assert "\x1b]" not in shown


def test_what_is_logged_has_none_either(capsys):
    logger = logging.getLogger("converter")
    before = logging.getLogger().handlers[:], logger.level
    try:
        log_to_stderr(verbose=False, quiet=False)
        logger.warning("a file called %s", "\x1b[2J.pth")
    finally:
        logging.getLogger().handlers[:] = before[0]
        logger.setLevel(before[1])
    assert r"\x1b[2J.pth" in capsys.readouterr().err


def test_spellings_are_ascii():
    assert all(text.isascii() for text in SPELLED.values())


def test_a_stream_that_is_closed_is_no_error():
    put("line", None)


@pytest.mark.parametrize("forced", ["0", "1"])
def test_a_file_shows_no_movement(forced, monkeypatch, tmp_path):
    monkeypatch.setenv("FORCE_COLOR", forced)
    with (tmp_path / "log").open("w") as file:
        assert not shows_movement(Stream(file=file))


def test_a_message_in_a_file_is_one_line(tmp_path):
    said = "the sha256 of [this] file begins with 131cef5ae5cf, " * 8
    with (tmp_path / "log").open("w") as file:
        LogLines(console=Stream(file=file)).emit(logging.LogRecord("converter", logging.WARNING, "", 0, said, (), None))
    assert (tmp_path / "log").read_text() == f"WARNING  {said}\n"


def test_a_message_ends_at_500_characters_and_keeps_its_end():
    message = f"config {'n' * 5000}: no such file; pass another one"
    assert within("short") == "short"
    assert len(within(message)) == 500
    assert within(message).startswith("config nnn")
    assert within(message).endswith("nnn: no such file; pass another one")
    assert len(within("\x1b" * 400)) == 500  # as they are shown
    record = logging.LogRecord("converter", logging.WARNING, "", 0, "%s", (message,), None)
    assert Short("%(message)s").format(record) == within(message)


def test_a_stream_that_cannot_be_written_is_lost_once_and_for_all():
    with open("/dev/full", "w") as full:
        stream = Lenient(full)
        assert lost(stream) is None
        print("a line", file=stream)
        assert lost(stream).errno == errno.ENOSPC
        print("another", file=stream, flush=True)
        assert os.path.samestat(os.fstat(full.fileno()), os.stat(os.devnull))

"""Characters that an encoding lacks, and when a bar is shown."""

import errno
import io
import logging
import os

import pytest

from converter.cli import terminal
from converter.cli.terminal import SPELLED, Lenient, Short, Stream, lost, put, shows_movement, within


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


def test_spellings_are_ascii():
    assert all(text.isascii() for text in SPELLED.values())


def test_a_stream_that_is_closed_is_no_error():
    put("line", None)


@pytest.mark.parametrize("forced", ["0", "1"])
def test_a_file_shows_no_movement(forced, monkeypatch, tmp_path):
    monkeypatch.setenv("FORCE_COLOR", forced)
    with (tmp_path / "log").open("w") as file:
        assert not shows_movement(Stream(file=file))


def test_a_message_ends_at_500_characters_and_keeps_its_end():
    message = f"config {'n' * 5000}: no such file; pass another one"
    assert within("short") == "short"
    assert len(within(message)) == 500
    assert within(message).startswith("config nnn")
    assert within(message).endswith("nnn: no such file; pass another one")
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

"""Characters that an encoding lacks, and when a bar is shown."""

import io
import logging

import pytest

from converter.cli import terminal
from converter.cli.terminal import SPELLED, LogLines, Stream, put, shows_movement


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


def test_a_message_in_a_file_is_one_line(tmp_path):
    said = "the sha256 of [this] file begins with 131cef5ae5cf, " * 8
    with (tmp_path / "log").open("w") as file:
        LogLines(console=Stream(file=file)).emit(logging.LogRecord("converter", logging.WARNING, "", 0, said, (), None))
    assert (tmp_path / "log").read_text() == f"WARNING  {said}\n"

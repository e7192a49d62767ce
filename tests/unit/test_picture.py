"""The picture of a run: what a command leaves on a terminal, as an SVG."""

import re
import sys

import pytest

from benchmarks.picture import CommandError, draw, screen_of

COLOURED = """
import os, sys
assert sys.stdout.isatty() and sys.stderr.isatty() and "NO_COLOR" not in os.environ
print("working...", end="\\r", file=sys.stderr, flush=True)
print("\\33[K\\33[1;32mverified\\33[0m", os.get_terminal_size().columns, "\\33[33mé × 2\\33[0m")
sys.exit(int(sys.argv[1]))
"""


def test_the_screen_is_what_stays_on_a_terminal(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    (line,) = screen_of([sys.executable, "-c", COLOURED, "0"], tmp_path, width=90)
    assert line.plain == "verified 90 é × 2"
    style = {str(span.style) for span in line.spans if line.plain[span.start : span.end] == "v"}
    assert style == {"bold green"}


def test_the_picture_has_the_command_and_its_lines(tmp_path):
    lines = screen_of([sys.executable, "-c", COLOURED, "0"], tmp_path)
    draw(tmp_path / "a.svg", "a title", [("a command", lines)])
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    shown = re.sub(r"<style>.*?</style>|<[^>]+>|\s|&#160;", "", svg, flags=re.DOTALL)
    assert shown.startswith("atitle")
    assert "acommandverified140é×2" in shown
    assert "@font-face" not in svg
    assert "#run-clip-terminal" not in svg  # it cuts the last line


def test_a_command_that_fails_is_not_drawn(tmp_path):
    with pytest.raises(CommandError, match=r"(?s)verified 140 é × 2\n.* 3: exit code 3, expected 0"):
        screen_of([sys.executable, "-c", COLOURED, "3"], tmp_path)
    assert screen_of([sys.executable, "-c", COLOURED, "3"], tmp_path, code=3)

"""OpenCV is reached in one place; without it the option that needs it is named."""

import sys

import pytest

from converter.errors import DependencyError
from converter.util.opencv import opencv


def test_opencv_keeps_its_messages_to_itself(monkeypatch):
    monkeypatch.delenv("OPENCV_FFMPEG_LOGLEVEL", raising=False)
    cv2 = opencv()
    assert cv2.utils.logging.getLogLevel() == cv2.utils.logging.LOG_LEVEL_SILENT


def test_without_it_the_option_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(
        DependencyError,
        match=r"--annotate needs .* \(cv2\), not installed here: pip install .*\[clip\]",
    ):
        opencv("--annotate")


def test_one_that_is_broken_says_why(tmp_path, monkeypatch):
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    with pytest.raises(
        DependencyError,
        match=r"--clip needs .* \(cv2\), which cannot be imported here \(libGL\.so\.1: cannot",
    ):
        opencv()

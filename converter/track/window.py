"""A window with frames, in which a box can be drawn; only the OpenCV wheel with a GUI has any.

As a program it opens a window and closes it: where that cannot be done, some builds of OpenCV end their process.
"""

import os
import subprocess
import sys

import numpy as np

from converter.errors import DependencyError, UsageError
from converter.proof.boxes import Box
from converter.util.opencv import opencv
from converter.util.process import AWAY, python_environment, python_module

TITLE = "lt-track: q ends it"
DRAW = "lt-track: draw the target, then Enter"
NO_GUI = 3  # exit code of the trial
PATIENCE = 30.0  # seconds for the trial
LARGEST = 1600, 900  # of a window, in pixels
_ENDS = {ord("q"), ord("Q"), 27}


def check_window(option: str) -> None:
    """Refuse before any work is done.

    Args:
        option: what wants a window.

    Raises:
        DependencyError: when this OpenCV has no windows, or nothing here shows them.
    """
    opencv(option)
    try:
        trial = subprocess.run(
            python_module(__name__),
            cwd=AWAY,
            capture_output=True,
            timeout=PATIENCE,
            env=python_environment(),
            check=False,
        )
        code, said = trial.returncode, _first_line(trial.stderr.decode(errors="replace"))
    except subprocess.TimeoutExpired:
        code, said = 1, f"the display did not answer within {PATIENCE:g} s"
    if code == NO_GUI:
        raise DependencyError(
            f"{option} needs a window, which opencv-python-headless (cv2) cannot open: "
            "pip uninstall -y opencv-python-headless && pip install opencv-python"
        )
    if code:
        displays = ("DISPLAY", "WAYLAND_DISPLAY")
        no_display = sys.platform == "linux" and not any(map(os.environ.get, displays))
        reason = f"neither {' nor '.join(displays)} is set" if no_display else said or f"exit code {code}"
        raise DependencyError(f"{option} needs a window, and no display can be used here ({reason})")


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


class Window:
    """Frames as they are tracked; who looks at them may end it with q, Escape, or by closing the window.

    Args:
        option: what wants it.
    """

    def __init__(self, option: str) -> None:
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # about fonts, once for every window
        self._cv2 = opencv(option)
        self._shown = False

    def draw_box(self, frame: np.ndarray) -> Box:
        """The box that is drawn around the target in a frame, (H, W, 3) uint8 RGB.

        Raises:
            UsageError: when none is drawn.
        """
        self._open(DRAW, frame)
        x, y, w, h = self._cv2.selectROI(DRAW, np.ascontiguousarray(frame[..., ::-1]), False, False, False)
        self._cv2.destroyWindow(DRAW)
        if not w or not h:
            raise UsageError("no box was drawn: draw one with the mouse and press Enter, or pass --box x,y,w,h")
        return Box(float(x), float(y), float(w), float(h))

    def show(self, picture: np.ndarray) -> bool:
        """Show a drawn frame; false when there shall be no more."""
        if not self._shown:
            self._open(TITLE, picture)
            self._shown = True
        self._cv2.imshow(TITLE, np.ascontiguousarray(picture[..., ::-1]))
        key = self._cv2.waitKey(1) & 0xFF
        return key not in _ENDS and self._cv2.getWindowProperty(TITLE, self._cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        if self._shown:
            self._cv2.destroyAllWindows()
            self._shown = False

    def _open(self, title: str, picture: np.ndarray) -> None:
        """As large as the picture, or as fits."""
        height, width = picture.shape[:2]
        scale = min(1.0, LARGEST[0] / width, LARGEST[1] / height)
        self._cv2.namedWindow(title, self._cv2.WINDOW_NORMAL | self._cv2.WINDOW_KEEPRATIO | self._cv2.WINDOW_GUI_NORMAL)
        self._cv2.resizeWindow(title, max(1, round(width * scale)), max(1, round(height * scale)))


def main() -> None:
    """Open a window and close it; ends with :data:`NO_GUI` where this OpenCV has none."""
    cv2 = opencv()
    try:
        cv2.namedWindow("trial")
        cv2.waitKey(1)
        cv2.destroyAllWindows()
    except cv2.error as error:
        if "not implemented" in str(error):
            sys.exit(NO_GUI)
        raise


if __name__ == "__main__":
    main()

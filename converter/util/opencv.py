"""The only place that imports OpenCV."""

import os
from types import ModuleType

from converter.errors import DependencyError

_QUIET = "-8"  # AV_LOG_QUIET


def opencv(option: str = "--clip") -> ModuleType:
    """OpenCV, told to keep its own and FFmpeg's messages to itself: what matters of them we say ourselves.

    Args:
        option: what needs it.

    Raises:
        DependencyError: when it is not installed, or does not import.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _QUIET)  # read when the first video is opened
    try:
        import cv2
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name in (None, "cv2"):
            raise DependencyError(
                f"{option} needs OpenCV, not installed here: pip install opencv-python-headless"
            ) from None
        raise DependencyError(
            f"{option} needs OpenCV, which does not import here ({error}): pip install opencv-python-headless"
        ) from None
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2

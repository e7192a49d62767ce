"""The only place that imports OpenCV."""

import os
from types import ModuleType

from converter.util.packages import importing

_QUIET = "-8"  # AV_LOG_QUIET
LARGEST_PICTURE = 1 << 26  # pixels, 8192 x 8192


def opencv(option: str = "--clip") -> ModuleType:
    """OpenCV, told to keep its own and FFmpeg's messages to itself: what matters of them we say ourselves.

    Args:
        option: what needs it.

    Raises:
        DependencyError: when it is not installed, or does not import.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _QUIET)  # read when the first video is opened
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(LARGEST_PICTURE))  # looked at before decoding
    with importing(option):
        import cv2
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2

"""The frames of a clip, one at a time: a video, a folder of pictures, or a pattern such as ``img_%04d.png``."""

import logging
import math
import os
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from converter.errors import UsageError
from converter.util.opencv import LARGEST_PICTURE, opencv
from converter.util.paths import read_bytes, why_no_file

log = logging.getLogger(__name__)

LONGEST_NAME = 255  # of a file
PICTURES = (".bmp", ".jpeg", ".jpg", ".jp2", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
# Containers often only estimate how many frames they hold; a larger share missing is damage.
MISSING_SHARE = 0.02
TOO_LARGE = f"a picture of more than {LARGEST_PICTURE:,} pixels, expected fewer; make it smaller"
LARGEST_FPS = 1000.0

Frames = Generator[np.ndarray, None, None]
Named = Generator[tuple[str, np.ndarray], None, None]


@dataclass(frozen=True)
class Clip:
    """A clip whose beginning could be read.

    Attributes:
        path: as the user gave it.
        size: (width, height) in pixels, of every frame.
        fps: frames per second; None when unknown.
        frames: reads the clip from its beginning: (H, W, 3) uint8 RGB, a new array each.
        length: how many there are, as far as the file says; 0 when unknown.
    """

    path: Path
    size: tuple[int, int]
    fps: float | None
    frames: Callable[[], Frames]
    length: int = 0

    @property
    def name(self) -> str:
        return self.path.name or str(self.path)


def open_clip(path: Path) -> Clip:
    """Look at a clip's first frames; the rest is read when it is asked for.

    Raises:
        UsageError: when it is missing, unreadable or too short. :attr:`Clip.frames` raises it for a frame
            that is broken or of another size, and for a video that ends long before its end.
        DependencyError: without OpenCV.
    """
    opencv()
    if os.path.isdir(path):
        return _of_pictures(path, _pictures_in(path))
    if not os.path.lexists(path) and re.search(r"%0?\d*d", path.name):
        return _of_pictures(path, _pictures_like(path))
    if reason := why_no_file(path):
        raise UsageError(f"--clip {path}: {reason.replace('no such file', 'no such file or folder')}")
    return _of_video(path)


def natural(path: Path) -> tuple[list[int | str], str]:
    """Sorts frame 2 before frame 10."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [int(part) if part.isdecimal() else part for part in parts], path.name


def _of_pictures(path: Path, files: Sequence[Path]) -> Clip:
    return _checked(path, lambda: ((file.name, _picture(path, file)) for file in files), None, len(files))


def _pictures_in(folder: Path) -> list[Path]:
    try:
        files = [file for file in folder.iterdir() if file.suffix.lower() in PICTURES and os.path.isfile(file)]
    except OSError as error:
        raise UsageError(f"--clip {folder}: {error.strerror}") from None
    files = [file for file in files if not file.name.startswith(".")]
    if not files:
        raise UsageError(f"--clip {folder}: no pictures in this folder, expected {', '.join(PICTURES)}")
    return sorted(files, key=natural)


def _pictures_like(pattern: Path) -> list[Path]:
    """The files of a printf pattern by their number; a number left out would go unnoticed, so it is refused."""
    before, digits, after = re.split(r"%0?(\d*)d", pattern.name, maxsplit=1)
    shape = re.compile(re.escape(before) + rf"([0-9]{{{min(int(digits or 1), LONGEST_NAME)},}})" + re.escape(after))
    try:
        files = {int(match[1]): file for file in pattern.parent.iterdir() if (match := shape.fullmatch(file.name))}
    except OSError as error:
        raise UsageError(f"--clip {pattern}: {error.strerror}") from None
    if not files:
        raise UsageError(f"--clip {pattern}: no file has a name like that")
    numbers = sorted(files)
    missing = [number + 1 for number in numbers[:-1] if number + 1 not in files]
    if missing:
        raise UsageError(f"--clip {pattern}: number {missing[0]} is missing between {numbers[0]} and {numbers[-1]}")
    return [files[number] for number in numbers]


def _picture(path: Path, file: Path) -> np.ndarray:
    cv2 = opencv()
    try:
        data = np.frombuffer(read_bytes(file), np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except OSError as error:
        raise UsageError(f"--clip {path}: {file.name}: {error.strerror}") from None
    except cv2.error as error:
        if "MAX_IMAGE" in str(error):
            raise UsageError(f"--clip {path}: {file.name}: {TOO_LARGE}") from None
        pixels = None  # an empty file
    if pixels is None:
        raise UsageError(f"--clip {path}: {file.name} is not a whole picture that OpenCV can read")
    picture: np.ndarray = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return picture


def _of_video(path: Path) -> Clip:
    cv2 = opencv()
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise UsageError(f"--clip {path}: not a video that OpenCV can read")
        if capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT) > LARGEST_PICTURE:
            raise UsageError(f"--clip {path}: {TOO_LARGE}")
        declared, fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    finally:
        capture.release()
    declared = int(declared) if math.isfinite(declared) and declared >= 1 else 0
    fps = float(fps) if math.isfinite(fps) and 0 < fps <= LARGEST_FPS else None
    return _checked(path, lambda: _video_frames(path, declared), fps, declared)


def _video_frames(path: Path, declared: int) -> Named:
    """``declared``: the number of frames that the container says; 0 where it says none."""
    cv2 = opencv()
    capture = cv2.VideoCapture(str(path))
    read = 0
    try:
        while True:
            more, pixels = capture.read()
            if not more:
                break
            read += 1
            yield f"frame {read - 1}", cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    except cv2.error as error:
        raise UsageError(f"--clip {path}: frame {read} cannot be read ({' '.join(str(error.err).split())})") from None
    finally:
        capture.release()
    missing = declared - read
    if missing > max(1, MISSING_SHARE * declared):
        raise UsageError(
            f"--clip {path}: {read} of {declared} frames could be read; the file is damaged or was cut short"
        )
    if missing > 0:
        log.warning("--clip %s: %d frames could be read, the file says it holds %d", path, read, declared)


def _checked(path: Path, read: Callable[[], Named], fps: float | None, length: int) -> Clip:
    """A clip of at least two frames; every frame is compared with the first's size."""
    with closing(read()) as beginning:
        shapes = [frame.shape for _, frame in islice(beginning, 2)]
    if len(shapes) < 2:
        read_so_far = "one frame" if shapes else "no frame"
        raise UsageError(
            f"--clip {path}: {read_so_far} in it, expected two or more: the first is given, the others are tracked"
        )
    height, width, _ = shapes[0]

    def frames() -> Frames:
        for name, frame in read():
            if frame.shape != (height, width, 3):
                raise UsageError(
                    f"--clip {path}: {name} has {frame.shape[1]}x{frame.shape[0]} pixels, "
                    f"the first {width}x{height}; expected one size"
                )
            yield frame

    return Clip(path=path, size=(width, height), fps=fps, frames=frames, length=length)

"""The frames of a clip, one at a time: a video, a folder of pictures, or a pattern such as ``img_%04d.png``.

Messages begin with what names the clip: an option, or an argument's name in words.
"""

import logging
import math
import os
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from converter.errors import UsageError
from converter.spec.arguments import AnyPath, expanded
from converter.util.opencv import LARGEST_PICTURE, opencv
from converter.util.paths import read_bytes, why_no_file

log = logging.getLogger(__name__)

LONGEST_NAME = 255  # of a file
PICTURES = (".bmp", ".jpeg", ".jpg", ".jp2", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
# Containers often only estimate how many frames they hold; a larger share missing is damage.
MISSING_SHARE = 0.02
TOO_LARGE = f"a picture of more than {LARGEST_PICTURE:,} pixels, expected fewer; make it smaller"
LARGEST_FPS = 1000.0
MOST_FRAMES = 2**31
_CAMERA = re.compile(r"[0-9]{1,3}")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

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
        live: whether it is a camera or an address, whose frames can be read once.
    """

    path: Path
    size: tuple[int, int]
    fps: float | None
    frames: Callable[[], Frames]
    length: int = 0
    live: bool = False

    @property
    def name(self) -> str:
        return self.path.name or str(self.path)


def open_clip(path: Path, option: str = "--clip") -> Clip:
    """Look at a clip's first frames; the rest is read when it is asked for.

    Args:
        option: that names it.

    Raises:
        UsageError: when it is missing, unreadable or too short. :attr:`Clip.frames` raises it for a frame
            that is broken or of another size, and for a video that ends long before its end.
        DependencyError: without OpenCV.
    """
    opencv(option)
    named = f"{option} {path}"
    if os.path.isdir(path):
        return _of_pictures(path, _pictures_in(path, named), named)
    if not os.path.lexists(path) and re.search(r"%0?\d*d", path.name):
        return _of_pictures(path, _pictures_like(path, named), named)
    if reason := why_no_file(path):
        raise UsageError(f"{named}: {reason.replace('no such file', 'no such file or folder')}")
    if not os.path.getsize(path):  # also what has none, as in /proc, for which OpenCV would wait
        raise UsageError(f"{named}: is empty, expected a video")
    return _of_video(path, named)


def open_source(given: AnyPath, option: str) -> Clip:
    """As :func:`open_clip`; of a text also a camera by its number, and an address, ``rtsp://…``, that OpenCV opens.

    A file or a folder that is called like either is that file or folder.
    """
    text = str(given)
    if isinstance(given, str) and not os.path.lexists(text):
        if _CAMERA.fullmatch(text):
            return _live(int(text), f"camera {text}", "is it there, and not used by another program?", option)
        if _ADDRESS.match(text):
            return _live(text, f"{option} {text}", "does somebody send there, and can this OpenCV read it?", option)
    return open_clip(expanded(given), option)


def _live(source: int | str, named: str, advice: str, option: str) -> Clip:
    """What is opened once: the first frame is read here, the others follow it."""
    cv2 = opencv(option)
    capture = cv2.VideoCapture(source)
    opened = capture.isOpened()
    pixels: np.ndarray | None = capture.read()[1] if opened else None
    if pixels is None:
        capture.release()
        raise UsageError(f"{named}: {'gives no frame' if opened else 'cannot be opened'}; {advice}")
    declared, fps = _declared(cv2, capture)
    first: list[np.ndarray] = [cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)]
    shape = first[0].shape

    def frames() -> Frames:
        for name, frame in _numbered(capture, declared, named, first):
            yield _of_size(frame, shape, named, name)

    return Clip(Path(str(source)), (shape[1], shape[0]), fps, frames, declared, live=True)


def natural(path: Path) -> tuple[list[int | str], str]:
    """Sorts frame 2 before frame 10."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [int(part) if part.isdecimal() else part for part in parts], path.name


def _of_pictures(path: Path, files: Sequence[Path], named: str) -> Clip:
    return _checked(path, lambda: ((file.name, _picture(file, named)) for file in files), None, len(files), named)


def _pictures_in(folder: Path, named: str) -> list[Path]:
    try:
        files = [file for file in folder.iterdir() if file.suffix.lower() in PICTURES and os.path.isfile(file)]
    except OSError as error:
        raise UsageError(f"{named}: {error.strerror}") from None
    files = [file for file in files if not file.name.startswith(".")]
    if not files:
        raise UsageError(f"{named}: no pictures in this folder, expected {', '.join(PICTURES)}")
    return sorted(files, key=natural)


def _pictures_like(pattern: Path, named: str) -> list[Path]:
    """The files of a printf pattern by their number; a number left out would go unnoticed, so it is refused."""
    before, digits, after = re.split(r"%0?(\d*)d", pattern.name, maxsplit=1)
    shape = re.compile(re.escape(before) + rf"([0-9]{{{min(int(digits or 1), LONGEST_NAME)},}})" + re.escape(after))
    try:
        files = {int(match[1]): file for file in pattern.parent.iterdir() if (match := shape.fullmatch(file.name))}
    except OSError as error:
        raise UsageError(f"{named}: {error.strerror}") from None
    if not files:
        raise UsageError(f"{named}: no file has a name like that")
    numbers = sorted(files)
    missing = [number + 1 for number in numbers[:-1] if number + 1 not in files]
    if missing:
        raise UsageError(f"{named}: number {missing[0]} is missing between {numbers[0]} and {numbers[-1]}")
    return [files[number] for number in numbers]


def _picture(file: Path, named: str) -> np.ndarray:
    cv2 = opencv()
    try:
        data = np.frombuffer(read_bytes(file), np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except OSError as error:
        raise UsageError(f"{named}: {file.name}: {error.strerror}") from None
    except cv2.error as error:
        if "MAX_IMAGE" in str(error):
            raise UsageError(f"{named}: {file.name}: {TOO_LARGE}") from None
        pixels = None  # an empty file
    if pixels is None:
        raise UsageError(f"{named}: {file.name} is not a whole picture that OpenCV can read")
    picture: np.ndarray = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return picture


def _of_video(path: Path, named: str) -> Clip:
    cv2 = opencv()
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise UsageError(f"{named}: not a video that OpenCV can read")
        if capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT) > LARGEST_PICTURE:
            raise UsageError(f"{named}: {TOO_LARGE}")
        declared, fps = _declared(cv2, capture)
    finally:
        capture.release()
    return _checked(path, lambda: _video_frames(path, declared, named), fps, declared, named)


def _declared(cv2: ModuleType, capture: Any) -> tuple[int, float | None]:
    """How many frames a video says it has, 0 where it says nothing, and how many a second, None likewise.

    An MPEG stream says nothing, of which OpenCV makes 1.
    """
    declared, fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    number = int(declared) if math.isfinite(declared) and 1 < declared < MOST_FRAMES else 0
    return number, float(fps) if math.isfinite(fps) and 0 < fps <= LARGEST_FPS else None


def _video_frames(path: Path, declared: int, named: str) -> Named:
    return _numbered(opencv().VideoCapture(str(path)), declared, named)


def _numbered(capture: Any, declared: int, named: str, first: Sequence[np.ndarray] = ()) -> Named:
    """The frames of an open video, by their number; it is closed behind them.

    Args:
        declared: the number of frames that the container says; 0 where it says none.
        first: frames that were read already.
    """
    cv2 = opencv()
    read = len(first)
    try:
        yield from ((f"frame {index}", frame) for index, frame in enumerate(first))
        while True:
            more, pixels = capture.read()
            if not more:
                break
            read += 1
            yield f"frame {read - 1}", cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    except cv2.error as error:
        raise UsageError(f"{named}: frame {read} cannot be read ({' '.join(str(error.err).split())})") from None
    finally:
        capture.release()
    missing = declared - read
    if missing > max(1, MISSING_SHARE * declared):
        raise UsageError(f"{named}: {read} of {declared} frames could be read; the file is damaged or was cut short")
    if missing > 0:
        log.warning("%s: %d frames could be read, the file says it holds %d", named, read, declared)


def _checked(path: Path, read: Callable[[], Named], fps: float | None, length: int, named: str) -> Clip:
    """A clip of at least two frames; every frame is compared with the first's size."""
    with closing(read()) as beginning:
        shapes = [frame.shape for _, frame in islice(beginning, 2)]
    if len(shapes) < 2:
        read_so_far = "one frame" if shapes else "no frame"
        raise UsageError(
            f"{named}: {read_so_far} in it, expected two or more: the first is given, the others are tracked"
        )
    height, width, _ = shapes[0]

    def frames() -> Frames:
        for name, frame in read():
            yield _of_size(frame, shapes[0], named, name)

    return Clip(path=path, size=(width, height), fps=fps, frames=frames, length=length)


def _of_size(frame: np.ndarray, shape: tuple[int, ...], named: str, name: str) -> np.ndarray:
    if frame.shape != shape:
        raise UsageError(
            f"{named}: {name} has {frame.shape[1]}x{frame.shape[0]} pixels, the first {shape[1]}x{shape[0]}; "
            "expected one size"
        )
    return frame

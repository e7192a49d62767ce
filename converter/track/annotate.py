"""Drawn frames as a video or as a folder of pictures, put in place when all of them are written."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np

from converter.errors import ConversionError, DependencyError, UsageError
from converter.track.frames import PICTURES, Clip
from converter.util.atomic import missing_parents, obstacle, obstacle_to_file, remove_empty, replacing
from converter.util.opencv import opencv
from converter.util.paths import open_file, why_unusable

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
# Names that ask for a file, which a folder should not silently be called.
OTHER_FILES = (*PICTURES, ".gif", ".m4v", ".mkv", ".mov", ".mpeg", ".mpg", ".ogv", ".ts", ".webm", ".wmv", ".zip")
DEFAULT_FPS = 25.0
# Written into every picture and video, so that a later run knows them for ours and may replace them.
MARK = "lighttrack-export"
_OWN_NAME = re.compile(r"[0-9]{6,}\.png")
_MARK_WITHIN = 256  # bytes from a picture's beginning

Write = Callable[[np.ndarray], None]


def check_annotate(target: Path, clip: Clip, option: str = "--annotate") -> None:
    """Refuse a target that could not be written, or that holds something else, before any work is done.

    Args:
        option: that names it.

    Raises:
        UsageError: naming what stands in the way.
    """
    if reason := _obstacle(target, clip):
        raise UsageError(f"{option} {target}: {reason}")


def _obstacle(target: Path, clip: Clip) -> str | None:
    suffix, expected = target.suffix.lower(), f"expected a folder, or a name ending in {' or '.join(CODECS)}"
    if suffix in OTHER_FILES:
        return expected
    if suffix in CODECS:
        return _is_clip(target, clip) or obstacle_to_file(target, MARK.encode(), parents=True)
    if problem := why_unusable(target):
        return problem
    if os.path.exists(target):
        if not os.path.isdir(target):
            return f"is a file; {expected}"
        if foreign := foreign_files(target):
            return (
                f"holds {foreign!r}, which was not drawn here; nothing was touched: "
                "move it away or choose another folder"
            )
    return _is_clip(target, clip) or obstacle(target, parents=True)


def _is_clip(target: Path, clip: Clip) -> str | None:
    if clip.live:
        return None
    source = clip.path if os.path.exists(clip.path) else clip.path.parent
    return "is the clip itself" if os.path.exists(target) and os.path.samefile(target, source) else None


def foreign_files(folder: Path) -> str | None:
    """A name in the folder that no run of ours has drawn, or None."""
    for path in sorted(folder.iterdir()):
        if not (_OWN_NAME.fullmatch(path.name) and path.is_file() and _marked(path)):
            return path.name
    return None


@contextmanager
def annotation(target: Path, clip: Clip, option: str = "--annotate") -> Iterator[Write]:
    """Within the block, ``write(picture)`` adds a frame, (H, W, 3) uint8 RGB of one size.

    The result appears when the block ends well; when it does not, or nothing was written, what was there
    before stays.

    Args:
        option: that names the target.

    Raises:
        UsageError: for a target that cannot be used.
        DependencyError: when OpenCV has no codec for it.
        ConversionError: when the frames cannot be written.
    """
    check_annotate(target, clip, option)
    made = missing_parents(target.resolve())
    try:
        target.resolve().parent.mkdir(parents=True, exist_ok=True)
        video = target.suffix.lower() in CODECS
        with replacing(target) as draft, _video(draft, target, clip, option) if video else _pictures(draft) as write:
            yield write
    except OSError as error:
        raise ConversionError(f"{option} {target}: cannot write {error.filename or target}: {error.strerror}") from None
    finally:
        remove_empty(made)


@contextmanager
def _video(draft: Path, target: Path, clip: Clip, option: str) -> Iterator[Write]:
    """A video file; the first frame's size is the video's. Its frames are counted in the end: OpenCV says nothing when
    a disk is full."""
    cv2, codec, written = opencv(option), CODECS[target.suffix.lower()], 0
    writer = cv2.VideoWriter()

    def write(picture: np.ndarray) -> None:
        nonlocal writer, written
        if not written:
            height, width = picture.shape[:2]
            fourcc, fps = cv2.VideoWriter_fourcc(*codec), clip.fps or DEFAULT_FPS
            writer = cv2.VideoWriter(str(draft), fourcc, fps, (width, height))
            if not writer.isOpened():
                raise DependencyError(
                    f"{option} {target}: this OpenCV cannot write {codec} video of {width}x{height} pixels; "
                    "name a folder for pictures instead"
                )
        writer.write(np.ascontiguousarray(picture[..., ::-1]))
        written += 1

    try:
        yield write
    finally:
        writer.release()
    if written:
        capture = cv2.VideoCapture(str(draft))
        readable = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
        if readable != written:
            raise ConversionError(
                f"{option} {target}: the video came out with {readable} of {written} frames; is the disk full?"
            )
        _mark_video(draft)


def _mark_video(path: Path) -> None:
    """Put the mark behind everything else, in a part that players pass over."""
    mark = MARK.encode() + b"\0" * (len(MARK) % 2)
    size = 8 + len(mark)
    mp4, avi = size.to_bytes(4, "big") + b"free", b"JUNK" + len(mark).to_bytes(4, "little")
    with path.open("ab") as file:
        file.write((mp4 if path.suffix.lower() == ".mp4" else avi) + mark)


@contextmanager
def _pictures(draft: Path) -> Iterator[Write]:
    """A folder of PNG files, numbered from 000000."""
    from PIL import Image  # not before something is drawn
    from PIL.PngImagePlugin import PngInfo

    mark, numbers = PngInfo(), count()
    mark.add_text("Software", MARK)

    def write(picture: np.ndarray) -> None:
        draft.mkdir(exist_ok=True)
        Image.fromarray(picture).save(draft / f"{next(numbers):06}.png", pnginfo=mark, compress_level=2)

    yield write


def _marked(path: Path) -> bool:
    with open_file(path) as reader:
        return MARK.encode() in reader.read(_MARK_WITHIN)

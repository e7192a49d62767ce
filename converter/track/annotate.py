"""Drawn frames as a video or as a folder of pictures, put in place when all of them are written."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from converter.errors import ConversionError, DependencyError, UsageError
from converter.track.frames import PICTURES, Clip
from converter.util.atomic import missing_parents, obstacle, remove_empty, replacing
from converter.util.opencv import opencv

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
# Names that ask for a file, which a folder should not silently be called.
OTHER_FILES = (*PICTURES, ".gif", ".m4v", ".mkv", ".mov", ".mpeg", ".mpg", ".ogv", ".ts", ".webm", ".wmv", ".zip")
DEFAULT_FPS = 25.0
# Written into every picture, so that a later run knows them for ours and may replace them.
MARK = "lighttrack-export"
_OWN_NAME = re.compile(r"[0-9]{6,}\.png")
_MARK_WITHIN = 256  # bytes from a picture's beginning

Write = Callable[[np.ndarray], None]


def check_annotate(target: Path, clip: Clip) -> None:
    """Refuse a target that could not be written, or that holds something else, before any work is done.

    Raises:
        UsageError: naming what stands in the way.
    """
    if target.suffix.lower() in OTHER_FILES:
        raise UsageError(f"--annotate {target}: expected a folder, or a name ending in {' or '.join(CODECS)}")
    if target.suffix.lower() in CODECS:
        if target.is_dir():
            raise UsageError(f"--annotate {target}: is a folder, expected a video file to write")
    elif target.exists() and not target.is_dir():
        raise UsageError(
            f"--annotate {target}: is a file; expected a folder, or a name ending in {' or '.join(CODECS)}"
        )
    elif target.is_dir() and (foreign := foreign_files(target)):
        raise UsageError(
            f"--annotate {target}: holds {foreign!r}, which was not drawn here; nothing was touched: "
            "move it away or choose another folder"
        )
    source = clip.path if clip.path.exists() else clip.path.parent
    if target.exists() and target.samefile(source):
        raise UsageError(f"--annotate {target}: is the clip itself")
    if reason := obstacle(target, parents=True):
        raise UsageError(f"--annotate {target}: {reason}")


def foreign_files(folder: Path) -> str | None:
    """A name in the folder that no run of ours has drawn, or None."""
    for path in sorted(folder.iterdir()):
        if not (_OWN_NAME.fullmatch(path.name) and path.is_file() and _marked(path)):
            return path.name
    return None


@contextmanager
def annotation(target: Path, clip: Clip) -> Iterator[Write]:
    """Within the block, ``write(picture)`` adds a frame, (H, W, 3) uint8 RGB of one size.

    The result appears when the block ends well; when it does not, or nothing was written, what was there
    before stays.

    Raises:
        UsageError: for a target that cannot be used.
        DependencyError: when OpenCV has no codec for it.
        ConversionError: when the frames cannot be written.
    """
    check_annotate(target, clip)
    made = missing_parents(target.resolve())
    try:
        target.resolve().parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as draft:
            writer = _Video(draft, target, clip.fps) if target.suffix.lower() in CODECS else _Pictures(draft)
            try:
                yield writer.write
                if writer.count:
                    writer.finish()
            finally:
                writer.close()
    except OSError as error:
        raise ConversionError(
            f"--annotate {target}: cannot write {error.filename or target}: {error.strerror}"
        ) from None
    finally:
        remove_empty(made)


class _Video:
    """A video file; opened with the first frame, whose size is the video's."""

    def __init__(self, draft, target, fps):
        self.draft, self.target, self.fps = draft, target, fps or DEFAULT_FPS
        self.writer = None
        self.count = 0

    def write(self, picture):
        cv2 = opencv("--annotate")
        if self.writer is None:
            codec = CODECS[self.target.suffix.lower()]
            height, width = picture.shape[:2]
            self.writer = cv2.VideoWriter(str(self.draft), cv2.VideoWriter_fourcc(*codec), self.fps, (width, height))
            if not self.writer.isOpened():
                raise DependencyError(
                    f"--annotate {self.target}: this OpenCV cannot write {codec} video of {width}x{height} pixels; "
                    "name a folder for pictures instead"
                )
        self.writer.write(np.ascontiguousarray(picture[..., ::-1]))
        self.count += 1

    def finish(self):
        """Close the file and count its frames: OpenCV says nothing when a disk is full."""
        cv2 = opencv("--annotate")
        self.close()
        capture = cv2.VideoCapture(str(self.draft))
        found = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
        if found != self.count:
            raise ConversionError(
                f"--annotate {self.target}: the video came out with {found} of {self.count} frames; is the disk full?"
            )

    def close(self):
        if self.writer is not None:
            self.writer.release()


class _Pictures:
    """A folder of PNG files, numbered from 000000."""

    def __init__(self, draft):
        self.draft = draft
        self.count = 0

    def write(self, picture):
        from PIL import Image
        from PIL.PngImagePlugin import PngInfo

        self.draft.mkdir(exist_ok=True)
        mark = PngInfo()
        mark.add_text("Software", MARK)
        Image.fromarray(picture).save(self.draft / f"{self.count:06}.png", pnginfo=mark, compress_level=2)
        self.count += 1

    def finish(self):
        pass

    def close(self):
        pass


def _marked(path):
    with path.open("rb") as reader:
        return MARK.encode() in reader.read(_MARK_WITHIN)

"""What one tracking depends on: the API builds it, :mod:`converter.track.run` reads it."""

from dataclasses import dataclass
from pathlib import Path

from converter.errors import UsageError
from converter.proof.boxes import Box
from converter.spec.arguments import AnyPath
from converter.spec.options import VerifyOptions
from converter.track.groundtruth import GroundTruth

FEWEST = 2  # frames: the first one's box is given


@dataclass(frozen=True)
class TrackOptions:
    """What to track with what, and where to write.

    Attributes:
        subject: the export and the network that its manifest is of.
        source: a video, a folder or a pattern of pictures, a camera's number, an address; an address is a text, for a
            path would change it.
        box: around the target in the first frame that is tracked; None to ask for it in a window.
        start: number of that frame, from 0.
        frames: how many frames at most, that one included; None for all.
        lost: score below which the target counts as lost; None for a share of the first that is tracked.
        truth: where the target is, frame by frame.
        csv, video, pictures: files and a folder to write.
        show: whether a window shows the frames.
    """

    subject: VerifyOptions
    source: AnyPath
    box: Box | None
    start: int = 0
    frames: int | None = None
    lost: float | None = None
    truth: GroundTruth | None = None
    csv: Path | None = None
    video: Path | None = None
    pictures: Path | None = None
    show: bool = False

    def __post_init__(self) -> None:
        """Raises:
        UsageError: for a number that is out of its range.
        """
        if self.start < 0:
            raise UsageError(f"--start {self.start}: expected 0 or more")
        if self.frames is not None and self.frames < FEWEST:
            raise UsageError(
                f"--frames {self.frames}: expected {FEWEST} or more: the first is given, the others tracked"
            )
        if self.lost is not None and not 0 <= self.lost <= 1:
            raise UsageError(f"--lost {self.lost}: expected 0 to 1, as scores are")

    @property
    def window(self) -> str | None:
        """The words that ask for a window; None where none is needed."""
        if self.show:
            return "--show"
        return "drawing a box with the mouse (no --box)" if self.box is None else None

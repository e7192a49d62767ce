"""What a tracking came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from converter.folder.listing import GENERATOR, SCHEMA_VERSION
from converter.proof.boxes import Box
from converter.report.blocks import NOTE, OK, Block, Points, Section
from converter.report.text import box as box_text
from converter.report.text import count, milliseconds, per_second, percent
from converter.track.export import PASSED, TrackingExport
from converter.track.frames import Clip
from converter.track.groundtruth import Agreement
from converter.track.lost import stretches
from converter.track.outputs import FrameTrack
from converter.util.version import version


@dataclass(frozen=True)
class Speed:
    """How long the frames behind the first one took.

    Attributes:
        steps: seconds of each, from the frame to the box.
        models: seconds of them in the models, the way to their processes and back included.
        whole: seconds from the first of them to the end of the last, with reading, drawing and writing.
    """

    steps: Sequence[float]
    models: Sequence[float]
    whole: float

    @property
    def fps(self) -> float | None:
        """Frames that can be tracked in a second, without reading and drawing them."""
        return len(self.steps) / sum(self.steps) if self.steps else None

    @property
    def whole_fps(self) -> float | None:
        """With everything."""
        return len(self.steps) / self.whole if self.steps and self.whole else None

    @property
    def step_milliseconds(self) -> float | None:
        return 1000 * median(self.steps) if self.steps else None

    @property
    def model_milliseconds(self) -> float | None:
        return 1000 * median(self.models) if self.models else None

    def as_dict(self) -> dict[str, Any]:
        return {
            "fps": self.fps,
            "fps_with_reading": self.whole_fps,
            "frame_ms": self.step_milliseconds,
            "model_ms": self.model_milliseconds,
        }


@dataclass(frozen=True)
class TrackResult:
    """What was tracked, as far as it went.

    Attributes:
        export: that tracked.
        clip: that was tracked.
        box: that it began with.
        rows: frame by frame, the first one's box being that one.
        total: how many frames there were to be; 0 where nobody knows.
        complete: whether the clip's end, or what was asked for, was reached.
        agreement: with the ground truth, where there is one.
        written: files and folders.
    """

    export: TrackingExport
    clip: Clip
    box: Box
    rows: tuple[FrameTrack, ...]
    total: int
    complete: bool
    speed: Speed
    agreement: Agreement | None
    written: tuple[Path, ...]

    @property
    def lost(self) -> tuple[int, ...]:
        """Frames in which the score says that the target is lost."""
        return tuple(row.index for row in self.rows if row.lost)

    @property
    def counted(self) -> str:
        """How many frames of how many."""
        of = f" of {self.total}" if self.total else ""
        return f"{len(self.rows)}{of} frames"

    def kept(self) -> str:
        """What is there of a tracking that ended early, in a phrase."""
        if len(self.rows) < 2:
            return "nothing was tracked"
        where = f", and are in {', '.join(map(str, self.written))}" if self.written else ""
        return f"{self.counted} were tracked{where}"

    def as_dict(self) -> dict[str, Any]:
        """As ``lt-track --json`` prints it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "generator": {"name": GENERATOR, "version": version(), "command": "lt-track"},
            "export": self.export.as_dict(),
            "clip": {
                "name": str(self.clip.path),
                "size": list(self.clip.size),
                "fps": self.clip.fps,
                "live": self.clip.live,
            },
            "box": list(self.box.values),
            "complete": self.complete,
            "total": self.total or None,
            "lost": list(self.lost),
            "speed": self.speed.as_dict(),
            "groundtruth": self.agreement.as_dict() if self.agreement else None,
            "written": [str(path) for path in self.written],
            "frames": [
                {
                    "frame": row.index,
                    "box": list(row.estimate.box.values),
                    "score": row.estimate.score,
                    "lost": row.lost,
                }
                for row in self.rows
            ],
        }

    def section(self) -> Section:
        """For people."""
        lost = f"lost in {count(len(self.lost), 'frame')}" if self.lost else "target never lost"
        early = "" if self.complete else ", ended early"
        summary = f"{self.counted}{early}, {lost}, {per_second(self.speed.fps)} frames/s"
        state = NOTE if self.lost or self.export.stated != PASSED or self.export.wider else OK
        return Section("track", f"Tracked {self.clip.name}", state, summary, tuple(self._blocks()), folded=False)

    def _blocks(self) -> list[Block]:
        export, speed = self.export, self.speed
        template, search = export.subject.tracker.network.sizes
        precision = export.subject.precision
        lines = [f"{export.subject.folder}: {export.format}, {precision}, {template}/{search}, {export.status}"]
        lines += [export.wider] if export.wider else []
        lines.append(f"from x, y, w, h = {box_text(self.box.values)} in frame {self.rows[0].index}")
        if self.lost:
            lines.append(f"lost, as the score says, in {stretches(self.lost)}")
        if self.agreement:
            lines.append(_agreement(self.agreement))
        frame, models = milliseconds(speed.step_milliseconds), milliseconds(speed.model_milliseconds)
        lines.append(
            f"a frame {frame}, the models {models} of it; {per_second(speed.whole_fps)} frames/s with reading, drawing"
        )
        lines += [f"wrote {path}" for path in self.written]
        return [Points(tuple(lines))]


def _agreement(found: Agreement) -> str:
    if found.overlap is None:
        return "ground truth: no frame to compare"
    success = ", ".join(f"{limit:g}: {percent(share)}" for limit, share in found.success.items())
    left_out = [f"{found.absent} without a target"] if found.absent else []
    left_out += [f"{found.unknown} without a line in the file"] if found.unknown else []
    more = f" ({', '.join(left_out)} left out)" if left_out else ""
    return f"ground truth: AO {found.overlap:.4f}, success at {success}, over {count(found.frames, 'frame')}{more}"

"""Clips drawn for tests, and models that find what is drawn in them without a network."""

from pathlib import Path

import cv2
import numpy as np

from converter.checks.clip.frame import FrameRow
from converter.checks.clip.free import floor_of
from converter.checks.clip.one_step import Step
from converter.checks.clip.report import CandidateReport, ClipReport, Speed, candidate_report
from converter.errors import ConversionError
from converter.families.family import Estimate
from converter.proof.boxes import Box
from converter.spec.config import network_for
from converter.spec.dimensions import Dimensions
from converter.spec.tensors import StepLimits
from converter.track.frames import Clip

SPEC = network_for(None)[1]
DIMENSIONS = Dimensions(template_size=31, search_size=64, stride=8, channels=3, template_cells=4, search_cells=8)
START = Box(30, 20, 16, 12)


def frame(index: int, size: tuple[int, int] = (120, 90)) -> np.ndarray:
    """A white rectangle on bluish noise, a little further in every frame; (H, W, 3) uint8 RGB."""
    pixels = np.random.default_rng(index).integers(60, 90, (size[1], size[0], 3), np.uint8)
    pixels += np.array([0, 20, 40], np.uint8)
    left, top = 30 + index, 20 + index // 2
    pixels[top : top + 12, left : left + 16] = 250
    return pixels


def save_pictures(folder: Path, names: list[str]) -> Path:
    """Frame 0 under the first name, frame 1 under the second, and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), frame(index)[..., ::-1])
    return folder


def save_video(path: Path, count: int, codec: str = "MJPG", fps: float = 25) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, (120, 90))
    assert writer.isOpened()
    for index in range(count):
        writer.write(np.ascontiguousarray(frame(index)[..., ::-1]))
    writer.release()
    return path


class BrightModel:
    """Finds the bright rectangle in a search crop; cells near its middle score best.

    Args:
        drift: crop pixels by which the box is reported too far to the right.
        fail_at: the search crop, counted from 0, at which it raises a ConversionError.
        broken_at: the search crop at which ``broken`` (a function of the answer) changes what it says.
    """

    def __init__(self, drift=0.0, fail_at=None, broken_at=None, broken=None):
        self.drift, self.fail_at, self.broken_at, self.broken = drift, fail_at, broken_at, broken
        self.calls = 0
        self.templates = []

    def template(self, z, mask=None):
        self.templates.append(z)

    def track(self, x, mask=None):
        cells, stride = DIMENSIONS.search_cells, DIMENSIONS.stride
        along = (np.arange(cells) - cells // 2) * stride + DIMENSIONS.search_size // 2
        rows, columns = np.nonzero(x[0].min(axis=0) > 1.5)
        edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else (28, 28, 36, 36)
        left, top, right, bottom = (float(edge) for edge in edges)
        xs, ys = np.meshgrid(along, along)
        away = np.hypot(xs - (left + right) / 2, ys - (top + bottom) / 2)
        shift = self.drift
        reg = np.stack([xs - left - shift, ys - top, right + shift - xs, bottom - ys])[np.newaxis].astype(np.float32)
        answer = {"cls": (8 - away / 2).astype(np.float32)[np.newaxis, np.newaxis], "reg": reg}
        if self.calls == self.fail_at:
            raise ConversionError("the runtime gave up")
        if self.calls == self.broken_at:
            answer = self.broken(answer)
        self.calls += 1
        return answer


def row(
    index: int,
    steps: dict[str, Step] | None = None,
    noisy: tuple[float | None, ...] = (0.98, 0.96),
    lost: tuple[str, ...] = (),
    **overlaps: float | None,
) -> FrameRow:
    """A frame with a box for every candidate that has an overlap, a little beside the reference's; in one step the
    boxes overlap as much, where ``steps`` does not say otherwise."""
    own = Estimate(Box(10.5 + index, 20, 30, 40), 0.5)
    same = {name: None if value is None or not index else Step(value, True, 0.0) for name, value in overlaps.items()}
    return FrameRow(
        index,
        Estimate(Box(10.0 + index, 20, 30, 40), 0.75),
        {name: None if value is None else own for name, value in overlaps.items()},
        overlaps,
        {**same, **(steps or {})},
        noisy if index else (1.0,) * len(noisy),
        lost,
    )


def report(
    rows: list[FrameRow], min_iou: float = 0.9, problem: str | None = None, thumbnails=(), **problems: str
) -> ClipReport:
    """What would be said of these frames."""
    names, limits = list(rows[0].overlaps) if rows else [], StepLimits(iou=min_iou)
    candidates: tuple[CandidateReport, ...] = tuple(
        candidate_report(name, limits, problems.get(name), tuple(rows), Speed(2.0, 100.0)) for name in names
    )
    return ClipReport(
        clip=Clip(Path("drawn.avi"), (120, 90), 25.0, lambda: (frame(index) for index in range(len(rows)))),
        box=START,
        limits=limits,
        problem=problem,
        speed=Speed(4.0, 50.0),
        candidates=candidates,
        floor=floor_of(rows),
        frames=tuple(rows),
        machine="A CPU, Linux 6.1, x86_64",
        thumbnails=thumbnails,
    )

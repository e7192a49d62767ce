"""What one frame of a clip has shown."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from converter.checks.clip.one_step import Step
from converter.families.family import Estimate
from converter.track.draw import Drawn

REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One frame; the first one's boxes are the given one.

    Attributes:
        index: of the frame, from 0.
        reference: the PyTorch network's box and score.
        candidates: name -> box and score, free running; None from the frame on at which a model failed.
        overlaps: name -> intersection over union with the reference's box.
        steps: name -> one step from the reference's state; None likewise, and in the first frame.
        noisy: overlap of the reference's box with its own under noise, for each seed; None where that stopped.
        lost: why the reference may have lost the target; empty where it has it.
    """

    index: int
    reference: Estimate
    candidates: Mapping[str, Estimate | None]
    overlaps: Mapping[str, float | None]
    steps: Mapping[str, Step | None]
    noisy: tuple[float | None, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def drawn(self) -> tuple[Drawn, ...]:
        """For a picture: the reference first."""
        candidates = (Drawn(name, estimate, self.overlaps[name]) for name, estimate in self.candidates.items())
        return Drawn(REFERENCE, self.reference), *candidates

    def as_dict(self) -> dict[str, Any]:
        return {
            "frame": self.index,
            "lost": list(self.lost),
            "reference": {**_estimate(self.reference), "noisy_iou": list(self.noisy)},
            "candidates": {name: self._candidate(name) for name in self.candidates},
        }

    def _candidate(self, name: str) -> dict[str, Any] | None:
        estimate, step = self.candidates[name], self.steps[name]
        if estimate is None:
            return None
        return {**_estimate(estimate), "iou": self.overlaps[name], "one_step": asdict(step) if step else None}


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {"box": list(estimate.box.values), "score": estimate.score}

"""A C++ tracker's steps beside those of the procedure in Python: the first stage that differs is named.

Every stage is computed in Python from what the stage before gave in C++, so that a difference stays where it is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from converter.checks.cpp.trace import Steps
from converter.families.family import Stepwise
from converter.proof.chain import TrackedModel
from converter.proof.feeds import normalised
from converter.spec.network import NetworkSpec

Cells = tuple[int, ...]  # of each map of ranks the largest one's place, row by row
MODEL, EXACT, ROUNDED = 2e-4, 0.0, 1e-6  # of the range that a stage's numbers have


@dataclass(frozen=True)
class Difference:
    """Where two trackers begin to differ.

    Attributes:
        stage: crop, resize, normalisation, model, decode, penalty, window or update.
        name: of the numbers.
        found, expected: the pair that is farthest apart.
    """

    frame: int
    stage: str
    name: str
    found: float
    expected: float

    def __str__(self) -> str:
        return (
            f"frame {self.frame}: the first stage that differs is {self.stage}: {self.name} has {self.found:.9g}, "
            f"expected {self.expected:.9g}"
        )


def first_difference(
    frame: int,
    steps: Steps,
    picture: np.ndarray,
    procedure: Stepwise,
    model: TrackedModel,
    network: NetworkSpec,
    shapes: Mapping[str, tuple[int, ...]],
) -> Difference | None:
    """Compare one frame.

    Args:
        steps: what the C++ tracker wrote of it; a stage that is missing differs.
        picture: the frame, (H, W, 3) uint8 RGB.
        procedure: in the state before the frame; it moves on.
        model: that has seen the template.
        shapes: of the outputs, by meaning.
    """

    def compare(stage: str, name: str, expected: np.ndarray, allowed: float) -> Difference | None:
        return _difference(frame, stage, name, steps.get((stage, name)), expected, allowed)

    template = ("update", "box") not in steps and frame == 0
    looked = procedure.looked(picture, template)
    square = np.array([*looked.square, *np.asarray(looked.fill)[::-1].astype(np.uint8)], np.float64)
    if found := compare("crop", "square", square, EXACT):
        return found
    if looked.mask is not None and (found := compare("crop", "mask", looked.mask, EXACT)):
        return found
    if found := compare("resize", "pixels", looked.pixels[..., ::-1], EXACT):
        return found
    if found := compare("normalisation", "planes", normalised(looked.pixels, network.preprocess), ROUNDED):
        return found
    if template:
        return None
    answer = {name: steps["model", name].reshape(shape) for name, shape in shapes.items() if _fits(steps, name, shape)}
    for name, expected in model.track(*procedure.look(picture)).items():
        if name in shapes and (found := compare("model", name, expected, MODEL)):
            return found
    for stage, expected in procedure.decided(answer).items():
        if found := compare(stage, NAMES[stage], expected, ROUNDED):
            return found
    estimate = procedure.follow(answer, picture)
    return compare("update", "box", np.array([*estimate.box.values, estimate.score]), ROUNDED)


def best_cells(ranks: np.ndarray) -> Cells:
    """Of (1, maps, H, W)."""
    return tuple(int(np.argmax(each)) for each in ranks[0])


def chosen_cells(steps: Steps) -> Cells:
    """What a C++ tracker wrote of it; empty where it wrote nothing."""
    return tuple(map(int, steps.get(("update", "cell"), ())))


NAMES = {"decode": "boxes", "penalty": "penalties", "window": "ranks"}


def _fits(steps: Steps, name: str, shape: tuple[int, ...]) -> bool:
    return ("model", name) in steps and steps["model", name].size == prod(shape)


def _difference(
    frame: int, stage: str, name: str, found: np.ndarray | None, expected: np.ndarray, allowed: float
) -> Difference | None:
    """The pair that is farthest apart; None where all are near enough."""
    flat = np.asarray(expected, np.float64).ravel()
    if found is None or found.size != flat.size:
        return Difference(frame, stage, f"number of {name}", 0 if found is None else found.size, flat.size)
    values = found.astype(np.float64)
    off = np.abs(values - flat)
    off[~np.isfinite(values)] = np.inf
    worst = int(off.argmax())
    if off[worst] <= allowed * max(1.0, float(np.ptp(flat))):
        return None
    return Difference(frame, stage, name, float(values[worst]), float(flat[worst]))

"""Templates and searches that belong together, without a clip: a piece of one picture of the package that moves over
another one."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from converter.families.family import Procedure, family_of
from converter.proof.boxes import Box
from converter.proof.chain import SEARCH, TEMPLATE, TrackedModel, shown
from converter.proof.feeds import Feed
from converter.proof.inputs import PICTURES, SHOWN
from converter.spec.model import TrackerModels

FURTHEST = 0.3  # that a target moves between two frames, each way, as a share of its side
SCALES = (0.9, 1.1)  # between which it grows
SEED = 21  # of both


@dataclass(frozen=True, eq=False)
class Pair:
    """Two frames of a target.

    Attributes:
        name: in a report.
        first, second: (H, W, 3) uint8 RGB.
        box: around the target in the first.
    """

    name: str
    first: np.ndarray
    box: Box
    second: np.ndarray


def pairs_of(template_size: int) -> Iterator[Pair]:
    """Every picture as the target before every other one; the same each time.

    Args:
        template_size: the target's side is half of it, at which size trackers take their crops without resizing.
    """
    pictures = {name: _picture(name, scale) for name, scale in SHOWN}
    side, generator = template_size / 2, np.random.default_rng(SEED)
    for target, ground in itertools.permutations(pictures, 2):
        height, width = pictures[ground].height, pictures[ground].width
        shift = generator.uniform(-FURTHEST, FURTHEST, 2) * side
        grown = side * generator.uniform(*SCALES)
        middle = (width / 2, height / 2)
        yield Pair(
            f"'{target}' on '{ground}'",
            _pasted(pictures[ground], pictures[target], middle, side),
            Box.around(middle, (side, side)),
            _pasted(pictures[ground], pictures[target], (middle[0] + shift[0], middle[1] + shift[1]), grown),
        )


def feeds_of_pairs(tracker: TrackerModels) -> list[Feed]:
    """What a tracker shows its network of them."""
    model = _Blind()
    procedure = procedure_around(model, tracker)
    feeds = []
    for pair in pairs_of(tracker.dimensions.template_size):
        procedure.start(pair.first, pair.box)
        search = procedure.look(pair.second)
        feeds.append(Feed(pair.name, {**model.seen, **shown(SEARCH, search[0], search[1] if search[1:] else None)}))
    return feeds


def procedure_around(model: TrackedModel, tracker: TrackerModels) -> Procedure:
    """The family's tracker at one size."""
    return family_of(tracker.network.family).procedure(model, tracker.network, tracker.dimensions)


class _Blind:
    """Takes the place of a network where only the crops are wanted."""

    def __init__(self) -> None:
        self.seen: dict[str, np.ndarray] = {}

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        self.seen = shown(TEMPLATE, z, mask)

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> dict[str, np.ndarray]:
        raise NotImplementedError


def _picture(name: str, scale: int) -> Image.Image:
    with Image.open(PICTURES / f"{name}.png") as opened:
        picture = opened.convert("RGB")
    width, height = picture.size
    part = (
        width / 2 * (1 - 1 / scale),
        height / 2 * (1 - 1 / scale),
        width / 2 * (1 + 1 / scale),
        height / 2 * (1 + 1 / scale),
    )
    return picture if scale == 1 else picture.resize(picture.size, Image.Resampling.BILINEAR, box=part)


def _pasted(ground: Image.Image, target: Image.Image, middle: tuple[float, float], side: float) -> np.ndarray:
    """The middle of one picture, its side that of the target, on another one."""
    frame, (width, height), whole = ground.copy(), target.size, round(side)
    part = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    piece = target.resize((whole, whole), Image.Resampling.BILINEAR, box=part)
    frame.paste(piece, (round(middle[0] - side / 2), round(middle[1] - side / 2)))
    return np.asarray(frame)

"""Inputs to compare on: seeded noise, the pictures that come with the package, and crops of the user's.

Every crop begins as 8-bit pixels and goes through the network's own preprocessing, so that an input is the same picture
for every family and format.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from converter.errors import UsageError
from converter.proof.feeds import Feed, normalised
from converter.spec.choices import JUDGED_BY_BOXES
from converter.spec.model import TrackerModels
from converter.spec.network import Preprocess
from converter.spec.tensors import TensorSpec
from converter.util.paths import open_file, why_no_file

PICTURES = Path(__file__).parent / "pictures"
# name and scale: how many pixels of the crop one of the picture becomes. Chosen by benchmarks/wrong_models.py; a
# check that takes one input takes the last.
SHOWN = (("rings", 1), ("surfaces", 1), ("flat", 1), ("dark", 1), ("overexposed", 1), ("texture", 3))
FINE = "noise, fine"
LEFT_OUT = (
    f"'{FINE}' was left out: weights in bytes are fitted to pictures, and may be far off where every pixel has a "
    "saturated colour of its own"
)
SMOOTH, COARSE = 8, 20  # pixels from one value of the noise to the next


def feeds_of(tracker: TrackerModels, seed: int, pictures: Sequence[Path], precision: str = "fp32") -> list[Feed]:
    """What models are compared on: seeded noise, the package's pictures, and crops of the user's.

    Args:
        precision: of the models; see :func:`held_against`.

    Raises:
        UsageError: for a picture that cannot be read.
    """
    images, preprocess = tracker.images, tracker.network.preprocess
    noise = noise_feeds(seed, tracker.network.noise_feeds, images, preprocess)
    return [
        *(feed for feed in noise if held_against(feed.name, precision)),
        *packaged_feeds(seed, images, preprocess),
        *(picture_feed(path, images, preprocess) for path in pictures),
    ]


def held_against(name: str, precision: str) -> bool:
    """Whether models of a precision are compared on an input; see :data:`LEFT_OUT`.

    Args:
        name: of the input.
    """
    return precision not in JUDGED_BY_BOXES or not re.fullmatch(rf"{FINE}( \d+)?( at \d+/\d+)?", name)


def noise_feeds(seed: int, count: int, images: Sequence[TensorSpec], preprocess: Preprocess) -> list[Feed]:
    """Seeded noise: fine, in which every pixel has a saturated colour of its own, smooth and coarse, in turn."""
    feeds = []
    for index in range(count):
        name, draw = _NOISE[index % len(_NOISE)]
        again = f" {index // len(_NOISE) + 1}" if index >= len(_NOISE) else ""
        generator = np.random.default_rng([seed, index])
        side = _largest(images)
        feeds.append(_feed(name + again, Image.fromarray(draw(side, generator)), side, images, preprocess, generator))
    return feeds


def _fine(side: int, generator: np.random.Generator) -> np.ndarray:
    """Coarse noise, dithered: noise that is alike everywhere gives outputs of hardly any range to compare by."""
    return (generator.integers(0, 255, (side, side, 3)) < _coarse(side, generator)) * np.uint8(255)


def _smooth(side: int, generator: np.random.Generator, step: int = SMOOTH) -> np.ndarray:
    values = generator.integers(0, 256, (side // step + 2, side // step + 2, 3), np.uint8)
    wide = (values.shape[1] * step, values.shape[0] * step)
    return np.asarray(Image.fromarray(values).resize(wide, Image.Resampling.BICUBIC))[:side, :side]


def _coarse(side: int, generator: np.random.Generator) -> np.ndarray:
    return _smooth(side, generator, COARSE)


_NOISE: tuple[tuple[str, Callable[[int, np.random.Generator], np.ndarray]], ...] = (
    (FINE, _fine),
    ("noise, smooth", _smooth),
    ("noise, coarse", _coarse),
)


def packaged_feeds(seed: int, images: Sequence[TensorSpec], preprocess: Preprocess) -> list[Feed]:
    """Crops of the package's pictures, which ``benchmarks/pictures.py`` draws; the seed is of the masks."""
    feeds = []
    for index, (name, scale) in enumerate(SHOWN):
        with Image.open(PICTURES / f"{name}.png") as picture:
            side = min(picture.width, _largest(images) / scale)
            generator = np.random.default_rng([seed, len(_NOISE) + index])
            title = f"picture '{name}'" + (f" at scale {scale}" if scale > 1 else "")
            feeds.append(_feed(title, picture.convert("RGB"), side, images, preprocess, generator))
    return feeds


def _largest(images: Sequence[TensorSpec]) -> int:
    return max(tensor.shape[-1] for tensor in images if tensor.mask_of is None)


def edge_mask(side: int, generator: np.random.Generator) -> np.ndarray:
    """(1, side * side) float32: 1 in some rows and columns at two edges, as for a target in a corner, else 0."""
    cells = np.zeros((side, side), np.float32)
    rows, columns = generator.integers(1, max(2, side // 2), 2)
    cells[:rows] = 1
    cells[:, -columns:] = 1
    return np.rot90(cells, int(generator.integers(4))).reshape(1, -1).copy()


def picture_feed(path: Path, images: Sequence[TensorSpec], preprocess: Preprocess) -> Feed:
    """Crops around the middle of a picture, at one scale: the largest crop is the picture's shorter side.

    The template so shows the inner part of what the search crop shows, as in tracking.

    Raises:
        UsageError: when the file is not a picture.
    """
    if reason := why_no_file(path):
        raise UsageError(f"--image {path}: {reason.partition(',')[0]}, expected a picture")
    try:
        with open_file(path) as file, Image.open(file) as opened:
            picture = opened.convert("RGB")
    except UnidentifiedImageError:
        raise UsageError(f"--image {path}: not a picture that Pillow can read") from None
    except Exception as error:  # Pillow's plugins raise many types on a damaged file
        raise UsageError(f"--image {path}: not a picture that Pillow can read ({error})") from None
    return _feed(path.name, picture, min(picture.size), images, preprocess)


def _feed(
    name: str,
    picture: Image.Image,
    side: float,
    images: Sequence[TensorSpec],
    preprocess: Preprocess,
    generator: np.random.Generator | None = None,
) -> Feed:
    """Crops around the middle of a picture.

    Args:
        side: of the largest crop, in pixels of the picture; the others are at the same scale.
        generator: of masks; without one they say that there is image everywhere.
    """
    scale = side / _largest(images)
    tensors = {}
    for tensor in images:
        if tensor.mask_of:
            cells = round(tensor.shape[-1] ** 0.5)
            blank = np.zeros(tensor.shape, np.float32)
            tensors[tensor.meaning] = edge_mask(cells, generator) if generator else blank
            continue
        size = tensor.shape[-1]
        width, height = picture.size
        # clamped: the largest crop touches the border, where the last bit of a sum may lie outside
        left, top = max(0.0, (width - size * scale) / 2), max(0.0, (height - size * scale) / 2)
        if scale == 1:
            left, top = int(left), int(top)
        box = (left, top, min(width, left + size * scale), min(height, top + size * scale))
        crop = picture.resize((size, size), Image.Resampling.BILINEAR, box=box)
        tensors[tensor.meaning] = normalised(np.asarray(crop), preprocess)
    return Feed(name, tensors)

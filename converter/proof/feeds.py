"""Inputs to compare on: seeded noise, and crops of real pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from converter.errors import UsageError
from converter.spec.model import TrackerModels
from converter.spec.network import Preprocess
from converter.spec.tensors import TensorSpec
from converter.util.paths import why_no_file


@dataclass(frozen=True)
class Feed:
    """A template and a search crop.

    Attributes:
        name: what to call it in a report.
        tensors: "z" (1, 3, T, T) and "x" (1, 3, S, S), float32, normalised as the network wants them; and masks of
            them, (1, cells), where the graphs take some.
    """

    name: str
    tensors: dict[str, np.ndarray]

    def at(self, sizes: tuple[int, int]) -> "Feed":
        """The same among feeds of other template and search sizes, called by its own."""
        return replace(self, name=f"{self.name} at {sizes[0]}/{sizes[1]}")


def feeds_of(tracker: TrackerModels, seed: int, pictures: Sequence[Path]) -> list[Feed]:
    """What models are compared on: as much seeded noise as the config says, and crops of pictures.

    Raises:
        UsageError: for a picture that cannot be read.
    """
    network, images = tracker.network, tracker.images
    noise = noise_feeds(seed, network.noise_feeds, images)
    return noise + [picture_feed(path, images, network.preprocess) for path in pictures]


def noise_feeds(seed: int, count: int, images: Sequence[TensorSpec]) -> list[Feed]:
    """Standard normal noise, which is what normalised pixels are like in mean and spread."""
    return [
        Feed(
            name=f"noise {index}",
            tensors={
                tensor.meaning: _noise(tensor, np.random.default_rng([seed, index, position]))
                for position, tensor in enumerate(images)
            },
        )
        for index in range(count)
    ]


def _noise(tensor: TensorSpec, generator: np.random.Generator) -> np.ndarray:
    if tensor.mask_of is None:
        return generator.standard_normal(tensor.shape).astype(np.float32)
    return edge_mask(round(tensor.shape[-1] ** 0.5), generator)


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
    from PIL import Image

    if reason := why_no_file(path):
        raise UsageError(f"--image {path}: {reason.partition(',')[0]}, expected a picture")
    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except Exception as error:  # Pillow's plugins raise many types on a damaged file
        raise UsageError(f"--image {path}: not a picture that Pillow can read ({error})") from None
    largest = max(tensor.shape[-1] for tensor in images if tensor.mask_of is None)
    scale = min(picture.size) / largest
    tensors = {}
    for tensor in images:
        if tensor.mask_of:
            tensors[tensor.meaning] = np.zeros(tensor.shape, np.float32)  # the crops lie in the picture
            continue
        size = tensor.shape[-1]
        width, height = picture.size
        # clamped: the largest crop touches the border, where the last bit of a sum may lie outside
        left, top = max(0.0, (width - size * scale) / 2), max(0.0, (height - size * scale) / 2)
        box = (left, top, min(width, left + size * scale), min(height, top + size * scale))
        crop = picture.resize((size, size), Image.Resampling.BILINEAR, box=box)
        tensors[tensor.meaning] = normalised(np.asarray(crop), preprocess)
    return Feed(name=path.name, tensors=tensors)


def normalised(pixels: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    """(H, W, 3) uint8 RGB to (1, 3, H, W) float32, as the network wants it."""
    low, high = preprocess.pixel_range
    ordered = pixels if preprocess.colour_order == "RGB" else pixels[..., ::-1]
    scaled = ordered.astype(np.float32) / 255.0 * (high - low) + low
    values = (scaled - np.array(preprocess.mean, np.float32)) / np.array(preprocess.std, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[np.newaxis], dtype=np.float32)

"""An input to compare on, and how pixels become one."""

from dataclasses import dataclass, replace

import numpy as np

from converter.spec.network import Preprocess


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


def normalised(pixels: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    """(H, W, 3) uint8 RGB to (1, 3, H, W) float32, as the network wants it."""
    low, high = preprocess.pixel_range
    ordered = pixels if preprocess.colour_order == "RGB" else pixels[..., ::-1]
    scaled = ordered.astype(np.float32) / 255.0 * (high - low) + low
    values = (scaled - np.array(preprocess.mean, np.float32)) / np.array(preprocess.std, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[np.newaxis], dtype=np.float32)

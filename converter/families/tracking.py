"""What tracking procedures share: squares cut out of a frame, and answers that can be used."""

from collections.abc import Mapping

import numpy as np

from converter.errors import VerificationError


def square(frame: np.ndarray, left: int, top: int, side: int, fill: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A square of a frame; what lies outside the frame has one colour.

    Args:
        frame: (H, W, 3) uint8.
        left, top: of the square, in pixels of the frame; the square may lie outside.
        fill: the colour, three numbers; their fractions are cut off.

    Returns:
        (side, side, 3) uint8, and (side, side) float64: 1 where there is no frame, else 0
    """
    pixels, outside = np.empty((side, side, 3), np.uint8), np.ones((side, side))
    pixels[:] = np.asarray(fill).astype(np.uint8)
    height, width = frame.shape[:2]
    low_y, low_x = max(0, top), max(0, left)
    high_y, high_x = max(low_y, min(height, top + side)), max(low_x, min(width, left + side))
    inside = slice(low_y - top, high_y - top), slice(low_x - left, high_x - left)
    pixels[inside] = frame[low_y:high_y, low_x:high_x]
    outside[inside] = 0
    return pixels, outside


def check_answer(answer: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Whether a model gives finite tensors of these names and shapes.

    Raises:
        VerificationError: naming the first that is missing, has another shape, or holds NaN or infinity.
    """
    for name, shape in shapes.items():
        if name not in answer:
            raise VerificationError(f"the model gives {', '.join(answer)}, but no {name}")
        if answer[name].shape != shape:
            raise VerificationError(f"{name} has shape {answer[name].shape}, expected {shape}")
        if bad := int(np.count_nonzero(~np.isfinite(answer[name]))):
            raise VerificationError(f"{bad} of {answer[name].size} values of {name} are NaN or infinite")

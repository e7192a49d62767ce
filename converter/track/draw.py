"""A frame with every tracker's box on it, and below it a line for each that says which is which."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from converter.families.family import Estimate
from converter.util.opencv import opencv

# RGB, told apart also by those who see red and green alike; the reference's comes first.
COLOURS = ((0, 200, 120), (255, 120, 0), (90, 190, 255), (240, 90, 200), (250, 225, 60))
BLACK, WHITE, GREY, STRIP = (0, 0, 0), (245, 245, 245), (175, 175, 175), (24, 24, 28)
SMALLEST = (320, 240)  # smaller pictures are enlarged, so that the text can be read
LINE_HEIGHT = 18  # of text on a picture of 360 pixels' height
STRIPE = 2  # how much wider each earlier box's line is, in pixels
JPEG_QUALITY = 85
_SUBPIXEL_BITS = 4


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one tracker sees in a frame.

    Attributes:
        name: of it.
        estimate: box and score; None where it has stopped.
        overlap: of the box with another tracker's, or None.
        lost: whether it has lost the target: the box is grey then.
    """

    name: str
    estimate: Estimate | None
    overlap: float | None = None
    lost: bool = False


def painted(frame: np.ndarray, index: int, models: Sequence[Drawn], width: int | None = None) -> np.ndarray:
    """The frame with what trackers see in it.

    Args:
        index: of the frame.
        models: the first one's box has the widest line.
        frame: (H, W, 3) uint8 RGB; not changed.
        width: of the result at most; None for the frame's own size, enlarged when that is small.

    Returns:
        (H', W', 3) uint8 RGB; H' and W' are even, as video codecs want them.
    """
    cv2 = opencv()
    scale = _scale(frame, width)
    size = (max(2, round(frame.shape[1] * scale)), max(2, round(frame.shape[0] * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    picture = frame.copy() if scale == 1 else cv2.resize(frame, size, interpolation=interpolation)
    unit = max(1.0, min(size) / 360)
    _draw_boxes(cv2, picture, models, scale, unit)
    strip = _strip(cv2, index, models, size[0], unit)
    drawn = np.vstack([picture, strip])
    odd_rows, odd_columns = drawn.shape[0] % 2, drawn.shape[1] % 2
    return np.pad(drawn, ((0, odd_rows), (0, odd_columns), (0, 0)))


def jpeg(picture: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB as a JPEG file."""
    cv2 = opencv()
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise RuntimeError("OpenCV does not encode a JPEG")
    return bytes(data)


def _scale(frame: np.ndarray, width: int | None) -> float:
    sides: tuple[int, int] = frame.shape[1], frame.shape[0]
    if width is not None:
        return min(1, width / sides[0])
    return max(1, *(math.ceil(least / side) for least, side in zip(SMALLEST, sides, strict=True)))


def _draw_boxes(cv2: ModuleType, picture: np.ndarray, models: Sequence[Drawn], scale: float, unit: float) -> None:
    """Coloured lines around the boxes, over dark ones. The reference's is the widest, each later one narrower,
    so that boxes in the same place show as stripes: none is hidden, nor is what is inside them."""
    for outline in (True, False):
        for position, model in enumerate(models):
            if model.estimate is None:
                continue
            box, line = model.estimate.box, round((2 + STRIPE * (len(models) - 1 - position)) * unit)
            corners = [
                tuple(round((value * scale + side * line / 2) * 2**_SUBPIXEL_BITS) for value in corner)
                for side, corner in ((-1, (box.x, box.y)), (1, (box.x + box.w, box.y + box.h)))
            ]
            colour = BLACK if outline else GREY if model.lost else COLOURS[position % len(COLOURS)]
            cv2.rectangle(picture, *corners, colour, line + 2 * outline, cv2.LINE_AA, _SUBPIXEL_BITS)


def _strip(cv2: ModuleType, index: int, models: Sequence[Drawn], width: int, unit: float) -> np.ndarray:
    """One line for each model: its colour, name, score and overlap; the frame's number on the right."""
    line, gap = round(LINE_HEIGHT * unit), round(8 * unit)
    strip = np.full((line * len(models) + round(6 * unit), width, 3), STRIP, np.uint8)
    font = (cv2.FONT_HERSHEY_SIMPLEX, 0.42 * unit)
    weight = max(1, round(unit))

    def measured(words: str) -> int:
        return int(cv2.getTextSize(words, *font, weight)[0][0])

    def text(words: str, x: int, base: int, colour: tuple[int, int, int]) -> None:
        cv2.putText(strip, words, (x, base), *font, colour, weight, cv2.LINE_AA)

    number = f"frame {index}"
    scores, overlaps, last = measured("score 0.000"), measured("IoU 0.000"), width - gap - measured(number)
    room = last - line - 4 * gap - scores - overlaps  # for the names
    names = [_shortened(model.name, lambda words: measured(words) <= room) for model in models]
    score_column = line + gap + max(map(measured, names)) + gap
    for position, model in enumerate(models):
        top = round(3 * unit) + position * line
        base = top + round(0.72 * line)
        inset = round(4 * unit)
        strip[top + inset : top + line - inset, gap : gap + line - 2 * inset] = COLOURS[position % len(COLOURS)]
        text(names[position], line + gap // 2, base, WHITE)
        if model.estimate is None:
            text("stopped", score_column, base, GREY)
        else:
            text(f"score {model.estimate.score:.3f}", score_column, base, GREY if model.lost else WHITE)
        if model.lost:
            text("lost", score_column + scores + 2 * gap, base, WHITE)
        elif model.overlap is not None:
            rounded_down = int(model.overlap * 1000) / 1000
            text(f"IoU {rounded_down:.3f}", score_column + scores + 2 * gap, base, WHITE)
    text(number, last, round(3 * unit) + round(0.72 * line), GREY)
    return strip


def _shortened(name: str, fits: Callable[[str], bool]) -> str:
    """The name, or as much of it as fits; at least one letter."""
    if fits(name):
        return name
    return next((f"{name[:end]}.." for end in range(len(name) - 1, 1, -1) if fits(f"{name[:end]}..")), name[:1])

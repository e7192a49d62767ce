"""A frame with every tracker's box on it, and below it a line for each that says which is which."""

import math

import numpy as np

from converter.clip.opencv import opencv
from converter.clip.overlap import Box
from converter.clip.report import REFERENCE, FrameRow

# RGB, told apart also by those who see red and green alike; the reference's comes first.
COLOURS = ((0, 200, 120), (255, 120, 0), (90, 190, 255), (240, 90, 200), (250, 225, 60))
BLACK, WHITE, GREY, STRIP = (0, 0, 0), (245, 245, 245), (175, 175, 175), (24, 24, 28)
SMALLEST = (320, 240)  # smaller pictures are enlarged, so that the text can be read
LINE_HEIGHT = 18  # of text on a picture of 360 pixels' height
JPEG_QUALITY = 85
_SUBPIXEL_BITS = 4


def painted(frame: np.ndarray, row: FrameRow, width: int | None = None) -> np.ndarray:
    """The frame with the boxes of a row.

    Args:
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
    models = _models(row)
    unit = max(1.0, min(size) / 360)
    for position, (_, box, _, _) in enumerate(models):
        if box is not None:
            thickness = round((2 + 2 * (len(models) - 1 - position)) * unit)
            _draw_box(cv2, picture, box, scale, COLOURS[position % len(COLOURS)], thickness)
    strip = _strip(cv2, row.index, models, size[0], unit)
    return _even(np.vstack([picture, strip]))


def jpeg(picture: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB as a JPEG file."""
    cv2 = opencv()
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise RuntimeError("OpenCV does not encode a JPEG")
    return data.tobytes()


def _scale(frame, width):
    height, own_width = frame.shape[:2]
    if width is not None:
        return width / own_width if own_width > width else 1
    return max(1, math.ceil(SMALLEST[0] / own_width), math.ceil(SMALLEST[1] / height))


def _models(row):
    """(name, box, score, overlap) of the reference and then of every candidate."""
    models = [(REFERENCE, row.reference.box, row.reference.score, None)]
    for name, estimate in row.candidates.items():
        if estimate is None:
            models.append((name, None, None, None))
        else:
            models.append((name, estimate.box, estimate.score, row.overlaps[name]))
    return models


def _draw_box(cv2, picture, box: Box, scale, colour, thickness):
    """An outline on a darker one; the reference's is the widest, so that a box on top of it leaves its rim."""
    factor = scale * 2**_SUBPIXEL_BITS
    corners = [(round(x * factor), round(y * factor)) for x, y in ((box.x, box.y), (box.x + box.w, box.y + box.h))]
    for shade, line in ((BLACK, thickness + 2), (colour, thickness)):
        cv2.rectangle(picture, *corners, shade, line, cv2.LINE_AA, _SUBPIXEL_BITS)


def _strip(cv2, index, models, width, unit):
    """One line for each model: its colour, name, score and overlap; the frame's number on the right."""
    line = round(LINE_HEIGHT * unit)
    strip = np.full((line * len(models) + round(6 * unit), width, 3), STRIP, np.uint8)
    size, weight = 0.42 * unit, max(1, round(unit))
    longest = max(len(name) for name, *_ in models)
    columns = [round(value * unit) for value in (24, 24 + 9 * longest, 24 + 9 * longest + 94)]

    def text(words, x, y, colour):
        cv2.putText(strip, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, weight, cv2.LINE_AA)

    for position, (name, box, score, overlap) in enumerate(models):
        top = round(3 * unit) + position * line
        base = top + round(0.72 * line)
        edge, inset = round(8 * unit), round(4 * unit)
        strip[top + inset : top + line - inset, edge : edge + line - 2 * inset] = COLOURS[position % len(COLOURS)]
        text(name, columns[0], base, WHITE)
        text("stopped" if box is None else f"score {score:.3f}", columns[1], base, GREY if box is None else WHITE)
        if overlap is not None:
            text(f"IoU {overlap:.3f}", columns[2], base, WHITE)
    words = f"frame {index}"
    (wide, _), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, weight)
    text(words, width - wide - round(8 * unit), round(3 * unit) + round(0.72 * line), GREY)
    return strip


def _even(picture):
    """With a black row or column more where a side is odd."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)))

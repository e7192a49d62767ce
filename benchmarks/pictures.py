"""``python -m benchmarks.pictures`` draws the pictures that every proof compares on, in ``converter/proof/pictures``.

They show what cameras give, more of it than a clip does: shapes of all sizes over each other, which have the
statistics of real scenes ("dead leaves"), textured, dark, overexposed; rings of every frequency; plain surfaces with
hard edges; a single grey. Which ones are there was chosen with ``benchmarks.wrong_models``.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from converter.proof.inputs import PICTURES

SIDE = 384
DRAWN = 2  # times as large as kept, so that edges are smooth


def leaves(seed: int, sizes: tuple[int, int], count: int, grain: int) -> np.ndarray:
    """Discs, squares and bars over each other, (SIDE, SIDE, 3) float on 0-255.

    Args:
        sizes: smallest and largest radius in pixels; how often one comes falls with its cube.
        grain: of the surfaces, in grey values.
    """
    random = np.random.default_rng(seed)
    side = SIDE * DRAWN
    image = Image.new("RGB", (side, side), (120, 115, 105))
    draw = ImageDraw.Draw(image)
    smallest, largest = sizes
    for _ in range(count):
        share = random.random()
        radius = DRAWN / np.sqrt(share / smallest**2 + (1 - share) / largest**2)
        x, y = random.random(2) * side
        turned = random.random() * 2 * np.pi
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        _draw(draw, int(random.integers(3)), (x, y), radius, turned, colour)
    picture = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX)).astype(float)
    return picture + grain * random.integers(-1, 2, (SIDE, SIDE, 1))


def _draw(
    draw: ImageDraw.ImageDraw,
    shape: int,
    middle: tuple[float, float],
    radius: float,
    turned: float,
    colour: tuple[int, ...],
) -> None:
    x, y = middle
    if shape == 0:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    elif shape == 1:
        corners = turned + np.arange(4) * np.pi / 2
        draw.polygon([(x + radius * np.cos(at), y + radius * np.sin(at)) for at in corners], fill=colour)
    else:
        along, across = 2 * radius * np.cos(turned), 2 * radius * np.sin(turned)
        ends = (x - along, y - across, x + along, y + across)
        draw.line(ends, fill=colour, width=max(1, int(radius / 4)))


def rings() -> np.ndarray:
    """Coloured rings that get narrower from the middle to the edge, where one is two pixels wide."""
    across, along = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    phase = (across**2 + along**2) * np.pi / 576
    return np.stack([127.5 + 127.5 * np.sin(phase + shift) for shift in (0, 2, 4)], -1)


def surfaces(seed: int) -> np.ndarray:
    """Plain dark and light squares of 32 pixels."""
    squares = np.random.default_rng(seed).integers(0, 2, (SIDE // 32, SIDE // 32, 1)) * 128.0 + 64
    return np.kron(np.repeat(squares, 3, -1), np.ones((32, 32, 1)))


DRAWINGS: dict[str, Callable[[], np.ndarray]] = {
    "texture": lambda: leaves(5, (2, 40), 10000, grain=16),
    "flat": lambda: np.full((SIDE, SIDE, 3), 118.0),
    "dark": lambda: leaves(1, (4, 140), 1600, grain=12) * 0.15,
    "overexposed": lambda: leaves(2, (4, 140), 1600, grain=12) * 2.2 + 60,
    "rings": rings,
    "surfaces": lambda: surfaces(6),
}


def drawn(name: str) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8 RGB."""
    return DRAWINGS[name]().clip(0, 255).astype(np.uint8)


def main() -> int:
    """Write every picture."""
    for name in DRAWINGS:
        path = Path(str(PICTURES)) / f"{name}.png"
        Image.fromarray(drawn(name)).save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

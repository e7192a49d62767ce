"""What the procedure in Python does with an export, recorded for the test program of a C++ tracker."""

from contextlib import ExitStack

import numpy as np

from converter.proof.boxes import Box
from converter.track.export import TrackingExport
from converter.track.table import line_of

WIDTH, HEIGHT, FRAMES = 160, 120, 6  # as check.cpp has them
TITLES = ("frame", "x", "y", "w", "h", "score")
START = Box(60.0, 45.0, 36.0, 28.0)
STEP = (3, 2)  # pixels a frame


def frames() -> list[np.ndarray]:
    """A bright, textured rectangle on its way over a smooth picture; (HEIGHT, WIDTH, 3) uint8 RGB."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(40, 120, (HEIGHT // 20 + 1, WIDTH // 20 + 1, 3))
    ground = np.kron(coarse, np.ones((20, 20, 1)))[:HEIGHT, :WIDTH]
    target = np.kron(generator.integers(120, 256, (7, 9, 3)), np.ones((4, 4, 1)))
    found = []
    for index in range(FRAMES):
        frame = ground + generator.integers(-6, 7, ground.shape)
        left, top = int(START.x) + index * STEP[0], int(START.y) + index * STEP[1]
        frame[top : top + target.shape[0], left : left + target.shape[1]] = target
        found.append(np.clip(frame, 0, 255).astype(np.uint8))
    return found


def recorded(export: TrackingExport, outputs: tuple[str, ...]) -> dict[str, bytes]:
    """Name to content of the files in the folder ``golden``.

    Args:
        outputs: what the tracker reads of an answer, in the order in which C++ has it.

    Raises:
        ConversionError, VerificationError: from the models.
    """
    clip, answer = frames(), b""
    with ExitStack() as running:
        procedure, model = export.procedure(running)
        lines = [line_of(TITLES), _row(0, *START.values, procedure.start(clip[0], START).score)]
        for index, frame in enumerate(clip[1:], 1):
            answered = model.track(*procedure.look(frame))
            if index == 1:
                answer = b"".join(answered[name].astype("<f4").tobytes() for name in outputs)
            estimate = procedure.follow(answered, frame)
            lines.append(_row(index, *estimate.box.values, estimate.score))
    return {
        "frames.bgr": b"".join(frame[..., ::-1].tobytes() for frame in clip),
        "answer.f32": answer,
        "track.csv": "".join(lines).encode(),
    }


def _row(index: int, *values: float) -> str:
    return line_of([str(index), *(repr(float(value)) for value in values)])

"""Crops along the official tracks of clips: what a tracker gives its network, for judging which models are wrong."""

import csv
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from converter.families.lighttrack.tracking import corner
from converter.families.siamese import context_side, crop
from converter.proof.boxes import Box
from converter.proof.feeds import Feed, normalised
from converter.spec.network import NetworkSpec
from converter.track.frames import open_clip


def crops_of(clip: Path, track: Path, network: NetworkSpec, count: int) -> list[Feed]:
    """Templates of frames spread over a clip, and the search crops of the frames that follow.

    Args:
        track: CSV of x, y, w, h of every frame.
    """
    with track.open() as file:
        boxes = [Box(*(float(row[key]) for key in ("x", "y", "w", "h"))) for row in csv.DictReader(file)]
    wanted = np.linspace(0, len(boxes) - 2, count).astype(int)
    return [
        _pair(clip.name, index, *pair, boxes[index], network) for index, pair in _frames(clip, set(wanted.tolist()))
    ]


def _frames(clip: Path, wanted: set[int]) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
    before: np.ndarray | None = None
    with closing(open_clip(clip).frames()) as frames:
        for index, frame in enumerate(frames):
            if before is not None and index - 1 in wanted:
                yield index - 1, (before, frame)
            before = frame


def _pair(clip: str, index: int, first: np.ndarray, second: np.ndarray, box: Box, network: NetworkSpec) -> Feed:
    side = float(context_side(box.w, box.h, network.tracker["context_amount"]))
    tensors = {}
    for name, frame, size in (("z", first, network.template_size), ("x", second, network.search_size)):
        wide = round(side * size / network.template_size)
        pixels = crop(frame, corner(box.centre, wide), wide, size, frame.mean(axis=(0, 1)))
        tensors[name] = normalised(pixels, network.preprocess)
    return Feed(f"{clip} frame {index}", tensors)

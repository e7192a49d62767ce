"""Clips and the targets in them, as options name them."""

from collections.abc import Sequence
from pathlib import Path

from converter.errors import UsageError
from converter.proof.boxes import Box, check_box, parse_box
from converter.track.frames import Clip, open_clip


def opened_clips(clips: Sequence[Path], box: str | Sequence[str]) -> tuple[tuple[Clip, Box], ...]:
    """The clips, each with the box of its target.

    Raises:
        UsageError: when one has none, or cannot be used.
    """
    boxes = (box,) if isinstance(box, str) else tuple(box)
    if len(clips) != len(boxes):
        raise UsageError(
            f"{len(clips)} of --clip and {len(boxes)} of --box: expected a --box x,y,w,h for each --clip, in order"
        )
    places = [parse_box(text) for text in boxes]
    opened = tuple((open_clip(path), place) for path, place in zip(clips, places, strict=True))
    for clip, place in opened:
        check_box(place, clip.size)
    return opened

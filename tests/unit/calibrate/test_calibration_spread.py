"""Which frames of a clip are chosen to calibrate on."""

import numpy as np
import pytest

from converter.calibrate.spread import Thinned, spread


@pytest.mark.parametrize("frames", [1, 5, 9, 100, 1001])
def test_of_any_clip_frames_from_beginning_to_end_are_kept(frames):
    kept = Thinned(8)
    for index in range(frames):
        if kept.wants(index):
            kept.add(index)
    assert len(kept.items) <= 8
    assert len(kept.items) >= min(frames, 4)
    steps = np.diff(kept.items)
    assert kept.items[0] == 0
    assert len({*steps}) <= 1
    assert frames <= kept.items[-1] + (steps[0] if len(steps) else 1)


def test_every_stretch_of_time_gives_one():
    chosen = spread([10.0] * 100, [0.9] * 100, 10, 0)
    assert [place // 10 for place in chosen] == list(range(10))
    assert spread([10.0] * 4, [0.9] * 4, 10, 0) == [0, 1, 2, 3]


def test_rare_sizes_and_scores_are_chosen_where_a_stretch_has_some():
    """One frame of ten is large, another has a low score; by chance alone they would be missed."""
    sizes, scores = [[10.0] * 60 for _ in range(2)]
    for stretch in range(6):
        sizes[10 * stretch + 3], scores[10 * stretch + 7] = 40.0, 0.1
        for place in range(10 * stretch, 10 * stretch + 10):
            sizes[place] += place / 1000
            scores[place] += place / 1000
    chosen = spread(sizes, scores, 6, 0)
    thirds = [sorted(sizes).index(sizes[place]) // 20 for place in chosen]
    assert {thirds.count(part) for part in range(3)} == {2}
    thirds = [sorted(scores).index(scores[place]) // 20 for place in chosen]
    assert max(thirds.count(part) for part in range(3)) <= 3


def test_the_seed_decides_between_equals():
    sizes, scores = [10.0] * 50, [0.9] * 50
    assert spread(sizes, scores, 5, 3) == spread(sizes, scores, 5, 3)
    assert len({tuple(spread(sizes, scores, 5, seed)) for seed in range(6)}) > 3

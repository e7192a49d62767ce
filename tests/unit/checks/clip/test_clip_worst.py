"""The pictures kept are those of the worst frames, not next to each other, and small."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from clips import frame, row

from converter.checks.clip.worst import WorstFrames


def kept(**overlaps):
    """Indices of the thumbnails of a clip with these overlaps from frame 1 on."""
    worst = WorstFrames(overlaps)
    count = len(next(iter(overlaps.values())))
    for index in range(count + 1):
        found = {name: values[index - 1] if index else 1.0 for name, values in overlaps.items()}
        worst.offer(row(index, **found), frame(0))
    return [index for index, _ in worst.thumbnails()]


def test_the_worst_frames_are_kept_in_their_order():
    values = [0.99] * 200
    for index, value in {150: 0.2, 20: 0.5, 90: 0.3, 60: 0.4, 120: 0.6, 10: 0.7, 180: 0.8}.items():
        values[index - 1] = value
    assert kept(a=values) == [10, 20, 60, 90, 120, 150]


def test_neighbours_of_a_worse_frame_are_left_out():
    values = [0.9] * 60
    values[28:33] = [0.5, 0.3, 0.1, 0.2, 0.4]  # frames 29 to 33
    assert 31 in kept(a=values)
    found = kept(a=values)
    assert all(later - index >= 5 for index, later in pairwise(found))


@pytest.mark.parametrize("values", [np.linspace(1, 0, 300), np.linspace(0, 1, 300), np.full(300, 0.5), np.zeros(300)])
def test_however_the_overlap_runs_there_are_a_few_pictures_apart(values):
    found = kept(a=values.tolist())
    assert len(found) == 6
    assert all(later - index >= 5 for index, later in pairwise(found))
    assert min(values[index - 1] for index in found) == values.min()
    assert max(values[index - 1] for index in found) < values.min() + 0.15


def test_every_candidate_has_its_worst_frame_among_them():
    a, b = [0.95] * 200, [0.97] * 200
    for place in range(10):
        a[10 * place + 20] = 0.1  # frames 21, 31, ...
    b[179] = 0.9
    found = kept(a=a, b=b)
    assert 180 in found
    assert len(found) == 6


def test_the_first_frame_and_frames_without_an_overlap_are_no_thumbnails():
    worst = WorstFrames(["a"])
    worst.offer(row(0, a=0.0), frame(0))
    worst.offer(row(1, a=None), frame(0))
    assert worst.thumbnails() == ()
    assert WorstFrames([]).thumbnails() == ()


def test_a_thumbnail_is_a_small_jpeg():
    worst = WorstFrames(["a"])
    worst.offer(row(3, a=0.5), frame(0, (1920, 1080)))
    ((index, data),) = worst.thumbnails()
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert index == 3
    assert data.startswith(b"\xff\xd8")
    assert picture.shape[1] == 480
    assert 270 < picture.shape[0] < 340
    blue, _, red = picture[:180].reshape(-1, 3).mean(axis=0)  # OpenCV's order; the frame is bluish
    assert blue > red + 20

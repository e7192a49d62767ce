"""Which clips judge, which of their frames are looked at, and what the network remembers of them."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from clips import DIMENSIONS, SPEC, START, BrightModel, save_video

from converter.quantize.clips import (
    LOWEST_FLOOR,
    Wanted,
    looks_at_pictures,
    not_survived,
    sha256_of,
    spread_over,
    steps_of,
    watch,
)
from converter.quantize.memory import Memory
from converter.spec.model import TrackerModels
from converter.track.frames import open_clip
from converter.util.stages import no_step


@dataclass
class Report:
    """As much of a clip's report as the rule looks at."""

    tracked: int = 100
    lost: tuple = ()
    problem: str | None = None
    floor: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(iou_mean=0.99))


def test_a_clip_that_the_network_survives_judges():
    assert not_survived(Report()) == ""
    assert not_survived(Report(lost=(0,) * 49)) == ""
    assert not_survived(Report(floor=SimpleNamespace(iou_mean=LOWEST_FLOOR))) == ""


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (Report(lost=(0,) * 50), "lost the target in 50 of 100 frames"),
        (Report(problem="frame 3: NaN"), "the network stopped: frame 3: NaN"),
        (Report(floor=SimpleNamespace(iou_mean=0.8999)), "under noise overlaps by 0.8999"),
        (Report(floor=SimpleNamespace(iou_mean=None)), "under noise overlaps by"),
    ],
)
def test_a_clip_that_it_does_not_is_dropped_with_a_reason(report, reason):
    assert reason in not_survived(report)


@pytest.mark.parametrize(
    ("places", "most", "expected"),
    [
        ([1, 2, 3], 5, [1, 2, 3]),
        ([1, 2, 3, 4], 4, [1, 2, 3, 4]),
        (list(range(1, 101)), 4, [25, 50, 75, 100]),
        ([5, 9, 70], 1, [70]),
        (list(range(10)), 3, [2, 6, 9]),
    ],
)
def test_frames_are_spread_to_the_end(places, most, expected):
    assert spread_over(places, most) == expected


class Counting:
    """A model that says which template it knows and how often it was asked."""

    def __init__(self):
        self.asked, self.known = 0, None

    def template(self, z, mask=None):
        self.known = float(z.sum()) + (0 if mask is None else float(mask.sum()))

    def track(self, x, mask=None):
        self.asked += 1
        return {"cls": np.array([self.known + float(x.sum()) + (0 if mask is None else float(mask.sum()))])}


def test_what_the_network_has_answered_is_not_computed_again():
    model = Counting()
    memory, one, two = Memory(model), np.ones((1, 2)), np.full((1, 2), 2.0)
    for _ in range(2):
        memory.template(one)
        assert (memory.track(one)["cls"], memory.track(two)["cls"]) == (4, 6)
        memory.template(two)
        assert (memory.track(one)["cls"], memory.track(two)["cls"]) == (6, 8)
    assert model.asked == 4


def test_a_mask_is_part_of_the_crop():
    model = Counting()
    memory, crop = Memory(model), np.ones((1, 2))
    memory.template(crop, np.ones((1, 3)))
    assert memory.track(crop, np.zeros((1, 3)))["cls"] == 7
    assert memory.track(crop, np.ones((1, 3)))["cls"] == 10
    assert memory.track(crop)["cls"] == 7
    memory.template(crop)
    assert memory.track(crop)["cls"] == 4
    assert model.asked == 4


def test_pictures_in_a_folder_have_a_checksum_too(tmp_path):
    def clip(*frames):
        return SimpleNamespace(path=tmp_path, frames=lambda: (frame for frame in frames))

    one, two = np.zeros((2, 2, 3), np.uint8), np.ones((2, 2, 3), np.uint8)
    assert sha256_of(clip(one, two)) == sha256_of(clip(one, two)) != sha256_of(clip(two, one))
    (tmp_path / "a.bin").write_bytes(b"abc")
    file = SimpleNamespace(path=tmp_path / "a.bin", frames=None)
    assert sha256_of(file).startswith("ba7816bf")


@pytest.fixture
def watched(tmp_path):
    """A drawn clip, as a model sees it that finds what is drawn."""
    clip = open_clip(save_video(tmp_path / "drawn.avi", 14))
    tracker = TrackerModels(SPEC, DIMENSIONS, ())
    return watch(clip, START, Memory(BrightModel()), tracker, Wanted(frames=4, samples=3, seed=0), no_step)


def test_a_clip_is_watched_once_for_frames_and_samples(watched):
    assert watched.dropped == ""
    assert [look.index for look in watched.looks] == [3, 6, 10, 13]
    assert len(watched.samples) == 3
    assert (watched.entry.frames, watched.entry.name, watched.entry.box) == (14, "drawn.avi", [30, 20, 16, 12])
    assert len({id(look.procedure) for look in watched.looks}) == 4
    assert len({look.procedure.state.centre for look in watched.looks}) == 4


def test_a_look_is_one_step_from_where_the_network_was(watched):
    assert [step.iou for step in steps_of(watched.looks, BrightModel(), 1e-5)] == pytest.approx([1.0] * 4)
    off = [step.iou for step in steps_of(watched.looks, BrightModel(drift=2), 1e-5)]
    assert all(0.3 < iou < 0.98 for iou in off)


def test_an_answer_that_cannot_be_used_is_worth_nothing(watched):
    def broken(answer):
        return {**answer, "cls": np.full_like(answer["cls"], np.nan)}

    steps = list(steps_of(watched.looks, BrightModel(broken_at=1, broken=broken), 1e-5))
    assert [step.iou > 0.9 for step in steps] == [True, False, True, True]


def test_every_pair_of_pictures_shows_its_own_target():
    class Noting(BrightModel):
        shown = 0

        def template(self, z, mask=None):
            self.shown += 1
            super().template(z, mask)

    looks = looks_at_pictures(BrightModel(), TrackerModels(SPEC, DIMENSIONS, ()))
    model = Noting()
    assert len(list(steps_of(looks, model, 1e-5))) == len(looks) == 30
    assert model.shown == 30

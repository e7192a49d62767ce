"""Models on the frames that a search looked at: one step, what passes, and what the verdict says of itself."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from converter.checks.clip.one_step import Step
from converter.errors import ConversionError
from converter.formats.format import format_of
from converter.quantize import whole
from converter.quantize.trials import Int8Models, device_bytes
from converter.quantize.whole import about_judging, on_clips, on_looks
from converter.spec.tensors import StepLimits
from converter.util.content import Content
from converter.util.stages import Stages, no_step

TRACKER = SimpleNamespace(
    network=SimpleNamespace(step_limits=lambda precision: StepLimits(iou=0.97, smallest=0.8), box_tie=lambda _: 1e-5)
)


class Stopping:
    stopped = 0

    def infer(self, feed):
        return {}

    def stop(self):
        self.stopped += 1


class Overlaps:
    """A model that answers with overlaps, one after the other, and fails at None."""

    def __init__(self, overlaps):
        self.runners, self.overlaps = {"only": Stopping()}, list(overlaps)

    def template(self, crop): ...

    def track(self, crop):
        answer = self.overlaps.pop(0)
        if answer is None:
            raise ConversionError("the run failed")
        return answer


def clip(frames=2):
    looks = [SimpleNamespace(index=7 * n, procedure=None, template=(0,), crop=(n,), answer=None) for n in range(frames)]
    return SimpleNamespace(entry=SimpleNamespace(name="one.avi"), looks=tuple(looks))


@pytest.fixture(autouse=True)
def stepped(monkeypatch):
    monkeypatch.setattr(whole, "one_step", lambda procedure, answer, expected, tie: Step(answer, True, 0.0))


@pytest.mark.parametrize(
    ("overlaps", "mean", "failure"),
    [
        ([1.0, 0.96], 0.98, ""),
        ([1.0, 0.9], 0.95, "mean overlap 0.95 in one step over 2 frames, expected 0.97 or more"),
        ([1.0, None], 1.0, "frame 7: the run failed"),
        ([None], None, "frame 0: the run failed"),
    ],
)
def test_one_step_on_the_frames_that_were_looked_at(overlaps, mean, failure):
    model = Overlaps(overlaps)
    found = on_looks(clip(), {"name": lambda: model}, TRACKER, no_step)["name"]
    assert found.mean == (None if mean is None else pytest.approx(mean))
    assert bool(found) == (not failure)
    assert found.failure.startswith(failure)
    assert (found.free, found.floor) == (None, None)
    assert found.as_dict()["frames"] == found.frames == len([each for each in overlaps if each is not None])
    assert model.runners["only"].stopped == 1


def test_a_clip_of_which_nothing_was_looked_at_passes_nobody():
    assert not on_looks(clip(0), {"name": lambda: Overlaps([])}, TRACKER, no_step)["name"]


def test_a_simulator_is_shown_those_frames_only_and_the_verdict_says_so():
    rknn, clips = format_of("rknn"), [clip(2), clip(2)]
    found = on_clips(rknn, clips, [{"a": lambda: Overlaps([1, 1])}] * 2, TRACKER, Stages())
    assert [each.frames for each in found["a"]] == [2, 2]
    said = "in the simulator, in one step on {} of each clip; free running was not judged"
    assert about_judging(rknn, clips) == said.format("2 frames")
    assert about_judging(rknn, [clip(3), clip(1)]) == said.format("1 to 3 frames")
    assert about_judging(format_of("ncnn"), clips) == "each clip whole, in one step and free running"


def test_a_source_is_no_part_of_what_a_device_takes_and_stands_for_it_as_a_draft():
    sizes = {"a.rknn": 5, "a.rknn.onnx": 100}
    assert device_bytes(format_of("rknn"), sizes) == 5
    assert device_bytes(format_of("ncnn"), {"a.param": 1, "a.bin": 2}) == 3
    files = {"model": tuple(Content.holding(Path(name), bytes(size)) for name, size in sizes.items())}
    assert Int8Models(format_of("rknn"), files).bytes == 5
    assert Int8Models(format_of("rknn"), files, draft=True).bytes == 105

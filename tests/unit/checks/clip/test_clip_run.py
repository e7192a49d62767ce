"""A whole clip with models that need no network: figures, failures, and what is kept in memory."""

import json
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from clips import DIMENSIONS, SPEC, START, BrightModel, frame, report, row, save_video

from converter.checks.clip.run import run_clip
from converter.errors import UsageError
from converter.proof.boxes import Box, overlap
from converter.track.frames import Clip, open_clip


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return save_video(tmp_path_factory.mktemp("clip") / "drawn.avi", 30)


def run(clip, candidates, **options):
    options = {"reference": BrightModel(), "min_iou": 0.9, **options}
    clip = clip if isinstance(clip, Clip) else open_clip(clip)
    return run_clip(clip, START, options.pop("reference"), candidates, SPEC, DIMENSIONS, **options)


def poison(name, value):
    def change(answer):
        answer[name].flat[5] = value
        return answer

    return change


def test_the_same_model_twice_overlaps_by_one(video):
    result = run(video, {"ncnn": BrightModel()})
    candidate = result.candidates[0]
    assert result
    assert result.failure() == ""
    assert (candidate.iou_mean, candidate.iou_smallest, candidate.first_below) == (1.0, 1.0, None)
    assert (candidate.score_max, candidate.score_mean, candidate.tracked) == (0.0, 0.0, 29)
    assert [frame.index for frame in result.frames] == list(range(30))
    assert result.frames[0].reference.box == START
    assert result.frames[0].candidates["ncnn"].score == 1.0
    assert result.frames[29].reference.box.centre == pytest.approx((38 + 29, 26 + 14), abs=2)


def test_every_model_follows_its_own_box(video):
    """A candidate that drifts cuts its next crop where it believes the target to be."""
    result = run(video, {"straight": BrightModel(), "drifting": BrightModel(drift=3.0)})
    straight, drifting = result.candidates
    assert straight.iou_mean == 1.0
    assert 0.3 < drifting.iou_mean < 0.95
    last = result.frames[-1]
    assert last.candidates["drifting"].box.x > last.reference.box.x + 1


def test_figures_are_of_the_frames_after_the_first(video):
    result = run(video, {"ncnn": BrightModel(drift=2.0)})
    overlaps = [overlap(item.reference.box, item.candidates["ncnn"].box) for item in result.frames[1:]]
    differences = [abs(item.reference.score - item.candidates["ncnn"].score) for item in result.frames[1:]]
    candidate = result.candidates[0]
    assert [item.overlaps["ncnn"] for item in result.frames] == [1.0, *overlaps]
    assert candidate.iou_mean == pytest.approx(np.mean(overlaps))
    assert candidate.iou_smallest == min(overlaps)
    assert candidate.iou_smallest_frame == 1 + int(np.argmin(overlaps))
    assert candidate.first_below == next((index for index, value in enumerate(overlaps, 1) if value < 0.9), None)
    assert candidate.score_max == max(differences)
    assert candidate.score_mean == pytest.approx(np.mean(differences))


def test_the_floor_decides(video):
    mean = run(video, {"ncnn": BrightModel(drift=2.0)}).candidates[0].iou_mean
    assert run(video, {"ncnn": BrightModel(drift=2.0)}, min_iou=mean)
    low = run(video, {"good": BrightModel(), "bad": BrightModel(drift=2.0)}, min_iou=math.nextafter(mean, 1))
    assert not low
    assert bool(low.candidates[0])
    assert low.failure().startswith("drawn.avi: bad: mean overlap 0.")
    assert "over 29 frames" in low.failure()
    assert "good" not in low.failure()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["cls", "reg"])
def test_a_value_that_is_not_finite_fails_and_names_the_frame(video, name, value):
    broken = BrightModel(broken_at=11, broken=poison(name, value))
    result = run(video, {"ncnn": broken, "onnx": BrightModel()})
    assert not result
    assert result.candidates[0].problem.startswith("frame 12: 1 of ")
    assert f"values of {name} are NaN or infinite" in result.failure()
    assert result.candidates[0].tracked == 11
    assert result.frames[12].candidates["ncnn"] is None
    assert result.frames[12].overlaps["ncnn"] is None
    assert bool(result.candidates[1])  # the other one went on
    assert result.candidates[1].tracked == 29


def test_a_model_that_gives_up_is_a_result(video):
    result = run(video, {"ncnn": BrightModel(fail_at=4), "onnx": BrightModel()})
    assert result.candidates[0].problem == "frame 5: the runtime gave up"
    assert result.failure() == "drawn.avi: ncnn: frame 5: the runtime gave up"
    assert len(result.frames) == 30


def test_the_clip_ends_when_nobody_is_left_to_compare(video):
    result = run(video, {"ncnn": BrightModel(fail_at=4), "onnx": BrightModel(fail_at=7)})
    assert len(result.frames) == 9
    assert not result


def test_a_reference_that_gives_up_fails_whatever_the_candidates_did(video):
    result = run(video, {"ncnn": BrightModel()}, reference=BrightModel(fail_at=3))
    assert result.problem == "frame 4: the runtime gave up"
    assert result.failure() == "drawn.avi: the reference: frame 4: the runtime gave up"
    assert bool(result.candidates[0])
    assert not result
    assert len(result.frames) == 4


def test_a_reference_that_does_not_begin_leaves_nothing_compared(video, tmp_path):
    broken = BrightModel()
    broken.template = lambda z, mask: poison("cls", 0) and broken.track(np.zeros((1, 3, 64, 64))) and 1 / 0
    with pytest.raises(ZeroDivisionError):  # not one of ours: a defect, and it keeps its traceback
        run(video, {"ncnn": BrightModel()}, reference=broken)
    result = run(video, {"ncnn": BrightModel()}, reference=BrightModel(fail_at=0), annotate=tmp_path / "out")
    assert not result
    assert result.candidates[0].failure() == "ncnn: no frame was compared"
    json.dumps(result.as_dict(), allow_nan=False)


def test_without_candidates_nothing_is_proved(video):
    result = run(video, {})
    assert not result
    assert len(result.frames) == 30
    assert result.failure() == "drawn.avi: no model to compare"


def test_the_section_is_json(video):
    section = json.loads(json.dumps(run(video, {"ncnn": BrightModel(drift=1.0)}).as_dict(), allow_nan=False))
    assert section["clip"] == {"name": "drawn.avi", "width": 120, "height": 90, "fps": 25.0}
    assert section["box"] == [30, 20, 16, 12]
    assert section["passed"] is (section["candidates"][0]["iou"]["mean"] >= 0.9)
    assert section["reference"]["tracked"] == 29
    assert section["reference"]["milliseconds"] > 0
    assert section["reference"]["fps"] > 0
    assert len(section["frames"]) == 30
    frame = section["frames"][7]
    assert frame["frame"] == 7
    assert len(frame["reference"]["box"]) == len(frame["candidates"]["ncnn"]["box"]) == 4
    assert frame["candidates"]["ncnn"].keys() == {"box", "score", "iou"}


def test_the_section_of_a_failed_run_is_json_too(video):
    section = run(video, {"ncnn": BrightModel(broken_at=0, broken=poison("cls", math.nan))}).as_dict()
    text = json.dumps(section, allow_nan=False)
    assert json.loads(text)["candidates"][0]["iou"]["mean"] is None


def test_a_box_outside_the_clip_is_refused(video):
    with pytest.raises(UsageError, match="outside the frame"):
        run_clip(open_clip(video), Box(500, 20, 10, 10), BrightModel(), {}, SPEC, DIMENSIONS, 0.9)


def test_time_of_the_network_is_its_own(video, monkeypatch):
    import time

    class Slow(BrightModel):
        def track(self, x, mask=None):
            time.sleep(0.01)
            return super().track(x, mask)

    result = run(video, {"slow": Slow(), "fast": BrightModel()})
    slow, fast = result.candidates
    assert slow.speed.milliseconds > 10 > fast.speed.milliseconds
    assert slow.speed.fps < 100 < fast.speed.fps


def test_a_mean_that_just_misses_is_not_rounded_to_the_floor():
    close = report([row(0, a=1.0), row(1, a=0.8999999)])
    assert "mean overlap 0.8999999 over" in close.failure()


def test_memory_does_not_grow_with_the_clip():
    def peak(count):
        pixels = frame(0)
        clip = Clip(Path("made"), (120, 90), None, lambda: (pixels.copy() for _ in range(count)))
        tracemalloc.start()
        assert run(clip, {"a": BrightModel(), "b": BrightModel(drift=1.0)}).frames[-1].index == count - 1
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    short, long = peak(100), peak(300)
    assert long - short < 20 * 120 * 90 * 3  # rows of numbers; keeping the frames would be ten times that


def test_every_frame_is_told(video):
    told = []
    assert run(video, {"ncnn": BrightModel()}, step=lambda *parts: told.append(parts))
    assert told == [(frame + 1, 30) for frame in range(30)]

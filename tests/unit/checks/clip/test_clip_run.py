"""A whole clip with models that need no network: figures, failures, and what is kept in memory."""

import json
import math
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clips import DIMENSIONS, SPEC, START, BrightModel, frame, report, row, save_video

from converter.checks.clip.marks import SETTLING
from converter.checks.clip.run import SEEDS, Judgement, run_clip
from converter.errors import UsageError
from converter.proof.boxes import Box, overlap
from converter.spec.tensors import Tolerance
from converter.track.frames import Clip, open_clip

JUDGEMENT = Judgement.of(SPEC)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return save_video(tmp_path_factory.mktemp("clip") / "drawn.avi", 30)


def run(clip, candidates, **options):
    options = {"reference": BrightModel(), "judgement": JUDGEMENT, **options}
    clip = clip if isinstance(clip, Clip) else open_clip(clip)
    return run_clip(clip, START, options.pop("reference"), candidates, SPEC, DIMENSIONS, **options)


def limited(**limits):
    return replace(JUDGEMENT, limits=JUDGEMENT.limits.model_copy(update=limits))


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
    assert (candidate.free.iou_mean, candidate.free.iou_smallest, candidate.free.first_below) == (1.0, 1.0, None)
    assert (candidate.free.score_max, candidate.free.score_mean, candidate.free.tracked) == (0.0, 0.0, 29)
    assert [frame.index for frame in result.frames] == list(range(30))
    assert result.frames[0].reference.box == START
    assert result.frames[0].candidates["ncnn"].score == 1.0
    assert result.frames[29].reference.box.centre == pytest.approx((38 + 29, 26 + 14), abs=2)


def test_every_model_follows_its_own_box(video):
    """A candidate that drifts cuts its next crop where it believes the target to be."""
    result = run(video, {"straight": BrightModel(), "drifting": BrightModel(drift=3.0)})
    straight, drifting = result.candidates
    assert straight.free.iou_mean == 1.0
    assert 0.3 < drifting.free.iou_mean < 0.95
    last = result.frames[-1]
    assert last.candidates["drifting"].box.x > last.reference.box.x + 1


def test_figures_are_of_the_frames_after_the_first(video):
    result = run(video, {"ncnn": BrightModel(drift=2.0)})
    overlaps = [overlap(item.reference.box, item.candidates["ncnn"].box) for item in result.frames[1:]]
    differences = [abs(item.reference.score - item.candidates["ncnn"].score) for item in result.frames[1:]]
    candidate = result.candidates[0]
    assert [item.overlaps["ncnn"] for item in result.frames] == [1.0, *overlaps]
    assert candidate.free.iou_mean == pytest.approx(np.mean(overlaps))
    assert candidate.free.iou_smallest == min(overlaps)
    assert candidate.free.iou_smallest_frame == 1 + int(np.argmin(overlaps))
    assert candidate.free.first_below == next((index for index, value in enumerate(overlaps, 1) if value < 0.9), None)
    assert candidate.free.score_max == max(differences)
    assert candidate.free.score_mean == pytest.approx(np.mean(differences))


def test_one_step_is_from_where_the_reference_is(video):
    """The candidate is off by three pixels of the crop in every frame, and never more, wherever its own track went."""
    result = run(video, {"straight": BrightModel(), "drifting": BrightModel(drift=3.0)})
    straight, drifting = result.candidates
    assert bool(straight)
    assert straight.held.iou_mean == pytest.approx(1.0, abs=1e-12)
    assert straight.held.frames == 29
    assert (straight.held.other_cells, straight.held.score_max) == (0, 0.0)
    scales = [31 / np.sqrt((w + (w + h) / 2) * (h + (w + h) / 2)) for w, h in before(result)]
    sides = [(step.iou, 3.0 / scale) for step, scale in zip(steps(result, "drifting"), scales, strict=True)]
    for iou, off in sides:
        assert iou == pytest.approx((16 - off) / (16 + off), abs=0.08)
    assert drifting.held.iou_smallest > drifting.free.iou_smallest


def before(result):
    """(width, height) of the reference's box in the frame before each."""
    return [(row.reference.box.w, row.reference.box.h) for row in result.frames[:-1]]


def steps(result, name):
    return [row.steps[name] for row in result.frames[1:]]


def test_one_step_decides(video):
    mean = run(video, {"ncnn": BrightModel(drift=2.0)}).candidates[0].held.iou_mean
    assert run(video, {"ncnn": BrightModel(drift=2.0)}, judgement=limited(iou=mean, score=1.0))
    close = limited(iou=math.nextafter(mean, 1), score=1.0)
    low = run(video, {"good": BrightModel(), "bad": BrightModel(drift=2.0)}, judgement=close)
    assert not low
    assert bool(low.candidates[0])
    assert low.failure().startswith("drawn.avi: bad: mean overlap 0.")
    assert "in one step over 29 frames" in low.failure()
    assert "good" not in low.failure()


def test_the_same_boxes_with_other_scores_fail(video):
    class Unsure(BrightModel):
        def track(self, x, mask=None):
            answer = super().track(x, mask)
            return {**answer, "cls": answer["cls"] - 4}

    result = run(video, {"ncnn": Unsure()})
    assert not result
    assert result.candidates[0].held.iou_mean > 0.999
    assert "the score is off by" in result.failure()


def test_the_floor_is_what_the_reference_loses_with_noise_of_the_tolerance(video):
    exact = run(video, {"ncnn": BrightModel()}, judgement=replace(JUDGEMENT, tolerances={}))
    assert (exact.floor.seeds, exact.floor.iou_mean, exact.floor.iou_smallest) == (SEEDS, 1.0, 1.0)
    wide = replace(JUDGEMENT, tolerances={"reg": Tolerance(rtol=0.05), "cls": Tolerance()})
    noisy = run(video, {"ncnn": BrightModel()}, judgement=wide)
    assert noisy.floor.iou_smallest < noisy.floor.iou_lowest < noisy.floor.iou_mean < 0.99
    assert len({row.noisy for row in noisy.frames}) > 20
    assert noisy.candidates[0].free.iou_mean == 1.0
    assert noisy


def test_free_running_decides_where_the_limits_say_how_far_below_the_floor(video):
    """A model that drifts is judged against what the reference itself keeps under noise."""
    loose = limited(iou=0.0, score=1.0)
    drifting = run(video, {"ncnn": BrightModel(drift=2.0)}, judgement=loose)
    off = drifting.floor.iou_mean - drifting.candidates[0].free.iou_mean
    assert 0.05 < off < 0.9
    assert drifting
    for allowed, passes in ((off + 1e-9, True), (off - 1e-3, False)):
        result = run(
            video,
            {"ncnn": BrightModel(drift=2.0)},
            judgement=replace(loose, limits=loose.limits.model_copy(update={"below_floor": allowed})),
        )
        assert bool(result) is passes
    assert "free running, expected" in result.failure()
    assert "below its floor" in result.failure()


@pytest.mark.parametrize("precision", ["w8", "int8"])
def test_the_floor_of_weights_in_bytes_is_that_of_float32(precision):
    """Noise as wide as what their outputs may be off by would lower it, and a bad model would pass."""
    wide = dict.fromkeys(SPEC.tensors, Tolerance(rtol=9.0))
    judged = Judgement.of(SPEC, precision, tolerances=wide)
    assert judged.tolerances == SPEC.tolerances["fp32"] != SPEC.tolerances[precision]
    assert judged.tie == SPEC.tie("half") < SPEC.tie(precision)
    assert (judged.limits.smallest, judged.limits.below_floor) == (0.8, 0.04)
    assert Judgement.of(SPEC, precision, 0.5).limits == judged.limits.model_copy(update={"iou": 0.5})
    half = Judgement.of(SPEC, "half")
    assert (half.tolerances, half.tie) == (SPEC.tolerances["half"], SPEC.tie("half"))
    assert Judgement.of(SPEC, "half", tolerances=wide).tolerances is wide


def test_trackers_that_look_at_the_same_crop_share_an_answer(video):
    """Without noise all are where the reference is: a frame costs one run of each model."""
    reference, candidate = BrightModel(), BrightModel()
    judgement = replace(JUDGEMENT, tolerances={})
    assert run(video, {"ncnn": candidate}, reference=reference, judgement=judgement)
    assert (reference.calls, candidate.calls) == (29, 29)


def test_a_cut_is_marked_and_its_frames_are_counted_apart():
    frames = [frame(index) for index in range(30)]
    frames[12:] = [255 - (255 - pixels) // 2 * (pixels < 200) for pixels in frames[12:]]
    frames[12:] = [pixels.astype(np.uint8) for pixels in frames[12:]]
    clip = Clip(Path("cut"), (120, 90), None, lambda: iter(pixels.copy() for pixels in frames))
    result = run(clip, {"ncnn": BrightModel()})
    assert [row.index for row in result.lost] == list(range(12, 13 + SETTLING))
    assert "cut" in result.frames[12].lost
    assert {row.lost for row in result.frames[13 : 13 + SETTLING]} == {("after",)}
    candidate = result.candidates[0]
    assert (candidate.held.frames, candidate.lost.frames) == (29 - 1 - SETTLING, 1 + SETTLING)
    section = result.as_dict()
    assert section["lost_frames"] == list(range(12, 13 + SETTLING))
    assert section["candidates"][0]["one_step"]["lost"]["frames"] == 1 + SETTLING


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["cls", "reg"])
def test_a_value_that_is_not_finite_fails_and_names_the_frame(video, name, value):
    broken = BrightModel(broken_at=11, broken=poison(name, value))
    result = run(video, {"ncnn": broken, "onnx": BrightModel()})
    assert not result
    assert result.candidates[0].problem.startswith("frame 12: 1 of ")
    assert f"values of {name} are NaN or infinite" in result.failure()
    assert result.candidates[0].free.tracked == 11
    assert result.frames[12].candidates["ncnn"] is None
    assert result.frames[12].overlaps["ncnn"] is None
    assert bool(result.candidates[1])  # the other one went on
    assert result.candidates[1].free.tracked == 29


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
    assert not section["passed"]
    assert section["min_iou"] == section["limits"]["iou"] == 0.9999
    assert section["candidates"][0]["one_step"]["held"]["iou_mean"] < 0.9999 < 1.0
    assert section["floor"]["seeds"] == SEEDS
    assert section["reference"]["tracked"] == 29
    assert section["reference"]["milliseconds"] > 0
    assert section["reference"]["fps"] > 0
    assert len(section["frames"]) == 30
    frame = section["frames"][7]
    assert frame["frame"] == 7
    assert len(frame["reference"]["box"]) == len(frame["candidates"]["ncnn"]["box"]) == 4
    assert frame["candidates"]["ncnn"].keys() == {"box", "score", "iou", "one_step"}
    assert frame["candidates"]["ncnn"]["one_step"].keys() == {"iou", "same_cell", "score"}


def test_the_section_of_a_failed_run_is_json_too(video):
    section = run(video, {"ncnn": BrightModel(broken_at=0, broken=poison("cls", math.nan))}).as_dict()
    text = json.dumps(section, allow_nan=False)
    assert json.loads(text)["candidates"][0]["iou"]["mean"] is None


def test_a_box_outside_the_clip_is_refused(video):
    with pytest.raises(UsageError, match="outside the frame"):
        run_clip(open_clip(video), Box(500, 20, 10, 10), BrightModel(), {}, SPEC, DIMENSIONS, JUDGEMENT)


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
    assert "mean overlap 0.8999999 in one step over" in close.failure()


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

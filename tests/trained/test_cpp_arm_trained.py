"""The C++ tracker around trained models on an emulated ARM cpu, beside the same one on this CPU, on a clip."""

from contextlib import closing
from itertools import islice

import pytest
from cpp_on_arm import LEAST_STEP, both

from commands import lt_export
from converter.track.frames import open_source

CLIP, BOX, FRAMES = "bag.avi", "312,146,106,98", 10
NETWORKS = {"lighttrack": ("LightTrackM.pth", "--search-size", 256), "nanotrack": ("nanotrackv2.pth",)}
HALF_STEP = 0.99  # mean overlap; measured 0.9992 and more


@pytest.fixture(scope="module", params=NETWORKS)
def programs(emulated_arm, ncnn_cpp, cross, shared, request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cpp_arm")
    name, *words = NETWORKS[request.param]
    done = lt_export("-q", "-o", folder / "export", "--resume", shared / "checkpoints" / name, *words)
    assert done.code == 0, done.err
    with both(folder / "export", folder, cross, emulated_arm) as programs:
        yield programs


@pytest.fixture(scope="module")
def frames(shared):
    with closing(open_source(str(shared / "clips" / CLIP), "clip").frames()) as frames:
        return list(islice(frames, FRAMES))


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
def test_ten_frames_are_those_of_this_cpu(programs, frames, tmp_path, half):
    steps, _ = programs.steps(frames, BOX, tmp_path, half)
    assert not steps.reasons()
    assert (steps.frames, steps.other_cells) == (FRAMES - 1, 0)
    assert steps.iou_smallest >= LEAST_STEP if not half else HALF_STEP <= steps.iou_mean < 1

"""The C++ tracker, cross-compiled and run on an emulated ARM cpu: its boxes beside those of the program for this CPU.

They need what ``make cpp-arm`` builds (``make test-cpp-arm``), and say so where it is missing.
"""

import pytest
from clips import frame
from cpp_on_arm import HALF, LEAST_STEP, both
from cpp_tracks import tracked
from exports import export_to
from stark import ARCH, SMALL

from commands import lt_export
from converter.errors import VerificationError

BOX = "30,20,16,12"
FRAMES = [frame(index) for index in range(10)]
LITTLE = ("--search-size", 128)


@pytest.fixture(scope="module", params=["lighttrack", "stark, masks", "nanotrack"])
def programs(emulated_arm, ncnn_cpp, cross, tiny, stark_weights, nanotrack_weights, request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cpp_arm")
    if request.param == "lighttrack":
        export_to(tiny, folder / "export", *LITTLE)
    else:
        sizes = [word for size, pixels in SMALL.items() for word in (f"--{size.replace('_', '-')}", pixels)]
        stark = (stark_weights["dsconv_v3_2"], "--arch", ARCH, *sizes, "--masks")
        words = stark if request.param.startswith("stark") else (nanotrack_weights["v2"],)
        done = lt_export("-q", "-o", folder / "export", "--resume", *words)
        assert done.code == 0, done.err
    with both(folder / "export", folder, cross, emulated_arm) as programs:
        yield programs


def test_every_box_on_arm_is_that_of_this_cpu(programs, tmp_path):
    steps, _ = programs.steps(FRAMES, BOX, tmp_path, half=False)
    assert not steps.reasons()
    assert (steps.frames, steps.other_cells) == (len(FRAMES) - 1, 0)
    assert steps.iou_smallest >= LEAST_STEP


def test_boxes_of_half_kernels_are_within_the_limits_of_the_config(programs, tmp_path):
    steps, _ = programs.steps(FRAMES, BOX, tmp_path, half=True)
    assert not steps.reasons()
    assert steps.frames > len(FRAMES) // 2
    assert steps.iou_smallest < 1


def test_the_half_kernels_are_those_that_overflow(emulated_arm, ncnn_cpp, cross, loud, tmp_path):
    """This network's sums leave half's range, which shows where arithmetic is half, on ARM only."""
    export_to(loud, tmp_path / "export", *LITTLE)
    with both(tmp_path / "export", tmp_path, cross, emulated_arm) as programs:
        for program, words in ((programs.here, [HALF]), (programs.arm, [])):
            assert len(tracked(program, FRAMES[:2], BOX, tmp_path, *words)) == 1
        with pytest.raises(VerificationError, match="frame 1: the model's cls is not finite"):
            tracked(programs.arm, FRAMES[:2], BOX, tmp_path, HALF)

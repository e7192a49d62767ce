"""The trained tracker on ncnn's aarch64 kernels, emulated."""

import json

import pytest

from commands import lt_export, lt_verify


@pytest.fixture(scope="module")
def checkpoint(emulated_arm, shared):
    return shared / "checkpoints/LightTrackM.pth"


@pytest.fixture(scope="module")
def trained_256(checkpoint, once):
    def make(folder):
        done = lt_export("-q", "--resume", checkpoint, "--search-size", "256", "-o", folder)
        assert done.code == 0, done.err

    return once("trained_256", make)


@pytest.mark.parametrize(
    ("mode", "measured"),
    [("fp32", {"zf": 5e-5, "cls": 1e-5, "reg": 4e-5}), ("fp16", {"zf": 0.34, "cls": 0.06, "reg": 0.30})],
)
def test_trained_tracker_is_as_it_was_measured(emulated_arm, trained_256, checkpoint, mode, measured):
    """../shared/design.md: max |Δ| of zf, cls, reg; the inputs there were others."""
    options = ("--runtime", "ncnn-arm64", "--arm-inputs", "1", "--arm-mode", mode, "--arm-timeout", "1200")
    done = lt_verify(trained_256, "--resume", checkpoint, *options, "--json")
    assert done.code == 0, done.err
    section = json.loads(done.out)["arm"]
    assert section["about"].startswith("emulated aarch64: ncnn ")
    assert section["half_arithmetic"] is True
    (found,) = section["modes"]
    for check in found["checks"]:
        for output in check["outputs"]:
            assert measured[output["name"]] / 4 < output["max_abs"] < measured[output["name"]] * 4, output
        assert check["best_cell"] is None or check["best_cell"]["same"]
    boxes = [check["best_box"]["moved"] for check in found["checks"] if check["best_box"]]
    assert len(boxes) == 2
    assert all(moved < 0.3 for moved in boxes)
    assert mode == "fp32" or all(boxes)

"""The trained tracker on ncnn's aarch64 kernels, emulated."""

import json

from commands import lt_export, lt_verify


def test_trained_tracker_is_as_it_was_measured(emulated_arm, shared, tmp_path):
    """../shared/design.md: max |Δ| of zf, cls, reg; the inputs there were others."""
    checkpoint = shared / "checkpoints/LightTrackM.pth"
    assert lt_export("-q", "--resume", checkpoint, "--search-size", "256", "-o", tmp_path / "out").code == 0
    options = ("--runtime", "ncnn-arm64", "--arm-inputs", "1", "--arm-mode", "fp32", "--arm-mode", "fp16")
    done = lt_verify(tmp_path / "out", "--resume", checkpoint, *options, "--json")
    assert done.code == 0, done.err
    section = json.loads(done.out)["arm"]
    assert section["about"].startswith("emulated aarch64: ncnn ")
    assert section["half_arithmetic"] is True
    for mode, measured in zip(
        section["modes"], ({"zf": 5e-5, "cls": 1e-5, "reg": 4e-5}, {"zf": 0.34, "cls": 0.06, "reg": 0.30}), strict=True
    ):
        for check in mode["checks"]:
            for output in check["outputs"]:
                assert measured[output["name"]] / 4 < output["max_abs"] < measured[output["name"]] * 4, output
            assert check["best_cell"] is None or check["best_cell"]["same"]
    boxes = [check["best_box"]["moved"] for check in section["modes"][1]["checks"] if check["best_box"]]
    assert len(boxes) == 2
    assert all(0 < moved < 0.3 for moved in boxes)

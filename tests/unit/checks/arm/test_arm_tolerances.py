"""What is run on the emulated ARM cpu: the inputs and tolerances that were asked for."""

from pathlib import Path

import pytest
from comparisons import NETWORK, comparison_of

from converter.checks.arm import ARM
from converter.checks.arm.run import ArmRun
from converter.checks.device.modes import allowed_in, check_tolerances, tie_in
from converter.errors import UsageError
from converter.proof.feeds import Feed
from converter.spec.options import ArmOptions
from converter.spec.tensors import Tolerance
from converter.util.content import Contents


def run_of(**options):
    given = {"root": Path("root"), "modes": ("fp16", "fp32"), "cpu": "max", "inputs": 2, "blobs": True, "timeout": 5.0}
    feeds = [Feed(name, {}) for name in ("noise 0", "noise 1", "picture")]
    comparison = comparison_of([], feeds, [{"name": feed.name} for feed in feeds])
    return ArmRun(None, ArmOptions(**{**given, **options}), Path(), Contents(), [comparison] * 2, "fp32")


def inputs(run):
    first, _ = run.models.compared("fp16")
    return list(zip(first.feeds, first.outputs, strict=True))


def test_the_last_inputs_are_run_which_are_real_pictures():
    assert [(feed.name, outputs["name"]) for feed, outputs in inputs(run_of())] == [
        *(("noise 1", "noise 1"), ("picture", "picture"))
    ]
    assert [feed.name for feed, _ in inputs(run_of(inputs=1))] == ["picture"]
    assert len(inputs(run_of(inputs=9))) == 3


def test_one_tolerance_replaces_those_of_every_output_and_mode():
    assert allowed_in(NETWORK, ARM, "fp16", "fp32", None) is NETWORK.arm["fp16"]
    assert NETWORK.arm.keys() == {"fp32", "fp16s", "fp16", "bf16"}
    for name, mode in NETWORK.arm.items():
        allowed = allowed_in(NETWORK, ARM, name, "fp32", 0.5)
        assert allowed.tolerances == dict.fromkeys(("z", "x", "zf", "xf", "cls", "reg"), Tolerance(rtol=0.5))
        assert allowed.box_pixels == mode.box_pixels


def test_half_weights_pass_with_what_half_storage_may_change():
    fp32, fp16s = NETWORK.arm["fp32"], NETWORK.arm["fp16s"]
    assert allowed_in(NETWORK, ARM, "fp32", "mixed", None) is fp32
    wider = allowed_in(NETWORK, ARM, "fp32", "half", None)
    assert (wider.tolerances, wider.box_pixels, wider.score) == (fp16s.tolerances, fp16s.box_pixels, fp16s.score)
    assert allowed_in(NETWORK, ARM, "bf16", "half", None).tolerances == NETWORK.arm["bf16"].tolerances
    without = NETWORK.model_copy(update={"arm": {"fp32": fp32}})
    assert allowed_in(without, ARM, "fp32", "half", None) is fp32
    assert tie_in(NETWORK, "fp32", "fp32") == NETWORK.tie("fp32") < tie_in(NETWORK, "fp32", "half")


@pytest.mark.parametrize("precision", ["w8", "int8"])
def test_weights_in_bytes_pass_with_what_their_outputs_and_boxes_may_be_off_by(precision):
    allowed = allowed_in(NETWORK, ARM, "fp32", precision, None)
    assert allowed.tolerances == NETWORK.tolerances[precision]
    assert allowed.box_pixels == pytest.approx(0.2 * 127 / 2)
    assert allowed.score == 0.1
    assert tie_in(NETWORK, "fp32", precision) == NETWORK.tie(precision)


def test_a_mode_without_tolerances_is_refused():
    check_tolerances(NETWORK, ARM, ["fp16", "bf16"])
    with pytest.raises(UsageError, match="arm has no 'int8'"):
        check_tolerances(NETWORK, ARM, ["fp16", "int8"])

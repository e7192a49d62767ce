"""What is run on the emulated ARM cpu: the models, inputs and tolerances that were asked for."""

from pathlib import Path

import pytest

from converter.checks.arm.job import arm_job, check_tolerances
from converter.errors import UsageError
from converter.proof.feeds import Feed
from converter.spec.config import network_for
from converter.spec.network import Tolerance
from converter.spec.options import ArmOptions

NETWORK = network_for(None)[1]


def job(**options):
    given = {"root": Path("root"), "modes": ("fp16", "fp32"), "cpu": "max", "inputs": 2, "blobs": True, "timeout": 5.0}
    feeds = [Feed(name, {}) for name in ("noise 0", "noise 1", "picture")]
    answers = [{"name": feed.name} for feed in feeds]
    return arm_job(None, ArmOptions(**{**given, **options}), NETWORK, 16, [([], feeds, answers)] * 2)


def test_the_last_inputs_are_run_which_are_real_pictures():
    for group in job().used():
        assert [feed.name for feed in group.feeds] == ["noise 1", "picture"]
        assert [answer["name"] for answer in group.answers] == ["noise 1", "picture"]
    (feed,) = job(inputs=1).used()[0].feeds
    assert feed.name == "picture"
    assert len(job(inputs=9).used()[1].feeds) == 3


def test_options_are_handed_on():
    found = job()
    assert (found.modes, found.cpu, found.inputs, found.blobs, found.timeout) == (("fp16", "fp32"), "max", 2, True, 5.0)
    assert (found.stride, len(found.groups)) == (16, 2)


def test_one_tolerance_replaces_those_of_every_output_and_mode():
    assert job().network is NETWORK
    allowed = job(rtol=0.5).network.arm
    assert allowed.keys() == {"fp32", "fp16s", "fp16", "bf16"}
    for name, mode in allowed.items():
        assert mode.tolerances == dict.fromkeys(("z", "x", "zf", "xf", "cls", "reg"), Tolerance(rtol=0.5))
        assert mode.box_pixels == NETWORK.arm[name].box_pixels


def test_a_mode_without_tolerances_is_refused():
    check_tolerances(NETWORK, ["fp16", "bf16"])
    with pytest.raises(UsageError, match="arm has no 'int8'"):
        check_tolerances(NETWORK, ["fp16", "int8"])

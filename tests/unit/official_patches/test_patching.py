"""Patches are applied, and undone whatever happens; forward modes are such patches."""

import math
import sys
import types

import pytest
import torch
from torch import nn

from official_patches.lighttrack import PATCHES
from official_patches.lighttrack.modes import MODES, PARTS
from official_patches.patching import ACTIVATIONS, PatchSpec, UnknownNetworkError, patched


class Base:
    inherited = "base"

    @staticmethod
    def static():
        return "own static"

    @classmethod
    def named(cls):
        return cls.__name__

    def method(self):
        return "method"


class Child(Base):
    own = "own"


class Slotted:
    __slots__ = ("value",)


def patch(owner, attribute, replacement):
    return PatchSpec(owner, attribute, replacement, "for a test")


def test_instance_attribute_is_replaced_and_put_back():
    thing = Child()
    thing.own = "instance"
    with patched(patch(thing, "own", "patched")):
        assert (thing.own, Child().own) == ("patched", "own")
    assert vars(thing) == {"own": "instance"}


def test_inherited_attribute_is_deleted_again_and_not_pinned():
    thing = Child()
    with patched(patch(thing, "own", "patched")):
        assert thing.own == "patched"
    assert vars(thing) == {}
    with patched(patch(Child, "inherited", "patched")):
        assert (Child.inherited, Base.inherited) == ("patched", "base")
    assert "inherited" not in vars(Child)


def test_attribute_that_was_not_there_is_gone_again():
    with patched(patch(Child, "brand_new", 1)):
        assert Child.brand_new == 1
    assert not hasattr(Child, "brand_new")


@pytest.mark.parametrize("attribute", ["static", "named", "method"])
def test_descriptor_of_a_class_comes_back_as_it_was(attribute):
    before = vars(Base)[attribute]
    with patched(patch(Base, attribute, lambda *_: "patched")):
        assert getattr(Base(), attribute)() == "patched"
    assert vars(Base)[attribute] is before
    assert Base().named() == "Base"


def test_module_attribute_is_replaced_and_put_back():
    module = types.ModuleType("some_module")
    module.value = None
    with patched(patch(module, "value", 1), patch(module, "extra", 2)):
        assert (module.value, module.extra) == (1, 2)
    assert module.value is None
    assert not hasattr(module, "extra")


def test_submodule_comes_back_in_its_place():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU())
    before = list(network.named_modules())
    with patched(patch(network, "1", nn.Identity())):
        assert type(network[1]) is nn.Identity
        assert "1.weight" not in network.state_dict()
    assert list(network.named_modules()) == before


def test_interpreter_state_comes_back():
    before = sys.path
    with patched(patch(sys, "path", ["/nowhere", *sys.path])):
        assert sys.path[0] == "/nowhere"
    assert sys.path is before


def test_everything_is_undone_when_the_body_raises():
    thing = Child()
    with pytest.raises(ZeroDivisionError), patched(patch(thing, "own", 1), patch(Child, "own", 2)):
        1 / 0  # noqa: B018
    assert vars(thing) == {}
    assert Child.own == "own"


@pytest.mark.parametrize(
    "impossible", [lambda: patch(Slotted(), "value", 1), lambda: patch(object(), "x", 1), lambda: patch(int, "real", 1)]
)
def test_earlier_patches_are_undone_when_a_later_one_cannot_be_applied(impossible):
    thing, entered = Child(), False
    with pytest.raises((TypeError, AttributeError)), patched(patch(thing, "own", 1), impossible()):
        entered = True
    assert not entered
    assert vars(thing) == {}


def test_patches_of_one_attribute_are_undone_in_reverse():
    thing = Child()
    thing.own = "first"
    with patched(patch(thing, "own", "second"), patch(thing, "own", "third")):
        assert thing.own == "third"
    assert thing.own == "first"


def test_blocks_nest():
    thing = Child()
    with patched(patch(thing, "own", "outer")):
        with patched(patch(thing, "own", "inner")):
            assert thing.own == "inner"
        assert thing.own == "outer"
    assert vars(thing) == {}


class Network:
    """Has the official parts, each of which writes down what it was called with."""

    def __init__(self):
        self.calls = []

    def features(self, image):
        return self._call("features", image)

    def neck(self, zf, xf):
        return self._call("neck.z", zf), self._call("neck.x", xf)

    def feature_fusor(self, zf, xf):
        return self._call("fusor", zf, xf)

    def head(self, fused):
        return {"cls": self._call("cls", fused), "reg": self._call("reg", fused), "extra": None}

    def template(self, z): ...

    def track(self, x): ...

    def forward(self):
        return "training loss"

    def _call(self, part, *arguments):
        self.calls.append(part)
        return f"{part}({','.join(arguments)})"


FUSED = "fusor(neck.z(Z),neck.x({}))"


@pytest.mark.parametrize(
    ("mode", "arguments", "answer", "calls"),
    [
        ("template", ["Z"], "features(Z)", ["features"]),
        ("backbone", ["X"], "features(X)", ["features"]),
        (
            "neck_head",
            ["Z", "XF"],
            (f"cls({FUSED.format('XF')})", f"reg({FUSED.format('XF')})"),
            ["neck.z", "neck.x", "fusor", "cls", "reg"],
        ),
        (
            "update",
            ["Z", "X"],
            (f"cls({FUSED.format('features(X)')})", f"reg({FUSED.format('features(X)')})"),
            ["features", "neck.z", "neck.x", "fusor", "cls", "reg"],
        ),
        (
            "single",
            ["Z", "X"],
            (f"cls({FUSED.format('features(X)')})", f"reg({FUSED.format('features(X)')})", "features(X)"),
            ["features", "neck.z", "neck.x", "fusor", "cls", "reg"],
        ),
    ],
)
def test_forward_mode_composes_the_official_parts(mode, arguments, answer, calls):
    network = Network()
    with patched(PATCHES.forward_mode(network, mode), *PATCHES.for_trace(network, mode)):
        assert network.forward(*arguments) == answer
    assert network.calls == calls
    assert network.forward() == "training loss"
    assert "forward" not in vars(network)


class Numbers(Network):
    """The same with tensors, to be squashed."""

    def _call(self, part, *arguments):
        return {"cls": torch.tensor([0.0, 2.0]), "reg": torch.tensor([3.0]), "features": torch.tensor([-1.0])}.get(part)


def answers(mode, activations, *arguments):
    network = Numbers()
    with patched(PATCHES.forward_mode(network, mode, activations)):
        found = network.forward(*arguments)
    assert network.forward() == "training loss"
    return found


@pytest.mark.parametrize(("mode", "others"), [("update", ()), ("neck_head", ()), ("single", (None,))])
def test_an_activation_is_put_on_its_output_only(mode, others):
    cls, reg, *rest = answers(mode, ("sigmoid", None, *others), "Z", "X")
    assert torch.equal(cls, torch.sigmoid(torch.tensor([0.0, 2.0])))
    assert torch.equal(reg, torch.tensor([3.0]))
    assert len(rest) == len(others)
    cls, reg, *rest = answers(mode, (None, "sigmoid", *others), "Z", "X")
    assert torch.equal(cls, torch.tensor([0.0, 2.0]))
    assert torch.equal(reg, torch.sigmoid(torch.tensor([3.0])))


def test_an_activation_of_a_mode_with_one_output():
    found = answers("template", ("sigmoid",), "Z")
    assert torch.equal(found, torch.sigmoid(torch.tensor([-1.0])))


@pytest.mark.parametrize("activations", [(), (None,), (None, None)])
def test_without_activations_the_mode_is_as_it_is(activations):
    cls, reg = answers("update", activations, "Z", "X")
    assert torch.equal(cls, torch.tensor([0.0, 2.0]))
    assert torch.equal(reg, torch.tensor([3.0]))


@pytest.mark.parametrize("activations", [("sigmoid",), ("sigmoid", None, None)])
def test_activations_have_to_be_as_many_as_outputs(activations):
    with pytest.raises(ValueError, match="zip"):
        answers("update", activations, "Z", "X")


def test_the_activations():
    assert set(ACTIVATIONS) == {None, "sigmoid", "softmax"}
    maps = torch.tensor([0.0, 2.0, 1.0, -1.0]).reshape(1, 2, 1, 2)  # channels (0, 2) and (1, -1)
    background, foreground = ACTIVATIONS["softmax"](maps)[0, :, 0, 0].tolist()
    assert (background, foreground) == pytest.approx((1 / (1 + math.e), math.e / (1 + math.e)))


def test_forward_mode_leaves_other_instances_alone():
    network, other = Network(), Network()
    with patched(PATCHES.forward_mode(network, "template")):
        assert other.forward() == "training loss"


@pytest.mark.parametrize(
    ("mode", "left"),
    [
        ("template", ["features"]),
        ("backbone", ["features"]),
        ("neck_head", ["neck", "feature_fusor", "head"]),
        ("update", ["features", "neck", "feature_fusor", "head"]),
        ("single", ["features", "neck", "feature_fusor", "head"]),
    ],
)
def test_what_a_mode_never_calls_is_out_of_the_way(mode, left):
    network = Network()
    before = {part: getattr(network, part) for part in PARTS}
    with patched(*PATCHES.for_trace(network, mode)):
        assert [part for part in PARTS if getattr(network, part) == before[part]] == left
    assert {part: getattr(network, part) for part in PARTS} == before


def test_there_are_five_modes():
    assert set(MODES) == {"template", "backbone", "update", "neck_head", "single"}


def test_unknown_mode_names_the_known_ones():
    with pytest.raises(UnknownNetworkError, match="'track', known are template, backbone, update, neck_head, single"):
        PATCHES.forward_mode(Network(), "track")


@pytest.mark.parametrize("part", ["features", "neck", "feature_fusor", "head", "template", "track"])
def test_network_without_one_of_the_parts_is_refused(part):
    network = Network()
    setattr(network, part, None)
    with pytest.raises(UnknownNetworkError, match=f"Network has no '{part}'"):
        PATCHES.forward_mode(network, "template")

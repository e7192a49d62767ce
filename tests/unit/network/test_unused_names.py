"""What a checkpoint has besides the weights that are used, in brief."""

import pytest

from converter.network.checkpoint import unused_names


@pytest.mark.parametrize(
    ("unused", "named"),
    [
        ((), ()),
        (("neck.downsample.0.weight", "neck.downsample.1.bias"), ("neck",)),
        (("head.a.counter", "head.b.counter", "head.grid"), ("head.*.counter", "head.grid")),
        (("step", "neck.weight", "backbone"), ("backbone", "neck", "step")),
    ],
)
def test_names_are_short_and_say_what_is_left(unused, named):
    used = ("head.a.weight", "backbone.weight")
    assert unused_names((*used, *unused), used) == named

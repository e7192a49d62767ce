"""A feed is refused before a runtime sees it."""

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.proof.runner import check_feed
from converter.spec.tensors import TensorSpec

INPUTS = [
    TensorSpec(name="in0", meaning="zf", about="", shape=(1, 2, 3, 3)),
    TensorSpec(name="in1", meaning="x", about="", shape=(1, 3, 8, 8)),
]
RIGHT = {"in0": np.zeros((1, 2, 3, 3), np.float32), "in1": np.zeros((1, 3, 8, 8), np.float32)}


def test_the_declared_feed_passes():
    check_feed("update", RIGHT, INPUTS)
    check_feed("update", dict(reversed(RIGHT.items())), INPUTS)


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        ({"in0": RIGHT["in0"]}, r"update: no input 'in1' in the feed, which has \['in0'\]"),
        ({}, r"update: no input 'in0' in the feed, which has \[\]"),
        ({**RIGHT, "x": RIGHT["in1"]}, r"update: unknown input 'x', expected \['in0', 'in1'\]"),
        ({**RIGHT, "in1": RIGHT["in1"].astype(np.float64)}, "input 'in1' is float64, expected float32"),
        ({**RIGHT, "in1": RIGHT["in1"][0]}, r"input 'in1' has shape \(3, 8, 8\), expected \(1, 3, 8, 8\)"),
        ({**RIGHT, "in0": RIGHT["in0"][:, :1]}, r"input 'in0' has shape \(1, 1, 3, 3\), expected \(1, 2, 3, 3\)"),
    ],
)
def test_another_feed_is_refused_by_the_input(feed, message):
    with pytest.raises(ConversionError, match=message):
        check_feed("update", feed, INPUTS)

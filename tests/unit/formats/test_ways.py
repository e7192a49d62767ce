"""Which layers pay for more bytes, and what models are called whose weights are stored in several ways."""

from dataclasses import dataclass

import pytest

from converter.formats.ways import chosen, precision_of


@dataclass(frozen=True)
class Way:
    size: int
    error: float


SMALL = {"a": [Way(100, 0.5), Way(200, 0.0)], "b": [Way(100, 0.4), Way(110, 0.3)], "c": [Way(50, 0.2), Way(25, 0.1)]}


def sizes(spent, ways=SMALL):
    return {key: way.size for key, way in chosen(ways, spent).items()}


@pytest.mark.parametrize(
    ("spent", "taken"),
    [
        (0.0, {"a": 100, "b": 100, "c": 25}),
        (0.044, {"a": 100, "b": 100, "c": 25}),
        (0.045, {"a": 100, "b": 110, "c": 25}),  # 10 of 225 bytes, for 0.01 a byte
        (0.45, {"a": 100, "b": 110, "c": 25}),  # the 91 bytes that are left are too few for a's
        (0.49, {"a": 200, "b": 110, "c": 25}),
    ],
)
def test_bytes_go_where_they_gain_most(spent, taken):
    assert sizes(spent) == taken


def test_a_larger_way_that_is_no_better_is_never_taken():
    assert sizes(9.0, {"a": [Way(100, 0.1), Way(120, 0.1), Way(130, 0.2)]}) == {"a": 100}


def test_of_equal_gains_the_first_layer_is_served():
    assert sizes(0.05, {name: [Way(100, 0.2), Way(110, 0.1)] for name in "ab"}) == {"a": 110, "b": 100}


@pytest.mark.parametrize(
    ("found", "called"),
    [
        ((), None),
        (("fp32",), "fp32"),
        (("w8",), "w8"),
        (("half", "fp32"), "mixed"),
        (("w8", "half"), "w8"),
        (("w8", "half", "fp32"), "w8"),
        (("int8", "fp32"), "int8"),
        (("int8", "w8", "half"), "int8"),
        (("w8", "unknown"), "mixed"),
        (("w8", "bf16"), "mixed"),
        (("int8", "mixed"), "mixed"),
        (("mixed",), "mixed"),
    ],
)
def test_the_coarsest_weights_give_the_name_but_beside_what_is_not_known(found, called):
    assert precision_of(set(found)) == called

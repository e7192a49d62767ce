"""Dimensions: every name that a config's shapes can use, with its number."""

from dataclasses import FrozenInstanceError, fields

import pytest

from converter.spec.config import network_for
from converter.spec.dimensions import Dimensions

DIMENSIONS = Dimensions(127, 288, 16, 96, 8, 18, {"tokens": 324})


def test_every_field_is_a_number_under_its_own_name():
    numbers = DIMENSIONS.numbers()
    names = [field.name for field in fields(Dimensions) if field.name != "others"]
    assert {name: numbers[name] for name in names} == {name: getattr(DIMENSIONS, name) for name in names}
    assert sorted(numbers) == sorted([*names, "tokens"])
    assert numbers["tokens"] == 324


def test_numbers_are_those_of_the_shapes():
    _, network = network_for(None)
    shapes = {
        tensor.meaning: tensor.shape
        for graph in network.graph_specs("three", DIMENSIONS)
        for tensor in (*graph.inputs, *graph.outputs)
    }
    assert shapes == {
        "z": (1, 3, 127, 127),
        "x": (1, 3, 288, 288),
        "zf": (1, 96, 8, 8),
        "xf": (1, 96, 18, 18),
        "cls": (1, 1, 18, 18),
        "reg": (1, 4, 18, 18),
    }


def test_dimensions_do_not_change():
    with pytest.raises(FrozenInstanceError):
        DIMENSIONS.stride = 8
    DIMENSIONS.numbers()["stride"] = 8
    assert DIMENSIONS.numbers()["stride"] == 16

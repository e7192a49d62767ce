"""Our own networks: their answers are those noted from the official code."""

import json

import pytest
from lighttrack import ANSWERS, FAMILY, assert_noted, fill, own, random_path_names, sampled

from converter.families.lighttrack.path_name import recognise


@pytest.mark.parametrize("path_name", json.loads(ANSWERS.read_text()))
def test_answers_are_those_noted_from_the_official_code(path_name):
    """Noted from researchmm/LightTrack @ 39c426f; test_networks_official.py compares the note with a checkout."""
    network = own(path_name, 128)
    fill(network.state_dict())
    assert_noted(sampled(network), path_name)


@pytest.mark.parametrize("path_name", random_path_names(6, seed=1))
def test_weights_tell_their_path_name(path_name):
    def shapes(name):
        return {key: tuple(value.shape) for key, value in FAMILY.build(name, 128).state_dict().items()}

    assert shapes(recognise(shapes(path_name))) == shapes(path_name)

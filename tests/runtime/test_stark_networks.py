"""Our own STARK-Lightning: its answers are those noted from the official code."""

import json

import pytest
from stark import (
    NOTED,
    assert_noted,
    network,
    sampled,
)


@pytest.mark.parametrize("masks", [False, True])
def test_answers_are_those_noted_from_the_official_code(masks):
    """Noted from researchmm/Stark @ 162e1d3; test_stark_networks_official.py compares the note with a checkout."""
    assert_noted(sampled(network("rep_v2", 9), masks), json.loads(NOTED.read_text())[str(masks)])

"""A comparison: models, inputs, and the reference's outputs that go with them."""

from dataclasses import replace

import numpy as np
import pytest
from comparisons import DIMENSIONS, NETWORK, comparison_of

from converter.proof.feeds import Feed

INIT, UPDATE = NETWORK.graph_specs("two", DIMENSIONS)


def scores(*cells):
    """Background and foreground, (1, 2, 3, 3), with these values in the first cells of each channel."""
    maps = np.zeros((1, 2, 3, 3), np.float32)
    for channel, values in enumerate(cells):
        maps[0, channel].flat[: len(values)] = values
    return maps


def softmaxed(array):
    """The probability of the second channel."""
    powers = np.exp(array - array.max(axis=1, keepdims=True))
    return powers[:, 1:] / powers.sum(axis=1, keepdims=True)


def test_every_feed_has_its_outputs():
    with pytest.raises(ValueError, match="1 feeds and 0 reference outputs"):
        comparison_of([INIT, UPDATE], [Feed("noise 0", {})], [])


def test_the_decision_is_looked_for_in_the_familys_score_maps():
    reference, candidate = scores([0, 5], [3, 4]), scores([0, 5.1], [3, 4])
    softmax = replace(comparison_of([UPDATE], [], []), score_maps=softmaxed)
    assert softmax.decision(candidate, reference).reference == (0, 0), "3 - 0 is more than 4 - 5"
    assert softmax.decision(candidate, reference)
    other = softmax.decision(scores([4, 0], [3, 4]), reference)
    assert (other.reference, other.candidate, bool(other)) == ((0, 0), (0, 1), False)
    assert comparison_of([UPDATE], [], []).decision(scores([0, 5], [4, 3]), reference).candidate == (0, 0)


@pytest.mark.parametrize(("tie", "passed"), [(1e-5, False), (0.2, True)])
def test_a_tie_is_the_comparisons(tie, passed):
    reference, candidate = np.zeros((1, 1, 2, 2), np.float32), np.zeros((1, 1, 2, 2), np.float32)
    reference[0, 0, 0] = 1, 0.9
    candidate[0, 0, 0] = 0.9, 1
    decision = comparison_of([UPDATE], [], [], tie=tie).decision(candidate, reference)
    assert (decision.same, bool(decision)) == (False, passed)

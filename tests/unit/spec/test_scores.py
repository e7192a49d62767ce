"""Scores inside the graph are the network's own, whoever asks."""

import pytest

from converter.errors import UsageError
from converter.spec.config import network_for
from converter.spec.scores import asked_scores


@pytest.mark.parametrize(
    ("sigmoid", "softmax", "scores"),
    [
        (None, None, None),
        (True, None, "sigmoid"),
        (None, True, "softmax"),
        (False, None, "logits"),
        (None, False, "logits"),
        (False, True, "softmax"),
    ],
)
def test_two_flags_are_one_choice(sigmoid, softmax, scores):
    assert asked_scores(sigmoid=sigmoid, softmax=softmax) == scores


def test_both_at_once_are_refused():
    with pytest.raises(UsageError, match=r"^--sigmoid beside --softmax: "):
        asked_scores(sigmoid=True, softmax=True)


@pytest.mark.parametrize(
    ("arch", "own", "other", "words"),
    [
        ("NanoTrackV2", "softmax", "sigmoid", "--sigmoid: NanoTrackV2's scores are a softmax over two channels"),
        ("LightTrackM_Subnet", "sigmoid", "softmax", "--softmax: LightTrackM_Subnet's scores are a sigmoid of one"),
    ],
)
def test_each_network_refuses_the_others_scores(arch, own, other, words):
    network = network_for(arch)[1]
    assert network.with_scores(own).activations == {"cls": own}
    assert network.with_scores("logits") is network.with_scores(None) is network
    with pytest.raises(UsageError) as caught:
        network.with_scores(other)
    assert str(caught.value).startswith(words)
    assert str(caught.value).endswith(f"; use --{own}")

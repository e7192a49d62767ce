"""What the scores in a model's answer are: the network's logits, or what a function inside the graph makes of them."""

from typing import Literal

from converter.errors import UsageError
from converter.spec.tensors import Activation

Scores = Literal["logits", "sigmoid", "softmax"]

CHANNELS: dict[Activation, int] = {"sigmoid": 1, "softmax": 2}
IN_WORDS: dict[Activation, str] = {"sigmoid": "a sigmoid of one channel", "softmax": "a softmax over two channels"}


def asked_scores(**flags: bool | None) -> Scores | None:
    """Which scores ``sigmoid`` and ``softmax`` ask for, as the options of the commands; None where neither was given.

    Raises:
        UsageError: for both.
    """
    asked = [name for name in IN_WORDS if flags[name]]
    if len(asked) > 1:
        raise UsageError("--sigmoid beside --softmax: scores go through one of them; pass the network's")
    return asked[0] if asked else "logits" if False in flags.values() else None

"""What goes wrong behind the network: each mistake as a function of the right numbers."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from converter.checks.dumps.causes import Cause
from converter.checks.dumps.mistakes import Change, Mistake, unchanged
from converter.checks.dumps.scores import over_cells, sigmoid_mistakes, softmax_mistakes
from converter.report.text import is_number
from converter.spec.network import NetworkSpec


def value_mistakes(network: NetworkSpec, tracker: Mapping[str, Any]) -> tuple[list[Mistake], list[Mistake]]:
    """What may go wrong between the last layer and the numbers a device hands on: by itself, and in pairs.

    Of all outputs alike, since these may be exchanged.

    Args:
        tracker: the manifest's section, which says what the outputs are and names factors.
    """
    inside = any(tracker.get(name) == "probability" for name in network.logits)
    single = softmax_mistakes(inside) if network.activation == "softmax" else sigmoid_mistakes(inside)
    for usual in network.usual_mistakes:
        numbers = [tracker.get(factor, 0.0) if isinstance(factor, str) else factor for factor in usual.factors]
        for factor in dict.fromkeys(number for number in numbers if is_number(number) and number > 0):
            cause = Cause(usual.cause, usual.text.replace("{factor}", f"{factor:g}"))
            single.append(Mistake((cause,), _changed(usual.change, float(factor))))
    pairs = [
        first.then(second)
        for first, second in product(single, single)
        if first.read is unchanged and _topic(first) != _topic(second)
    ]
    return single, pairs


def _topic(mistake: Mistake) -> str:
    """Two mistakes of one topic exclude each other."""
    return mistake.causes[0].cause.partition("_")[0]


def _changed(change: str, factor: float) -> Change:
    """See :class:`converter.spec.network.UsualMistake`."""

    def exp_for_relu(right: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.where(right > 0, factor * np.exp(right / factor), np.nan)

    changes: dict[str, Change] = {
        "divided": lambda right: right / factor,
        "multiplied": lambda right: right * factor,
        "no_relu": lambda right: np.where(right > 0, right, np.nan),
        "exp_for_relu": exp_for_relu,
        "softmax": over_cells,
        "log": lambda right: np.log(np.where(right > 0, right, np.nan)),
    }
    return changes[change]

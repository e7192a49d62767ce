"""What goes wrong behind the network: each mistake as a function of the right numbers."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from converter.checks.dumps import causes
from converter.checks.dumps.causes import Cause
from converter.checks.dumps.mistakes import Change, Mistake
from converter.report.text import is_number
from converter.spec.network import NetworkSpec

_SHORT_OF_ONE = 1e-7


def value_mistakes(network: NetworkSpec, tracker: Mapping[str, Any]) -> tuple[list[Mistake], list[Mistake]]:
    """What may go wrong between the last layer and the numbers a device hands on: by itself, and in pairs.

    Of all outputs alike, since these may be exchanged.

    Args:
        tracker: the manifest's section, which says what the outputs are and names factors.
    """
    if any(tracker.get(name) == "probability" for name in network.logits):
        single = [Mistake((causes.SIGMOID_TWICE,), _sigmoid), Mistake((causes.SIGMOID_MISSING,), _logit)]
    else:
        twice = Mistake((causes.SIGMOID_TWICE,), lambda right: _sigmoid(_sigmoid(right)))
        single = [Mistake((causes.SIGMOID,), _sigmoid), twice]
    for usual in network.usual_mistakes:
        numbers = [tracker.get(factor, 0.0) if isinstance(factor, str) else factor for factor in usual.factors]
        for factor in dict.fromkeys(number for number in numbers if is_number(number) and number > 0):
            cause = Cause(usual.cause, usual.text.replace("{factor}", f"{factor:g}"))
            single.append(Mistake((cause,), _changed(usual.change, float(factor))))
    pairs = [
        first.then(second)
        for first, second in product(single, single)
        if first.causes[0].cause.partition("_")[0] != second.causes[0].cause.partition("_")[0]
    ]
    return single, pairs


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
        "softmax": _softmax,
    }
    return changes[change]


def _sigmoid(values: np.ndarray) -> np.ndarray:
    result: np.ndarray = 0.5 * (1.0 + np.tanh(0.5 * values))
    return result


def _softmax(values: np.ndarray) -> np.ndarray:
    """Over the cells of every map; of what has no maps, over the last axis."""
    axes = tuple(range(2, values.ndim)) or (-1,)
    weights = np.exp(values - values.max(axis=axes, keepdims=True))
    result: np.ndarray = weights / weights.sum(axis=axes, keepdims=True)
    return result


def _logit(values: np.ndarray) -> np.ndarray:
    inside = np.clip(values, _SHORT_OF_ONE, 1 - _SHORT_OF_ONE)
    result: np.ndarray = np.log(inside / (1 - inside))
    return result

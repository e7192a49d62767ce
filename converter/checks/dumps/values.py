"""What goes wrong between the last layer and the numbers a device hands on: functions of the right output."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from converter.checks.dumps import causes
from converter.checks.dumps.causes import Cause

# The factor behind reg is 16 in the official code whatever the stride; 0.1 is that behind cls.
_REG_FACTOR = 16.0
_CLS_FACTOR = 0.1
_SHORT_OF_ONE = 1e-7


@dataclass(frozen=True)
class ValueFault:
    """A mistake in an output's values.

    Attributes:
        causes: what it is called; none for the right output itself.
        change: what it makes of the right output, float64. NaN where the right output does not tell,
            namely the numbers at which the network's ReLU cut something off.
    """

    causes: tuple[Cause, ...]
    change: Callable[[np.ndarray], np.ndarray]


RIGHT = ValueFault((), lambda right: right)


def value_faults(tracker: Mapping[str, Any]) -> tuple[list[ValueFault], list[ValueFault]]:
    """Single mistakes and pairs of them; of score and distances alike, since these may be exchanged.

    Args:
        tracker: the manifest's section: what cls is, the stride, the size of the search crop.
    """
    scores = _probability_faults() if tracker.get("cls") == "probability" else _logit_faults()
    scales = [
        (causes.CLS_SCALE_MISSING, lambda g: g / _CLS_FACTOR),
        (causes.CLS_SCALE_TWICE, lambda g: g * _CLS_FACTOR),
    ]
    for factor in sorted({_REG_FACTOR, *_number(tracker, "stride")}, reverse=True):
        scales.append((causes.stride_missing(factor), lambda g, factor=factor: g / factor))
        scales.append((causes.stride_twice(factor), lambda g, factor=factor: g * factor))
    scales += [
        (causes.NOT_TO_CROP, lambda g, size=size: g / size) for size in _number(tracker, "search_size") if size > 1
    ]
    ends = [
        (causes.RELU_MISSING, lambda g: np.where(g > 0, g, np.nan)),
        (causes.EXP_FOR_RELU, _exp_for_relu),
    ]
    single = [ValueFault((cause,), change) for cause, change in (*scores, *scales, *ends)]
    pairs = [
        ValueFault(
            (*first.causes, *second.causes), lambda g, first=first, second=second: second.change(first.change(g))
        )
        for first, second in product(single, single)
        if first.causes[0].cause.partition("_")[0] != second.causes[0].cause.partition("_")[0]
    ]
    return single, pairs


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * values))


def _logit(values):
    inside = np.clip(values, _SHORT_OF_ONE, 1 - _SHORT_OF_ONE)
    return np.log(inside / (1 - inside))


def _logit_faults():
    return [(causes.SIGMOID, sigmoid), (causes.SIGMOID_TWICE, lambda g: sigmoid(sigmoid(g)))]


def _probability_faults():
    return [(causes.SIGMOID_TWICE, sigmoid), (causes.SIGMOID_MISSING, _logit)]


def _exp_for_relu(right):
    with np.errstate(over="ignore"):
        return np.where(right > 0, _REG_FACTOR * np.exp(right / _REG_FACTOR), np.nan)


def _number(tracker, key):
    value = tracker.get(key)
    return (float(value),) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else ()

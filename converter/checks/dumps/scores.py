"""What goes wrong with scores: a sigmoid, or a softmax over two channels, missing, twice or of the wrong numbers."""

import numpy as np

from converter.checks.dumps import causes
from converter.checks.dumps.mistakes import Mistake, unchanged

_SHORT_OF_ONE = 1e-7


def sigmoid_mistakes(inside: bool) -> list[Mistake]:
    """Of networks whose logits go through a sigmoid.

    Args:
        inside: whether the right numbers are probabilities, else logits.
    """
    if inside:
        return [Mistake((causes.SIGMOID_TWICE,), _sigmoid), Mistake((causes.SIGMOID_MISSING,), _logit)]
    twice = Mistake((causes.SIGMOID_TWICE,), lambda right: _sigmoid(_sigmoid(right)))
    return [Mistake((causes.SIGMOID,), _sigmoid), twice]


def softmax_mistakes(inside: bool) -> list[Mistake]:
    """Likewise through a softmax over background and foreground, the two channels."""
    either = [
        Mistake((causes.BACKGROUND,), _background),
        Mistake((causes.FOREGROUND,), _foreground),
        Mistake((causes.CHANNELS_EXCHANGED,), lambda right: right[:, ::-1]),
    ]
    if inside:
        missing = Mistake((causes.SOFTMAX_MISSING,), unchanged, read=_over_channels)
        return [Mistake((causes.SOFTMAX_TWICE_INSIDE,), _over_channels), missing, *either]
    return [
        Mistake((causes.SOFTMAX,), _over_channels),
        Mistake((causes.SOFTMAX_SCORE,), lambda right: _foreground(_over_channels(right))),
        Mistake((causes.BACKGROUND_SCORE,), lambda right: _background(_over_channels(right))),
        Mistake((causes.SOFTMAX_OVER_CELLS,), over_cells),
        Mistake((causes.SOFTMAX_TWICE,), lambda right: _over_channels(_over_channels(right))),
        Mistake((causes.SIGMOID_FOR_SOFTMAX,), _sigmoid),
        *either,
    ]


def over_cells(values: np.ndarray) -> np.ndarray:
    """The softmax over the cells of every map; of what has no maps, over the last axis."""
    return _softmax(values, tuple(range(2, values.ndim)) or (-1,))


def _over_channels(values: np.ndarray) -> np.ndarray:
    return _softmax(values, (1,) if values.ndim > 1 else (0,))


def _background(values: np.ndarray) -> np.ndarray:
    return values[:, :1]


def _foreground(values: np.ndarray) -> np.ndarray:
    return values[:, 1:2]


def _softmax(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    weights = np.exp(values - values.max(axis=axes, keepdims=True))
    result: np.ndarray = weights / weights.sum(axis=axes, keepdims=True)
    return result


def _sigmoid(values: np.ndarray) -> np.ndarray:
    result: np.ndarray = 0.5 * (1.0 + np.tanh(0.5 * values))
    return result


def _logit(values: np.ndarray) -> np.ndarray:
    inside = np.clip(values, _SHORT_OF_ONE, 1 - _SHORT_OF_ONE)
    result: np.ndarray = np.log(inside / (1 - inside))
    return result

"""Weights in a byte each: 256 values for a layer, chosen so that what it computes moves least."""

import numpy as np

VALUES = 256
BINS = 64
ROUNDS = 40  # of Lloyd's algorithm; few layers change after twenty


def clusters(weights: np.ndarray, importance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted k-means in one dimension; the same arguments give the same bytes.

    It starts with as many values where weights are dense as makes the error least: quantiles of density^(1/3).

    Args:
        weights: (count,) float32, finite.
        importance: (count,), how much the square of an error counts; not negative.

    Returns:
        (256,) float32, ascending, and (count,) uint8: which of them stands for each weight.
    """
    order = np.argsort(weights, kind="stable")
    values = weights[order].astype(np.float64)
    share = importance[order].astype(np.float64)
    share = share / share.mean() + 1e-3 if share.any() else np.ones_like(share)
    mass, moment = (np.concatenate([[0.0], np.cumsum(each)]) for each in (share, share * values))
    centres = _start(values, share)
    for _ in range(ROUNDS):
        edges = _edges(values, centres)
        masses, moments = np.diff(mass[edges]), np.diff(moment[edges])
        moved = np.where(masses > 0, moments / np.where(masses > 0, masses, 1), centres)
        if np.array_equal(moved, centres):
            break
        centres = np.sort(moved)
    table = np.sort(centres.astype(np.float32))
    nearest = np.repeat(np.arange(VALUES, dtype=np.uint8), np.diff(_edges(values, table.astype(np.float64))))
    indices = np.empty(len(values), np.uint8)
    indices[order] = nearest
    return table, indices


def _edges(values: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Where the weights of one centre end and the next one's begin, (257,)."""
    middles = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[0], np.searchsorted(values, middles), [len(values)]])


def _start(values: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Centres, ascending; the density is that of wide bins, for narrow ones hold single weights where few are."""
    if len(distinct := np.unique(values)) <= VALUES:
        return np.concatenate([distinct, np.full(VALUES - len(distinct), distinct[-1])])
    density, edges = np.histogram(values, BINS, weights=share)
    height = np.cumsum(np.cbrt(density))
    wanted = (np.arange(VALUES) + 0.5) / VALUES * height[-1]
    return np.asarray(np.interp(wanted, np.concatenate([[0.0], height]), edges))

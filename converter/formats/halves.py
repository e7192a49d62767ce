"""What an IEEE half can hold, for files that store weights so."""

import numpy as np

from converter.errors import ConversionError

OVERFLOWS = 65520.0  # from here on, rounding to nearest gives infinity


def check_halves(values: np.ndarray, what: str) -> None:
    """Refuse numbers that are no finite half.

    Args:
        what: they are, for the message.

    Raises:
        ConversionError: with the largest.
    """
    largest = float(np.abs(values).max(initial=0))
    if not largest < OVERFLOWS:
        raise ConversionError(f"--half: {what} of {largest:.4g}, and the largest half is 65504; leave --half out")

"""From forecast to signal: the predicted return times the direction factor.

Rules: not known in, not known out (NaN propagates). Must not know thresholds, sizes or positions.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from bot.blocks import F64

Factor = Literal["confidence", "probability"]


def signal_from(expected_return: F64, p_up: F64, factor: Factor) -> F64:
    """Return float64[n, S], the predicted return times how sure the direction head is of it.

    With "confidence" the factor is p_up for a positive predicted return and 1 - p_up for a negative
    one, so that long and short are treated alike; with "probability" it is p_up whatever the sign,
    which favours longs.

    Args:
        expected_return: float64[n, S], a fraction over the horizon.
        p_up: float64[n, S], the probability of a rise.
        factor: which of the two.

    >>> signal_from(np.array([[0.01, -0.01]]), np.array([[0.75, 0.25]]), "confidence")
    array([[ 0.0075, -0.0075]])
    >>> signal_from(np.array([[0.01, -0.01]]), np.array([[0.75, 0.25]]), "probability")
    array([[ 0.0075, -0.0025]])
    """
    if factor == "probability":
        return expected_return * p_up
    return expected_return * np.where(expected_return < 0.0, 1.0 - p_up, p_up)

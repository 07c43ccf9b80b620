"""How far the members of an ensemble agree on the return, as a factor on the weight.

Rules: 1 where they agree fully, towards 0 the more they differ beside what they expect; never above
1, so that a doubt only takes away. Must not know signals, thresholds or positions.
"""

from __future__ import annotations

import numpy as np

from bot.blocks import F64


def agreement_of(expected_return: F64, disagreement: F64, penalty: float) -> F64:
    """Return float64[n, S], |r| / (|r| + penalty · disagreement); 1 where nothing is known.

    The members' disagreement stands for what the model does not know (Lakshminarayanan et al. 2017): with
    a penalty of 1 a weight is halved where the members differ by as much as they expect.

    Args:
        expected_return: float64[n, S], the members' mean.
        disagreement: float64[n, S], their standard deviation about it.
        penalty: 0 or more.

    >>> agreement_of(np.array([[0.01, -0.01, 0.0]]), np.array([[0.0, 0.01, 0.01]]), 1.0)
    array([[1. , 0.5, 0. ]])
    """
    size = np.abs(expected_return)
    total = size + penalty * disagreement
    return np.divide(size, total, out=np.ones_like(size), where=total > 0.0)

"""The sums of a step of logistic regression, over rows that may lie on the disk.

Rules: each step writes into the same arrays, and its sums are over all rows at once, so that they are to the bit
those of arrays in memory. Must not know a penalty or when to stop.
"""

from __future__ import annotations

import numpy as np

from bot.blocks import F64
from bot.report.skill.chosen_rows import Empty
from bot.timegrid import spans


class LogisticFit:
    """What is said of rows by a level and coefficients, and what is missed by it.

    Args:
        design: float64[r, m], a row each.
        y: float64[r], 0 or 1.
        empty: makes arrays of so many rows.
    """

    def __init__(self, design: F64, y: F64, empty: Empty = np.empty) -> None:
        self._design, self._y = design, y
        self._said: F64 = empty(y.shape)
        self._rows: F64 = empty(y.shape)
        self._weighted: F64 = empty(design.shape)

    def say(self, beta: F64) -> None:
        """Work out p = 1 / (1 + exp(-design · beta))."""
        p = np.matmul(self._design, beta, out=self._said)
        np.negative(p, out=p)
        np.exp(p, out=p)
        np.add(p, 1.0, out=p)
        np.divide(1.0, p, out=p)

    def weighted(self) -> F64:
        """Return float64[r, m], the design times p (1 - p)."""
        for at in spans(*self._design.shape):
            p = self._said[at]
            self._weighted[at] = self._design[at] * (p * (1.0 - p))[:, None]
        return self._weighted

    def missed(self) -> F64:
        """Return float64[r], y - p."""
        return np.subtract(self._y, self._said, out=self._rows)

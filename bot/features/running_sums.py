"""Running sums over long windows, in twice the working precision.

Rules: a sum slides by adding what enters and taking away what leaves, with the rounding error of
each step kept beside it, so that a large value which has left leaves nothing behind. After every
full round of its window it is summed anew from the ring; the round is counted in the carried state,
so how the history is cut cannot matter. Must not know what is summed.
"""

from __future__ import annotations

import math

from bot.blocks import F64
from bot.compiled import njit


@njit(cache=True, error_model="numpy")
def add(sums: F64, s: int, k: int, value: float) -> None:
    """Add a value to sum k of symbol s; `sums` is float64[S, M, 2], the sum and what rounding lost.

    The error of an addition is exact: TwoSum (Knuth, TAOCP 2, 4.2.2, theorem B).
    """
    high = sums[s, k, 0]
    total = high + value
    part = total - high
    sums[s, k, 1] += (high - (total - part)) + (value - part)
    sums[s, k, 0] = total


@njit(cache=True, error_model="numpy")
def sum_of(sums: F64, s: int, k: int) -> float:
    """Return sum k of symbol s."""
    total: float = sums[s, k, 0] + sums[s, k, 1]
    return total


@njit(cache=True, error_model="numpy")
def clear(sums: F64, s: int, first: int, last: int) -> None:
    """Set the sums first..last-1 of symbol s to zero."""
    sums[s, first:last, :] = 0.0


@njit(cache=True, error_model="numpy")
def scatter(total_x: float, total_y: float, total_xy: float, n: int) -> float:
    """Return the sum of (x - mean x)(y - mean y) from n values' sums.

    >>> scatter(6.0, 6.0, 14.0, 3)
    2.0
    """
    return total_xy - total_x * (total_y / n)


@njit(cache=True, error_model="numpy")
def deviation(total: float, total_squares: float, n: int) -> float:
    """Return the standard deviation (ddof = 1) from the sums of n values and of their squares."""
    return math.sqrt(max(scatter(total, total, total_squares, n), 0.0) / (n - 1))

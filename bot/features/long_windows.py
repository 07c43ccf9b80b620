"""The features over long windows of returns, from running sums.

Owns which sums there are. Rules: sums slide with the rings and are taken anew once a round
(`running_sums.py`), and as soon as a wild return has left its window, whose square the sums could
not hold beside the others'; a symbol's first bar has no return and enters no window.
"""

from __future__ import annotations

import numpy as np

from bot.blocks import F64, I64
from bot.compiled import njit
from bot.features.carried import CarriedArrays
from bot.features.catalogue import Feature
from bot.features.running_sums import add, clear, deviation, scatter, sum_of

X, XX, Y, YY, XY = range(4, 9)
"""Sums over the correlation window, x the symbol's return and y the cross-section's. Before them
stand the sum and the sum of squares of the medium (0, 1) and of the long window (2, 3)."""

WILD = 10.0
"""A return that is larger, or not finite, leaves nothing of itself in the sums of its window."""

FLAT = 1e-12
"""Returns that deviate by less do not vary but for rounding; a correlation with them is unknown."""


@njit(cache=True, error_model="numpy")
def set_long_windows(
    row: F64, state: CarriedArrays, s: int, windows: I64, own: float, mean_return: float
) -> None:
    """Put the bar's return on the long rings and set what is made of running sums."""
    row[Feature.CROSS_RETURN] = own - mean_return
    row[Feature.VOLATILITY_MEDIUM] = np.nan
    row[Feature.VOLATILITY_LONG] = np.nan
    row[Feature.CROSS_CORRELATION] = np.nan
    span = state.cross.shape[1]
    at = state.seen[s] - 1  # the first bar has no return
    if at < 0:
        return
    gone = _slide(state, s, at, windows, own, mean_return)
    _resum(state, s, at, windows, gone)
    if at + 1 >= windows[0]:
        row[Feature.VOLATILITY_MEDIUM] = _deviation_of(state.sums, s, 0, windows[0])
    if at + 1 >= windows[1]:
        row[Feature.VOLATILITY_LONG] = _deviation_of(state.sums, s, 2, windows[1])
    if at + 1 >= span:
        row[Feature.CROSS_CORRELATION] = _correlation(state.sums, s, span)


@njit(cache=True, error_model="numpy")
def _slide(
    state: CarriedArrays, s: int, at: int, windows: I64, own: float, mean_return: float
) -> int:
    """Let a pair of returns into the sums and rings, and the pair a window ago out of the sums.

    Return the windows that a wild return has left, a bit each: medium, long, correlation.
    """
    gone = 0
    ring, cross, sums = state.returns, state.cross, state.sums
    longest, span = ring.shape[1], cross.shape[1]
    for j in range(2):
        leaving = ring[s, (at + longest - windows[j]) % longest]
        if not abs(leaving) <= WILD:
            gone |= 1 << j
        add(sums, s, 2 * j, own)
        add(sums, s, 2 * j, -leaving)
        add(sums, s, 2 * j + 1, own * own)
        add(sums, s, 2 * j + 1, -leaving * leaving)
    _add_pair(sums, s, own, mean_return, 1.0)
    leaving, beside = ring[s, (at + longest - span) % longest], cross[s, at % span]
    if not (abs(leaving) <= WILD and abs(beside) <= WILD):
        gone |= 1 << 2
    _add_pair(sums, s, leaving, beside, -1.0)
    ring[s, at % longest] = own
    cross[s, at % span] = mean_return
    return gone


@njit(cache=True, error_model="numpy")
def _add_pair(sums: F64, s: int, own: float, mean_return: float, sign: float) -> None:
    add(sums, s, X, sign * own)
    add(sums, s, XX, sign * own * own)
    add(sums, s, Y, sign * mean_return)
    add(sums, s, YY, sign * mean_return * mean_return)
    add(sums, s, XY, sign * own * mean_return)


@njit(cache=True, error_model="numpy")
def _resum(state: CarriedArrays, s: int, at: int, windows: I64, gone: int) -> None:
    """Sum anew what has just gone a full round of its window, or lost a wild return."""
    ring, cross, sums = state.returns, state.cross, state.sums
    longest, span = ring.shape[1], cross.shape[1]
    for j in range(2):
        if (at + 1) % windows[j] == 0 or gone & (1 << j):
            clear(sums, s, 2 * j, 2 * j + 2)
            for k in range(windows[j]):
                value = ring[s, (at + longest - k) % longest]
                add(sums, s, 2 * j, value)
                add(sums, s, 2 * j + 1, value * value)
    if (at + 1) % span == 0 or gone & (1 << 2):
        clear(sums, s, X, XY + 1)
        for k in range(span):
            own = ring[s, (at + longest - k) % longest]
            _add_pair(sums, s, own, cross[s, (at + span - k) % span], 1.0)


@njit(cache=True, error_model="numpy")
def _deviation_of(sums: F64, s: int, k: int, n: int) -> float:
    return deviation(sum_of(sums, s, k), sum_of(sums, s, k + 1), n)


@njit(cache=True, error_model="numpy")
def _correlation(sums: F64, s: int, n: int) -> float:
    """Return Pearson's correlation, or NaN where one side does not vary."""
    total_x, total_y = sum_of(sums, s, X), sum_of(sums, s, Y)
    deviation_x = deviation(total_x, sum_of(sums, s, XX), n)
    deviation_y = deviation(total_y, sum_of(sums, s, YY), n)
    if deviation_x < FLAT or deviation_y < FLAT:
        return np.nan
    together = scatter(total_x, total_y, sum_of(sums, s, XY), n)
    return together / ((n - 1) * deviation_x * deviation_y)

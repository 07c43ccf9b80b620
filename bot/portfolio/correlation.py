"""How symbols move together: a moving average of the products of their standardised returns.

A bar's return over the deviation measured before it is z; Q ← λ Q + (1 - λ) z zᵀ, and the correlation
of s and t is Q_st / √(Q_ss Q_tt) (J.P. Morgan & Reuters 1996; Engle 2002). Q begins as the identity,
so that little is believed of few bars.

Rules: all that is carried is the matrix, of which a symbol's row has Q and then the places below; a
symbol without a bar adds zeros, so that Q is never indefinite. Must not know forecasts or positions.
"""

from __future__ import annotations

import math

import numpy as np

from bot.blocks import F64, BarBlock, Bool
from bot.portfolio.kernel.compiling import cold, hot

CLOSE = 0
"""The last close; 0 before the first."""
SQUARES = 1
"""Sum of squared returns, each weighing λ times as much as the next."""
MASS = 2
"""Sum of these weights."""
RETURN = 3
"""The last bar's standardised return."""
PLACES = 4

LEAST_MASS = 5.0
"""Of fewer returns the deviation is not known, and they are not standardised."""
LARGEST = 10.0
"""A return beyond so many deviations counts as so many."""


def width_of(n_symbols: int) -> int:
    """Return how many numbers are carried for each symbol."""
    return n_symbols + PLACES


def decay_of(span_bars: int) -> float:
    """Return λ, by which a bar weighs less than the next; `span` as pandas has it.

    >>> decay_of(3)
    0.5
    """
    return 1.0 - 2.0 / (span_bars + 1.0)


def measured(correlation: F64, bars: BarBlock, decay: float) -> F64:
    """Return what is carried after these bars; the given is not changed."""
    after = np.array(correlation)
    _take_in_all(after, np.array(bars.close), np.array(bars.valid), decay)
    return after


@cold
def _take_in_all(correlation: F64, close: F64, valid: Bool, decay: float) -> None:
    for i in range(len(close)):
        take_in(correlation, close[i], valid[i], decay)


@cold
def take_in(correlation: F64, close: F64, valid: Bool, decay: float) -> None:
    """Take in the closes of one bar."""
    n = len(correlation)
    for s in range(n):
        own = correlation[s, n:]
        own[RETURN] = 0.0
        if not valid[s]:
            continue
        if own[CLOSE] > 0.0:
            change = close[s] / own[CLOSE] - 1.0
            deviation = measured_deviation(correlation, s)
            if own[MASS] >= LEAST_MASS and deviation > 0.0:
                own[RETURN] = min(max(change / deviation, -LARGEST), LARGEST)
            own[SQUARES] = decay * own[SQUARES] + change * change
            own[MASS] = decay * own[MASS] + 1.0
        own[CLOSE] = close[s]
    for s in range(n):
        for t in range(n):
            product = correlation[s, n + RETURN] * correlation[t, n + RETURN]
            correlation[s, t] = decay * correlation[s, t] + (1.0 - decay) * product


@hot
def measured_deviation(correlation: F64, s: int) -> float:
    """Return the deviation of a bar's return; 0 before the first."""
    own = correlation[s, len(correlation) :]
    if not own[MASS] > 0.0:
        return 0.0
    return math.sqrt(own[SQUARES] / own[MASS])


@hot
def correlation_between(correlation: F64, s: int, t: int) -> float:
    """Return the correlation of two symbols, 0 of one that has not moved for long."""
    if s == t:
        return 1.0
    product = correlation[s, s] * correlation[t, t]
    if not product > 0.0:
        return 0.0
    found: float = correlation[s, t] / math.sqrt(product)
    return found

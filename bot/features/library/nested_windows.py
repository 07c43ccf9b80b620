"""Volatilities and scaled returns over a symbol's last 1 to 720 bars.

The windows end at the same bar, so one walk back over the ring gives the sums of all of them; they are
taken anew at every bar, and a value that has left a window has left nothing behind. Rules: a window is
of a symbol's own bars; rings start as NaN, so that a window that is not full gives NaN of itself;
logarithms are differences of logarithms, which no price makes infinite.
"""

from __future__ import annotations

import math

import numpy as np

from bot.blocks import F64, I64, Arrays, BarBlock, Bool
from bot.compiled import njit
from bot.features.groups import FeatureContext, Group, columns_of

WINDOWS = (1, 5, 24, 72, 168, 720)
LONGEST = WINDOWS[-1]
"""The windows in bars; the lags of a HAR model at hourly bars (Corsi 2009), and shorter ones."""

SCALE_WINDOW = 168
"""Bars of the volatility that returns are scaled by: any shorter return lies within √168 of them."""

FLOOR = 1e-12
"""A bar's variance counts as at least this, a volatility of 1e-6: a price that stands still has one."""

RETURN, RANGE, GARMAN_KLASS = range(3)
"""What the ring holds of a bar: its log return, and its variance by two estimators."""

_WINDOWS = np.array(WINDOWS, dtype=np.int64)
_N = len(WINDOWS)


def _carry(given: FeatureContext) -> Arrays:
    S = given.n_symbols
    return {
        "seen": np.zeros(S, dtype=np.int64),
        "log_close": np.full(S, np.nan),
        "ring": np.full((S, LONGEST, 3), np.nan),
    }


def _advance(_: FeatureContext, arrays: Arrays, block: BarBlock, x: F64) -> None:
    open_, high, low, close, valid = columns_of(block, "open", "high", "low", "close", "valid")
    _advance_all(
        arrays["seen"], arrays["log_close"], arrays["ring"], open_, high, low, close, valid, x
    )


GROUP = Group("nested_windows", _carry, _advance)

for _n in WINDOWS:
    GROUP.enter(
        f"log_volatility_{_n}", f"log of the root mean square of log returns over {_n} bars",
        _n + 1,
    )  # fmt: skip
for _n in WINDOWS:
    GROUP.enter(
        f"log_range_{_n}", f"log of the volatility by high and low over {_n} bars (Parkinson 1980)",
        _n,
    )  # fmt: skip
for _n in WINDOWS:
    GROUP.enter(
        f"log_garman_klass_{_n}",
        f"log of the volatility by open, high, low and close over {_n} bars (Garman & Klass 1980)",
        _n,
    )  # fmt: skip
for _n in WINDOWS[:-1]:
    GROUP.enter(
        f"scaled_return_{_n}",
        f"log return over {_n} bars, over √{_n} times the volatility of {SCALE_WINDOW} bars",
        SCALE_WINDOW + 1,
    )


@njit(cache=True, error_model="numpy")
def _advance_all(
    seen: I64, log_close: F64, ring: F64, open_: F64, high: F64, low: F64, close: F64, valid: Bool,
    x: F64,
) -> None:  # fmt: skip
    n, n_symbols = close.shape
    sums = np.empty((_N, 4))
    for i in range(n):
        for s in range(n_symbols):
            if valid[i, s]:
                at = seen[s] % LONGEST
                newest = math.log(close[i, s])
                width = (math.log(high[i, s]) - math.log(low[i, s])) ** 2
                body = (newest - math.log(open_[i, s])) ** 2
                ring[s, at, RETURN] = newest - log_close[s]
                ring[s, at, RANGE] = width / (4.0 * math.log(2.0))
                ring[s, at, GARMAN_KLASS] = 0.5 * width - (2.0 * math.log(2.0) - 1.0) * body
                log_close[s] = newest
                seen[s] += 1
                _sum_back(ring, s, at, sums)
                _set_row(sums, x, i, s)
            else:
                x[i, s, :] = np.nan


@njit(cache=True, error_model="numpy")
def _sum_back(ring: F64, s: int, at: int, sums: F64) -> None:
    """Sum over each window: the returns, their squares, and both variances."""
    total = squares = by_range = by_garman_klass = 0.0
    taken = 0
    for w in range(_N):
        while taken < _WINDOWS[w]:
            value = ring[s, at, RETURN]
            total += value
            squares += value * value
            by_range += ring[s, at, RANGE]
            by_garman_klass += ring[s, at, GARMAN_KLASS]
            at = at - 1 if at > 0 else LONGEST - 1
            taken += 1
        sums[w, 0], sums[w, 1], sums[w, 2], sums[w, 3] = total, squares, by_range, by_garman_klass


@njit(cache=True, error_model="numpy")
def _set_row(sums: F64, x: F64, i: int, s: int) -> None:
    scale = 0.0
    for w in range(_N):
        for k in range(3):
            x[i, s, k * _N + w] = log_deviation(sums[w, 1 + k] / _WINDOWS[w])
        if _WINDOWS[w] == SCALE_WINDOW:
            scale = math.exp(x[i, s, w])
    for w in range(_N - 1):
        x[i, s, 3 * _N + w] = sums[w, 0] / (math.sqrt(_WINDOWS[w]) * scale)


@njit(cache=True, error_model="numpy")
def log_deviation(variance: float) -> float:
    """Return the log of the root of a variance, which counts as at least FLOOR; NaN of NaN."""
    return variance if math.isnan(variance) else 0.5 * math.log(max(variance, FLOOR))

"""The features of every bar, computed one bar after another over carried state.

Rules: a bar is handled the same way whatever block it comes in. A missing bar (`valid` false)
leaves its symbol's state untouched and its row not ready. Rings start as NaN, so that a short
window that is not full gives NaN of itself; it is summed anew at every bar (long windows run, see
`long_windows.py`). A row with a value that is not finite is not ready, and is NaN throughout.
Division is numpy's: by zero it gives no error but a value that is not finite. Must not know
settings, names or blocks.
"""

from __future__ import annotations

import math

import numpy as np

from bot.blocks import F64, I64, Bool
from bot.compiled import njit
from bot.features.carried import CHANGE, CLOSE, RECENT, RETURN, VOLUME, CarriedArrays, FeatureInputs
from bot.features.catalogue import Feature
from bot.features.long_windows import set_long_windows
from bot.timegrid import DAY_MS, HOUR_MS

FAST_SPAN, SLOW_SPAN = 12.0, 26.0
"""Spans of macd's exponential averages, in bars; ema_ratio's is the short window."""

OTHER_UNIT = 1e6
"""A price so many times the average of those before it, or so small a part, is in another unit."""

N_FEATURES = len(Feature)

EPSILON = 1e-14
"""Keeps the denominators of rsi and bb_position above zero, as a share of the price.

The reference adds 1e-10 whatever the price, so that a coin of 1e-7 had other features than the same
coin counted in millions. As a share, a change of the unit of price changes no feature.
"""

VOLUME_FLOOR = 1e-3
"""A volume counts as at least this share of the one it is held against, so that a bar without trades
has a number: the quietest there is."""

_HOUR = np.array([(math.sin(a), math.cos(a)) for a in 2 * np.pi * np.arange(24) / 24])
_WEEKDAY = np.array([(math.sin(a), math.cos(a)) for a in 2 * np.pi * np.arange(7) / 7])


@njit(cache=True, error_model="numpy")
def advance_features(
    state: CarriedArrays, bars: FeatureInputs, windows: I64, columns: I64, x: F64, ready: Bool
) -> None:
    """Advance the state in place over n bars and fill `x` and `ready`.

    Args:
        state: changed in place.
        bars: n bars of S symbols.
        windows: int64[2], the medium and the long window.
        columns: int64[F], the features wanted.
        x: float64[n, S, F], written.
        ready: bool[n, S], written.
    """
    n, n_symbols = bars.close.shape
    row = np.empty(N_FEATURES)
    returns = np.empty(n_symbols)
    for i in range(n):
        mean_return = _returns_of_bar(state, bars, i, returns)
        _calendar(row, bars.open_time[i])
        for s in range(n_symbols):
            if bars.valid[i, s]:
                close, volume = bars.close[i, s], bars.volume[i, s]
                _bar_shape(row, bars.high[i, s], bars.low[i, s], close)
                _lags(row, state, s, close, volume, returns[s])
                _averages(row, state, s, close)
                _short_window(row, state, s, close, volume)
                set_long_windows(row, state, s, windows, returns[s], mean_return)
                state.seen[s] += 1
                ready[i, s] = _select(row, columns, x, i, s)
            else:
                ready[i, s] = False
                x[i, s, :] = np.nan


@njit(cache=True, error_model="numpy")
def _select(row: F64, columns: I64, x: F64, i: int, s: int) -> bool:
    """Copy the wanted columns, or NaN throughout where one of them is not known."""
    complete = True
    for f in range(len(columns)):
        value = row[columns[f]]
        x[i, s, f] = value
        complete &= math.isfinite(value)
    if not complete:
        x[i, s, :] = np.nan
    return complete


@njit(cache=True, error_model="numpy")
def _returns_of_bar(state: CarriedArrays, bars: FeatureInputs, i: int, returns: F64) -> float:
    """Set each symbol's return since its previous bar, and return their mean; NaN where unknown."""
    total, known = 0.0, 0
    for s in range(len(returns)):
        returns[s] = np.nan
        if bars.valid[i, s] and state.seen[s] > 0:
            previous = state.recent[s, (state.seen[s] - 1) % RECENT]
            returns[s] = bars.close[i, s] / previous - 1.0
            total += returns[s]
            known += 1
    return total / known if known > 0 else np.nan


@njit(cache=True, error_model="numpy")
def _calendar(row: F64, open_time: int) -> None:
    hour = (open_time // HOUR_MS) % 24
    weekday = (open_time // DAY_MS + 3) % 7  # 1970-01-01 was a Thursday, Monday is 0
    row[Feature.HOUR_SIN], row[Feature.HOUR_COS] = _HOUR[hour, 0], _HOUR[hour, 1]
    row[Feature.WEEKDAY_SIN], row[Feature.WEEKDAY_COS] = _WEEKDAY[weekday, 0], _WEEKDAY[weekday, 1]


@njit(cache=True, error_model="numpy")
def _bar_shape(row: F64, high: float, low: float, close: float) -> None:
    row[Feature.RANGE] = (high - low) / close
    row[Feature.CLOSE_LOCATION] = (close - low) / (high - low) if high > low else 0.5


@njit(cache=True, error_model="numpy")
def _lags(
    row: F64, state: CarriedArrays, s: int, close: float, volume: float, return_1: float
) -> None:
    """Set what compares the bar with single bars before it, and put its close on the ring."""
    count = state.seen[s]
    window = state.short.shape[1]
    slot = count % RECENT
    oldest = state.short[s, count % window, CLOSE]
    previous = state.short[s, (count - 1) % window, VOLUME] if count > 0 else np.nan
    row[Feature.RETURN_1] = return_1
    row[Feature.RETURN_5] = close / state.recent[s, (slot + 5) % RECENT] - 1.0
    row[Feature.RETURN_10] = close / state.recent[s, slot] - 1.0
    row[Feature.MOMENTUM] = close / oldest - 1.0
    row[Feature.VOLUME_CHANGE] = _log_change(volume, previous)
    state.recent[s, slot] = close


@njit(cache=True, error_model="numpy")
def _log_ratio(volume: float, mean: float) -> float:
    """Return log(volume / mean), floored; NaN where the mean is not positive or not known."""
    return math.log(max(volume / mean, VOLUME_FLOOR)) if mean > 0.0 else np.nan


@njit(cache=True, error_model="numpy")
def _log_change(volume: float, previous: float) -> float:
    """Return log(volume / previous), each floored by the other; 0 where neither bar had trades."""
    if math.isnan(previous):
        return np.nan
    larger = max(volume, previous)
    if larger <= 0.0:
        return 0.0
    floor = VOLUME_FLOOR * larger
    return math.log(max(volume, floor) / max(previous, floor))


@njit(cache=True, error_model="numpy")
def _averages(row: F64, state: CarriedArrays, s: int, close: float) -> None:
    """Set what is made of exponential averages."""
    usual = _exponential(state.averages, s, 0, close, float(state.short.shape[1]))
    fast = _exponential(state.averages, s, 1, close, FAST_SPAN)
    slow = _exponential(state.averages, s, 2, close, SLOW_SPAN)
    row[Feature.EMA_RATIO] = close / usual
    row[Feature.MACD] = (fast - slow) / close


@njit(cache=True, error_model="numpy")
def _exponential(averages: F64, s: int, k: int, close: float, span: float) -> float:
    """Advance average k and return it: pandas' ewm(span, adjust=True).mean().

    It begins anew at a price in another unit, which it would not forget for thousands of bars.
    """
    decay = 1.0 - 2.0 / (span + 1.0)
    share = close * averages[s, k, 1] / averages[s, k, 0]
    if not 1.0 / OTHER_UNIT < share < OTHER_UNIT:
        averages[s, k, 0] = averages[s, k, 1] = 0.0
    averages[s, k, 0] = close + decay * averages[s, k, 0]
    averages[s, k, 1] = 1.0 + decay * averages[s, k, 1]
    mean: float = averages[s, k, 0] / averages[s, k, 1]
    return mean


@njit(cache=True, error_model="numpy")
def _short_window(row: F64, state: CarriedArrays, s: int, close: float, volume: float) -> None:
    """Put the bar on the short ring, and set what is a mean or deviation over it, in two passes.

    Closes are taken relative to the newest, which is exact for closes within a factor of two, so
    that a window in which the price stands still has no deviation but for rounding.
    """
    ring = state.short
    window = ring.shape[1]
    count = state.seen[s]
    slot = count % window
    previous = ring[s, (count - 1) % window, CLOSE] if count > 0 else np.nan
    ring[s, slot, CLOSE] = close
    ring[s, slot, CHANGE] = close - previous
    ring[s, slot, RETURN] = close / previous - 1.0
    ring[s, slot, VOLUME] = volume

    offset = gains = losses = drift = traded = 0.0
    for k in range(window):
        change = ring[s, k, CHANGE]
        offset += ring[s, k, CLOSE] - close
        gains += 0.5 * (abs(change) + change)
        losses += 0.5 * (abs(change) - change)
        drift += ring[s, k, RETURN]
        traded += ring[s, k, VOLUME]
    offset /= window
    drift /= window
    close_squares = return_squares = 0.0
    for k in range(window):
        close_squares += (ring[s, k, CLOSE] - close - offset) ** 2
        return_squares += (ring[s, k, RETURN] - drift) ** 2

    band = 2.0 * math.sqrt(close_squares / (window - 1))
    tiny = EPSILON * close
    strength = (gains / window) / (losses / window + tiny)
    row[Feature.SMA_RATIO] = close / (close + offset)
    row[Feature.BB_POSITION] = -offset / (band + tiny)
    row[Feature.VOLATILITY] = math.sqrt(return_squares / (window - 1))
    row[Feature.RSI] = 100.0 - 100.0 / (1.0 + strength)
    row[Feature.VOLUME_RATIO] = _log_ratio(volume, traded / window)

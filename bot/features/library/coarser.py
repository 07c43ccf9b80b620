"""Features of a coarser interval, made of the run's own bars: what 4 hours or a day look like.

A coarser bar begins at a multiple of its length, UTC. Rules: it counts from the close of the bar that ends
with it, or, where that is missing, from the symbol's next bar; until then all see the one before. A first
coarser bar of which the beginning is missing is left out. Must not look into a coarser bar that is not over.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from bot.blocks import F64, I64, Arrays, BarBlock, Bool
from bot.compiled import njit
from bot.features.groups import FeatureContext, Group, columns_of
from bot.features.library.nested_windows import FLOOR
from bot.timegrid import INTERVAL_MS

INTERVALS = ("4h", "1d")


def _bars(whole: int | None, length_ms: int, given: FeatureContext) -> int:
    """Return the bars after which so many coarser ones are over, however they begin."""
    each = length_ms // given.interval_ms
    return ((given.features.window if whole is None else whole) + 1) * each - 1


def _carry(given: FeatureContext) -> Arrays:
    S = given.n_symbols
    return {
        "first": np.full(S, -1, dtype=np.int64),
        "coarse": np.full(S, -1, dtype=np.int64),
        "building": np.full((S, 3), np.nan),
        "whole": np.zeros(S, dtype=np.int64),
        "closes": np.full((S, given.features.window), np.nan),
        "row": np.full((S, 3), np.nan),
    }


def _advance(
    length_ms: int, given: FeatureContext, arrays: Arrays, block: BarBlock, x: F64
) -> None:
    high, low, close, valid = columns_of(block, "high", "low", "close", "valid")
    least = np.array([_bars(whole, length_ms, given) for whole in (2, 1, None)], dtype=np.int64)
    _advance_all(
        arrays["first"], arrays["coarse"], arrays["building"], arrays["whole"], arrays["closes"],
        arrays["row"], block.open_time, high, low, close, valid, given.interval_ms, length_ms, least,
        x,
    )  # fmt: skip


def _group_of(interval: str) -> Group:
    length_ms = INTERVAL_MS[interval]
    group = Group(f"coarser_{interval}", _carry, partial(_advance, length_ms))
    for name, what, whole in (
        ("return", "log return of the last {} bar that is over", 2),
        ("log_range", "log of the range's volatility of the last {} bar that is over", 1),
        (
            "close_to_mean",
            "log close of the last {} bar over, less the mean of features.window",
            None,
        ),
    ):
        group.enter(
            f"{name}_{interval}", what.format(interval), partial(_bars, whole, length_ms),
            shorter_than_ms=length_ms,
        )  # fmt: skip
    return group


GROUPS = tuple(_group_of(interval) for interval in INTERVALS)


@njit(cache=True, error_model="numpy")
def _advance_all(
    first: I64, coarse: I64, building: F64, whole: I64, closes: F64, row: F64, open_time: I64,
    high: F64, low: F64, close: F64, valid: Bool, interval_ms: int, length_ms: int, least: I64,
    x: F64,
) -> None:  # fmt: skip
    """Advance over n bars.

    Args:
        first: int64[S], the open time of the symbol's first bar; -1 before there is one.
        coarse: int64[S], the number of the coarser bar being made, -1 for one that is left out.
        building: float64[S, 3], its log high, log low and log close so far; NaN where none is.
        whole: int64[S], coarser bars that are over.
        closes: float64[S, window], their newest log closes.
        row: float64[S, 3], the features of the newest.
        least: int64[3], the bars that each feature needs.
    """
    for i in range(len(open_time)):
        for s in range(len(first)):
            x[i, s, :] = np.nan
            if valid[i, s]:
                number = open_time[i] // length_ms
                if first[s] < 0:
                    first[s] = open_time[i]
                if coarse[s] != number and not math.isnan(building[s, 0]):
                    _end(building, whole, closes, row, s)
                coarse[s] = number
                if number * length_ms >= first[s]:
                    _build(building, s, math.log(high[i, s]), math.log(low[i, s]))
                    building[s, 2] = math.log(close[i, s])
                    if (open_time[i] + interval_ms) % length_ms == 0:
                        _end(building, whole, closes, row, s)
                bars = (open_time[i] - first[s]) // interval_ms + 1
                for k in range(3):
                    if bars >= least[k]:
                        x[i, s, k] = row[s, k]


@njit(cache=True, error_model="numpy")
def _build(building: F64, s: int, high: float, low: float) -> None:
    begun = not math.isnan(building[s, 0])
    building[s, 0] = max(building[s, 0], high) if begun else high
    building[s, 1] = min(building[s, 1], low) if begun else low


@njit(cache=True, error_model="numpy")
def _end(building: F64, whole: I64, closes: F64, row: F64, s: int) -> None:
    """Take the coarser bar as over: put its close on the ring, and set the features."""
    window = closes.shape[1]
    newest = building[s, 2]
    row[s, 0] = newest - closes[s, (whole[s] - 1) % window] if whole[s] > 0 else np.nan
    variance = (building[s, 0] - building[s, 1]) ** 2 / (4.0 * math.log(2.0))
    row[s, 1] = 0.5 * math.log(max(variance, FLOOR))
    closes[s, whole[s] % window] = newest
    whole[s] += 1
    total = 0.0
    for k in range(window):
        total += closes[s, k]
    row[s, 2] = newest - total / window
    building[s, :] = np.nan

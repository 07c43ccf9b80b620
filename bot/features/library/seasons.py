"""Trailing seasonality of volume and of range: what this hour is like, and the hours to come.

Trading has hours. Of a bar and its h bars to come, with h = features.seasonal_bars, the same hours
of the days before tell what is usual: adjusted features hold the bar against it, seasonal ones say how far the
bars to come use to lie from the present level, the mean over features.window bars.

Rules: a lag is of the clock, whole days back, whatever bars are missing between; the h bars after one are the
symbol's own, and count once they are all there. A mean of logarithms is taken over the lags that have a
bar; where none has, the usual is the present level. A single bar counts as at most 1000 times the
present level and at least a thousandth (so that volume 0 has a logarithm). Must not look at a calendar.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from bot.blocks import F64, I64, Arrays, BarBlock, Bool
from bot.compiled import njit
from bot.errors import ConfigError
from bot.features.groups import FeatureContext, Group, columns_of
from bot.timegrid import DAY_MS

DAYS = 28
SHORT_DAYS = 7
LIMIT = math.log(1e3)
FLAT = 1e-12
"""The present level of a bar's variance counts as at least this: a price that stands still has one."""

_SPANS = (
    ("7d", "hour of the day of the last 7 days", SHORT_DAYS),
    ("28d", "hour of the day of the last 28 days", DAYS),
    ("week", "hour of the week of the last 4 weeks", DAYS),
)


def _per_day(given: FeatureContext) -> int:
    return DAY_MS // given.interval_ms


def _bars(days: int, given: FeatureContext) -> int:
    return max(days * _per_day(given) + 1, given.features.window)


def _bars_ahead(days: int, given: FeatureContext) -> int:
    """Return the bars of a feature that looks ahead, as far as its lags have a future by now."""
    ahead, most = given.features.seasonal_bars, days * _per_day(given)
    if ahead > most:
        raise ConfigError(
            f"features.seasonal_bars = {ahead}: what followed a bar of the last {days} days is known "
            f"over {most} bars at most; shorten it, or take the seasonal features of {days} days out"
        )
    return _bars(days, given)


def _carry(given: FeatureContext) -> Arrays:
    S, slots = given.n_symbols, DAYS * _per_day(given) + 1
    ahead = given.features.seasonal_bars
    return {
        "seen": np.zeros(S, dtype=np.int64),
        "span": np.zeros((S, 2), dtype=np.int64),
        "now": np.full((S, slots), np.nan),
        "after": np.full((S, slots), np.nan),
        "recent": np.full((S, max(ahead, given.features.window)), np.nan),
        "recent_slots": np.zeros((S, ahead), dtype=np.int64),
    }


def _advance_on(
    given: FeatureContext, arrays: Arrays, block: BarBlock, x: F64, *, values: F64, power: float,
    floor: float,
) -> None:  # fmt: skip
    slots = block.open_time // given.interval_ms
    _advance_all(
        arrays["seen"], arrays["span"], arrays["now"], arrays["after"], arrays["recent"],
        arrays["recent_slots"], slots, np.require(values, requirements=["C", "W"]),
        columns_of(block, "valid")[0], _per_day(given), given.features.window, power, floor, x,
    )  # fmt: skip


def _advance_volume(given: FeatureContext, arrays: Arrays, block: BarBlock, x: F64) -> None:
    _advance_on(given, arrays, block, x, values=block.volume, power=1.0, floor=0.0)


def _advance_range(given: FeatureContext, arrays: Arrays, block: BarBlock, x: F64) -> None:
    variance = (np.log(block.high) - np.log(block.low)) ** 2 / (4.0 * math.log(2.0))
    _advance_on(given, arrays, block, x, values=variance, power=0.5, floor=FLAT)


VOLUME = Group("volume_seasons", _carry, _advance_volume)
RANGE = Group("range_seasons", _carry, _advance_range)

for _group, _name, _what, _needs in (
    (VOLUME, "volume", "log of the volume", "volume"),
    (RANGE, "range", "log of the range's volatility (Parkinson 1980)", ""),
):
    for _span, _hour, _days in _SPANS:
        _group.enter(
            f"{_name}_adjusted_{_span}", f"{_what} less its mean at the same {_hour}",
            partial(_bars, _days), needs=_needs,
        )  # fmt: skip
    for _span, _hour, _days in _SPANS:
        _group.enter(
            f"{_name}_seasonal_{_span}",
            f"{_what} of the next features.seasonal_bars bars as it was after the same {_hour}, less "
            "that of features.window bars",
            partial(_bars_ahead, _days), needs=_needs,
        )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _advance_all(
    seen: I64, span: I64, now: F64, after: F64, recent: F64, recent_slots: I64, slots: I64,
    values: F64, valid: Bool, per_day: int, window: int, power: float, floor: float, x: F64,
) -> None:  # fmt: skip
    """Advance over n bars.

    Args:
        seen: int64[S], bars so far.
        span: int64[S, 2], the slots of the first and of the newest bar; a slot is a bar of the clock.
        now: float64[S, L], the value in each of the last L slots; NaN where there is no bar.
        after: float64[S, L], the mean over the h bars after that of the slot; NaN until there are.
        recent: float64[S, ·], the newest values.
        recent_slots: int64[S, h], the slots of the newest h bars.
        values: float64[n, S], volumes or variances.
        power: of a value, 0.5 for a variance.
        floor: of the present level.
    """
    for i in range(len(slots)):
        for s in range(values.shape[1]):
            if valid[i, s]:
                _put(seen, span, now, after, recent, recent_slots, s, slots[i], values[i, s])
                level = max(_newest_mean(recent, s, seen[s], window), floor)
                days = (slots[i] - span[s, 0]) // per_day
                usable = seen[s] >= window and 0.0 < level < np.inf
                for k in range(6):
                    x[i, s, k] = np.nan
                if usable:
                    _set_row(now[s], after[s], slots[i], per_day, days, level, power, x[i, s])
            else:
                x[i, s, :] = np.nan


@njit(cache=True, error_model="numpy")
def _put(
    seen: I64, span: I64, now: F64, after: F64, recent: F64, recent_slots: I64, s: int, slot: int,
    value: float,
) -> None:  # fmt: skip
    """Put a bar into its slot, and its h bars' mean into the slot of the bar before them."""
    length, ahead = now.shape[1], recent_slots.shape[1]
    if seen[s] == 0:
        span[s, 0] = slot
    else:
        for passed in range(max(span[s, 1] + 1, slot - length + 1), slot):
            now[s, passed % length] = after[s, passed % length] = np.nan
    span[s, 1] = slot
    now[s, slot % length] = value
    after[s, slot % length] = np.nan
    recent[s, seen[s] % recent.shape[1]] = value
    seen[s] += 1
    if seen[s] > ahead:
        before = recent_slots[s, (seen[s] - 1) % ahead]
        if slot - before < length:
            after[s, before % length] = _newest_mean(recent, s, seen[s], ahead)
    recent_slots[s, (seen[s] - 1) % ahead] = slot


@njit(cache=True, error_model="numpy")
def _newest_mean(recent: F64, s: int, seen: int, n: int) -> float:
    total = 0.0
    for back in range(1, min(n, seen) + 1):
        total += recent[s, (seen - back) % recent.shape[1]]
    return total / n


@njit(cache=True, error_model="numpy")
def _set_row(
    now: F64, after: F64, slot: int, per_day: int, days: int, level: float, power: float, row: F64
) -> None:
    """Set the row of one bar, all of whose `days` days before are there."""
    length = len(now)
    value = _held_against(now[slot % length], level, power)
    for column in range(2):
        ring = now if column == 0 else after
        total = weekly = 0.0
        known = weeks = 0
        for day in range(1, min(days, DAYS) + 1):
            earlier = ring[(slot - day * per_day) % length]
            if not math.isnan(earlier):
                held = _held_against(earlier, level, power)
                total += held
                known += 1
                if day % 7 == 0:
                    weekly += held
                    weeks += 1
            if day == SHORT_DAYS:
                row[3 * column] = total / max(known, 1)
        if days >= DAYS:
            row[3 * column + 1] = total / max(known, 1)
            row[3 * column + 2] = weekly / max(weeks, 1)
    for k in range(3):
        row[k] = value - row[k]


@njit(cache=True, error_model="numpy")
def _held_against(value: float, level: float, power: float) -> float:
    """Return power × log(value / level), within the limits."""
    ratio = value / level
    if ratio <= math.exp(-LIMIT / power):
        return -LIMIT
    return LIMIT if ratio >= math.exp(LIMIT / power) else power * math.log(ratio)

"""What baselines read of the bars: returns, volatilities, volumes and seasons, float64[n, S] each.

Spans are in hours of the calendar and become bars by the bars a year, so that with hourly bars round
the clock a span of 24 is 24 bars, with quarter-hourly ones 96, and with sessions of a day each week
is five bars. Rules: a term of bar t uses bars up to t; missing bars are left out of a mean, which is
NaN with fewer than half of its bars. Must not see a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from bot.blocks import F64, I64
from bot.report.inputs import Judged
from bot.timegrid import DAY_MS, HOUR_MS

SPANS = (1, 5, 24, 168, 720)
"""Hours behind the terms of a baseline: the last one, five, a day, a week, a month of 30 days."""

HOURS_A_YEAR = 365 * 24
HOURS_OF_DAY, HOURS_OF_WEEK = 24, 168
LEAST_SHARE = 0.05
"""A volatility over few bars is not below this share of that over more, so that its logarithm stands."""

Hours: TypeAlias = I64
"""The season of a bar, int64[n], from 0."""


def bars_of(run: Judged, hours: float) -> int:
    """Return how many bars so many hours of the calendar are, at least one."""
    return max(1, round(hours * run.periods_per_year / HOURS_A_YEAR))


def spans(run: Judged) -> tuple[int, ...]:
    """Return SPANS in bars with the last bar itself, in rising order, each once."""
    return tuple(sorted({1, *(bars_of(run, hours) for hours in SPANS)}))


def hour_of_day(run: Judged) -> Hours:
    """Return int64[n], the hour in UTC at which each bar opened."""
    return (run.open_time // HOUR_MS % HOURS_OF_DAY).astype(np.int64)


def hour_of_week(run: Judged) -> Hours:
    """Return int64[n], the hour of the week in UTC, from a Thursday, at which each bar opened."""
    return (run.open_time // HOUR_MS % HOURS_OF_WEEK).astype(np.int64)


def squared_returns(run: Judged) -> F64:
    """Return float64[n, S], the squared return on the last known close; NaN at missing bars."""
    return returns(run, 1) ** 2


def returns(run: Judged, bars: int) -> F64:
    """Return float64[n, S], the return of the last so many bars; NaN at missing bars."""
    before = np.full_like(run.price, np.nan)
    before[bars:] = run.price[:-bars]
    return np.where(run.bars.valid, run.price, np.nan) / before - 1.0


def squared_ranges(run: Judged) -> F64:
    """Return float64[n, S], the variance of a bar's return by its range, log(H/L)² / (4 log 2).

    Of a walk without drift (Parkinson 1980); NaN at missing bars.
    """
    bars = run.bars
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.log(np.where(bars.valid, bars.high / bars.low, np.nan))
    squared: F64 = np.where(np.isfinite(width), width**2, np.nan) / (4.0 * np.log(2.0))
    return squared


def squared_realised(run: Judged) -> F64:
    """Return float64[n, S], the variance of a bar's return by shorter candles, else by its range."""
    realised = run.bars.realised_variance
    return np.where(np.isnan(realised) | ~run.bars.valid, squared_ranges(run), realised)


def mean_over(values: F64, span: int) -> F64:
    """Return float64[n, S], the mean of what is known of the last so many bars."""
    rolling = pd.DataFrame(values).rolling(span, min_periods=max(1, span // 2))
    mean: F64 = rolling.mean().to_numpy(dtype=np.float64)
    return mean


def log_volatilities(run: Judged, squared: F64) -> F64:
    """Return float64[n, S, m], the log of the volatility of a bar over each of `spans`.

    No one is below LEAST_SHARE of the next longer.

    Args:
        squared: float64[n, S], the variances of the bars.
    """
    found: list[F64] = []
    for span in reversed(spans(run)):
        term = np.sqrt(np.maximum(mean_over(squared, span), 0.0))
        found.append(np.maximum(term, LEAST_SHARE * found[-1]) if found else term)
    return _logs(found[::-1])


def log_volumes(run: Judged, *more: int) -> F64:
    """Return float64[n, S, m], the log of the mean volume over each of `spans`, then over `more` bars."""
    volume = np.where(run.bars.valid, run.bars.volume, np.nan)
    return _logs([mean_over(volume, span) for span in (*spans(run), *more)])


def weeks_before(run: Judged, weeks: int) -> I64:
    """Return int64[n], the bar that opened so many weeks earlier; -1 where there is none."""
    asked = run.open_time - weeks * 7 * DAY_MS
    at = np.searchsorted(run.open_time, asked)
    return np.where(run.open_time[at] == asked, at, -1)


def _logs(values: Sequence[F64]) -> F64:
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.stack(values, axis=-1))
    logs[~np.isfinite(logs)] = np.nan
    return logs

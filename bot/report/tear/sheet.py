"""The tear sheet of a run: everything in this package, of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.blocks import F64, I64
from bot.report.inputs import RunData
from bot.report.money.buy_and_hold import buy_and_hold
from bot.report.money.metrics import Figures
from bot.report.money.trades import Trades, trades_of
from bot.report.skill.bootstrap import Interval, interval
from bot.report.tear.beside import market_figures
from bot.report.tear.daily import Daily, daily_of
from bot.report.tear.falls import Fall, falls
from bot.report.tear.groups import grouped
from bot.report.tear.periods import extremes, last_periods, monthly_table
from bot.report.tear.ratios import ratio_figures
from bot.report.tear.rolling import Rolling, rolling
from bot.report.tear.tails import histogram, tail_figures


@dataclass(frozen=True, slots=True)
class TearSheet:
    """The tear sheet of a run.

    Attributes:
        time_ms: int64[m + 1], the open of the first bar that counts and the close of each.
        curve, held_curve: float64[m + 1], equity of the run and of buy and hold at those times.
        daily: returns by day.
        return_interval: of the total return, from resampled days; None with no day.
        months: a row a year (`periods.monthly_table`).
        last: returns over the last periods (`periods.last_periods`).
        extremes: best and worst of each length (`periods.extremes`).
        rolling: figures of the last days; None with too few.
        falls, held_falls: the worst drawdowns.
        tails, held_tails: value at risk and the like.
        histogram: of daily returns; None with too few.
        ratios, held_ratios: what tear sheets count.
        beside: beta and the like.
        trades: closed round trips.
        groups: of round trips (`groups.grouped`).
    """

    time_ms: I64
    curve: F64
    held_curve: F64
    daily: Daily
    return_interval: Interval | None
    months: list[dict[str, Any]]
    last: list[dict[str, Any]]
    extremes: list[dict[str, Any]]
    rolling: Rolling | None
    falls: list[Fall]
    held_falls: list[Fall]
    tails: Figures
    held_tails: Figures
    histogram: dict[str, Any] | None
    ratios: Figures
    held_ratios: Figures
    beside: Figures
    trades: Trades
    groups: dict[str, list[dict[str, Any]]]


def tear_sheet(run: RunData, samples: int) -> TearSheet:
    """Return the tear sheet of a run from its start on.

    Args:
        run: the run.
        samples: resamples for the interval of the total return.
    """
    start = run.start_index
    held = buy_and_hold(run, start)
    capital = run.equity_before(start)
    daily = daily_of(run, start, held, run.periods_per_year)
    first = run.open_time[start : start + 1]
    time = np.concatenate((first, run.open_time[start:] + run.interval_ms))
    curve = np.concatenate(([capital], run.equity[start:]))
    held_curve = np.concatenate(([capital], held))
    trades = trades_of(run, start)
    return TearSheet(
        time_ms=time,
        curve=curve,
        held_curve=held_curve,
        daily=daily,
        return_interval=return_interval(daily.run, samples),
        months=monthly_table(daily),
        last=last_periods(daily),
        extremes=extremes(daily),
        rolling=rolling(daily),
        falls=falls(time, curve),
        held_falls=falls(time, held_curve),
        tails=tail_figures(daily.run),
        held_tails=tail_figures(daily.held),
        histogram=histogram(daily.run),
        ratios=ratio_figures(daily.run, daily.per_year),
        held_ratios=ratio_figures(daily.held, daily.per_year),
        beside=market_figures(daily),
        trades=trades,
        groups=grouped(trades, run.symbols, run.fill_reasons),
    )


def return_interval(returns: F64, samples: int) -> Interval | None:
    """Return the total return with its interval, had the same kinds of days come in another order.

    Days are resampled in blocks, each draw as long as the run; the mean of their logarithms is what
    is resampled. None after a bankruptcy, and without a day.
    """
    if not len(returns) or np.any(returns <= -1.0):
        return None
    n = len(returns)
    logs = np.log1p(returns)
    found = interval(np.column_stack((np.ones(n), logs)), _mean_log, 1, samples)
    if found is None:
        return None
    ends = [None if x is None else float(np.expm1(n * x)) for x in (found.low, found.high)]
    return Interval(float(np.expm1(logs.sum())), ends[0], ends[1], found.block)


def _mean_log(sums: F64) -> F64:
    mean: F64 = sums[..., 1] / sums[..., 0]
    return mean

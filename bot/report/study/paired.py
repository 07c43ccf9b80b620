"""Finished runs against the first of them: paired differences of net returns, day by day.

Days are those of UTC within the time that all runs traded, and may be of different bars and symbols.
Differences are paired, because days move all runs alike; their intervals are of a block bootstrap over
days (`bot/report/skill/bootstrap.py`). Must not read files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from bot.blocks import F64, I64
from bot.report.formats import percent, short_time, two_digits, written
from bot.report.money.metrics import lived_returns
from bot.report.skill.bootstrap import Interval, interval
from bot.timegrid import DAY_MS
from bot.timestamps import format_utc

YEAR_DAYS = 365.25


@dataclass(frozen=True, slots=True)
class Curve:
    """A run's equity: float64[n] at the closes `time`, int64[n] ms UTC; the first is its start."""

    name: str
    time: I64
    equity: F64


@dataclass(frozen=True, slots=True)
class RunDifference:
    """The first run less another: net return a year, and Sharpe ratio of a year, with 95 % intervals."""

    first: str
    second: str
    net_return: Interval | None
    sharpe: Interval | None


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """Net returns of runs over the days that they have in common."""

    start_ms: int
    end_ms: int
    days: Mapping[str, F64]
    differences: tuple[RunDifference, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "from": format_utc(self.start_ms),
            "to": format_utc(self.end_ms),
            "days": len(next(iter(self.days.values()))),
            "runs": {name: _figures(days) for name, days in self.days.items()},
            "differences": [asdict(difference) for difference in self.differences],
        }


def common_span(curves: list[Curve]) -> tuple[int, int]:
    """Return from when to when all were traded; empty where the second is not after the first."""
    return max(int(c.time[0]) for c in curves), min(int(c.time[-1]) for c in curves)


def compared(curves: list[Curve], samples: int) -> RunsCompared:
    """Return the first run's net returns less those of each other over the common days.

    Args:
        curves: two runs at least, whose `common_span` is not empty.
        samples: resamples of the bootstrap.
    """
    start, end = common_span(curves)
    days = {curve.name: daily_returns(curve, start, end) for curve in curves}
    (first, ours), *others = days.items()
    told = tuple(_difference(first, ours, name, theirs, samples) for name, theirs in others)
    return RunsCompared(start, end, days, told)


def daily_returns(curve: Curve, start: int, end: int) -> F64:
    """Return float64[d], the net return between midnights UTC from start to end; 0 after a bankruptcy."""
    midnights = np.arange(start // DAY_MS + 1, -(-end // DAY_MS)) * DAY_MS
    edges = np.concatenate(([start], midnights, [end]))
    equity = curve.equity[np.searchsorted(curve.time, edges, "right") - 1]
    return lived_returns(equity[:-1], equity[1:])


def _difference(first: str, ours: F64, second: str, theirs: F64, samples: int) -> RunDifference:
    sums = np.stack([np.ones(len(ours)), ours, ours**2, theirs, theirs**2], axis=1)

    def mean(s: F64) -> F64:
        gained: F64 = (s[..., 1] - s[..., 3]) / s[..., 0] * YEAR_DAYS
        return gained

    def sharpe(s: F64) -> F64:
        ratio: F64 = _ratio(s[..., 0], s[..., 1], s[..., 2]) - _ratio(
            s[..., 0], s[..., 3], s[..., 4]
        )
        return ratio

    return RunDifference(
        first, second, interval(sums, mean, 1, samples), interval(sums, sharpe, 1, samples)
    )


def _ratio(n: F64, total: F64, squares: F64) -> F64:
    average = total / n
    deviation = np.sqrt(np.maximum(squares / n - average**2, 0.0))
    ratio: F64 = average / deviation * np.sqrt(YEAR_DAYS)
    return ratio


def _figures(days: F64) -> dict[str, float | None]:
    deviation = float(days.std())
    return {
        "net_return": float(np.prod(1.0 + days) - 1.0),
        "net_return_annual_mean": float(days.mean() * YEAR_DAYS),
        "sharpe": float(days.mean() / deviation * np.sqrt(YEAR_DAYS)) if deviation > 0.0 else None,
    }


def render(found: RunsCompared) -> RenderableType:
    """Return the tables for a terminal."""
    runs = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    runs.add_column("run")
    for name in ("net return", "mean a year", "Sharpe"):
        runs.add_column(name, justify="right")
    for name, days in found.days.items():
        figures = _figures(days)
        runs.add_row(
            escape(name), written(figures["net_return"], percent),
            written(figures["net_return_annual_mean"], percent), written(figures["sharpe"], two_digits),
        )  # fmt: skip
    pairs = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("difference", "net return a year", "Sharpe"):
        pairs.add_column(name, justify="left" if name == "difference" else "right")
    for d in found.differences:
        pairs.add_row(
            escape(f"{d.first} - {d.second}"),
            _span(d.net_return, percent),
            _span(d.sharpe, two_digits),
        )
    span = f"{short_time(format_utc(found.start_ms))} to {short_time(format_utc(found.end_ms))}"
    note = (
        f"{span}, the time that all runs traded. 95 % intervals of paired daily net returns, each by itself: "
        "one that contains 0 tells nothing apart."
    )
    return Group(runs, pairs, note)


def _span(found: Interval | None, form: Any) -> str:
    if found is None:
        return "not known"
    if found.low is None or found.high is None:
        return f"{form(found.value)} (too few days for an interval)"
    return f"{form(found.value)} [{form(found.low)}, {form(found.high)}]"

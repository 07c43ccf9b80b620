"""Finished runs against the first of them: paired differences of net returns, day by day.

Days are those of UTC within the time that all runs traded, and may be of different bars and symbols.
Differences are paired, because days move all runs alike; their intervals are of a block bootstrap over
days (`bot/report/skill/bootstrap.py`), each by itself; the p of the net returns are Holm's (1979) for all
pairs together. Must not read files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from bot.blocks import F64, I64
from bot.report.formats import percent, short_time, two_digits, written
from bot.report.money.metrics import lived_returns
from bot.report.money.sharpe import sharpe_of_sums
from bot.report.skill.bootstrap import (
    LEAST_BLOCKS,
    Interval,
    Statistic,
    interval,
    resampled_sums,
    widening,
)
from bot.report.study.comparison import holm
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
    """The first run less another: net return a year, and Sharpe ratio of a year, with 95 % intervals.

    Attributes:
        p: of no difference in net return, two-sided, of the bootstrap; None without an interval.
        p_holm: the same, corrected for all pairs; without a p of its own a pair counts as 1.
        missing: by figure, why it has no value or no interval; nothing where it has both.
    """

    first: str
    second: str
    net_return: Interval | None
    sharpe: Interval | None
    p: float | None
    p_holm: float
    missing: Mapping[str, str]


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
    pairs = [_difference(first, ours, name, theirs, samples) for name, theirs in others]
    corrected = holm([1.0 if pair.p is None else pair.p for pair in pairs])
    differences = (replace(pair, p_holm=p) for pair, p in zip(pairs, corrected, strict=True))
    return RunsCompared(start, end, days, tuple(differences))


def daily_returns(curve: Curve, start: int, end: int) -> F64:
    """Return float64[d], the net return between midnights UTC from start to end; 0 after a bankruptcy."""
    midnights = np.arange(start // DAY_MS + 1, -(-end // DAY_MS)) * DAY_MS
    edges = np.concatenate(([start], midnights, [end]))
    equity = curve.equity[np.searchsorted(curve.time, edges, "right") - 1]
    return lived_returns(equity[:-1], equity[1:])


def _sums(days: F64) -> F64:
    return np.stack([np.ones(len(days)), days, days**2], axis=1)


_sharpe = sharpe_of_sums(YEAR_DAYS)


def _difference(first: str, ours: F64, second: str, theirs: F64, samples: int) -> RunDifference:
    sums = np.hstack([_sums(ours), _sums(theirs)])

    def mean(s: F64) -> F64:
        gained: F64 = (s[..., 1] - s[..., 4]) / s[..., 0] * YEAR_DAYS
        return gained

    def ratio(s: F64) -> F64:
        above: F64 = _sharpe(s[..., :3]) - _sharpe(s[..., 3:])
        return above

    found = {
        "net_return": interval(sums, mean, 1, samples),
        "sharpe": interval(sums, ratio, 1, samples),
    }
    idle = [name for name, days in ((first, ours), (second, theirs)) if not _varies(days)]
    missing = {name: why for name, x in found.items() if (why := _missing(x, len(ours), idle))}
    p = _p(sums, mean, found["net_return"], samples)
    return RunDifference(first, second, **found, p=p, p_holm=1.0, missing=missing)


def _varies(days: F64) -> bool:
    return bool(np.isfinite(_sharpe(_sums(days).sum(axis=0))))


def _missing(found: Interval | None, n: int, idle: list[str]) -> str:
    """Return why a figure has no value or no interval, "" where it has both."""
    if found is None:
        return f"no ratio: the equity of {' and '.join(idle)} does not vary"
    if found.low is not None:
        return ""
    if n < LEAST_BLOCKS * found.block:
        return (
            f"too few days for an interval: {n}, at least {LEAST_BLOCKS * found.block} are needed"
        )
    return "no interval: too few days on which equity moves, so that some resamples have none"


def _p(sums: F64, statistic: Statistic, found: Interval | None, samples: int) -> float | None:
    """Return the p of a value of 0: how often resamples lie as far from the value as that from nothing."""
    if found is None or found.low is None:
        return None
    moved = statistic(resampled_sums(sums, found.block, samples)) - found.value
    beyond = widening(len(sums) / found.block) * np.abs(moved) >= abs(found.value)
    return (1.0 + float(beyond.sum())) / (1.0 + len(moved))


def _figures(days: F64) -> dict[str, float | None]:
    ratio = float(_sharpe(_sums(days).sum(axis=0)))
    return {
        "net_return": float(np.prod(1.0 + days) - 1.0),
        "net_return_annual_mean": float(days.mean() * YEAR_DAYS),
        "sharpe": ratio if math.isfinite(ratio) else None,
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
    many = len(found.differences) > 1
    for name in ("difference", "net return a year", "p, Holm" if many else "p", "Sharpe"):
        pairs.add_column(name, justify="left" if name == "difference" else "right")
    for d in found.differences:
        pairs.add_row(
            escape(f"{d.first} - {d.second}"),
            _span(d.net_return, percent, d.missing.get("net_return", "")),
            "" if d.p is None else f"{d.p_holm:.3f}",
            _span(d.sharpe, two_digits, d.missing.get("sharpe", "")),
        )
    span = f"{short_time(format_utc(found.start_ms))} to {short_time(format_utc(found.end_ms))}"
    note = (
        f"{span}, the time that all runs traded. 95 % intervals of paired daily net returns, each by itself: "
        "one that contains 0 tells nothing apart. Sharpe ratios are of days; those of a report are of bars. "
        "p is that of no difference in net return"
        + (f", corrected after Holm for all {len(found.differences)} pairs." if many else ".")
    )
    return Group(runs, pairs, note)


def _span(found: Interval | None, form: Any, missing: str) -> str:
    if found is None:
        return missing
    if found.low is None or found.high is None:
        return f"{form(found.value)} ({missing})"
    return f"{form(found.value)} [{form(found.low)}, {form(found.high)}]"

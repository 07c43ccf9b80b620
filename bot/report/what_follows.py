"""What follows from a run, in a sentence or two: the first rule that applies says it.

Must not compute: a rule reads figures that the tables have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

from bot.report.summary import Summary
from bot.report.tear.sheet import TearSheet
from bot.wording import command_in_text, counted

Where = str | Path
SURE = 0.95
"""From this probability on a Sharpe ratio is taken to be above nothing."""

_TWO_SIDED = 1.96
_CENTURY = 100.0


def what_follows(summary: Summary, sheet: TearSheet, where: Where) -> str:
    """Return what a reader should do, by the first of the rules that applies.

    Args:
        where: how a command names the run.
    """
    return next(said for rule in _FOLLOWS for said in rule(summary, sheet, where))


def _if_bankrupt(summary: Summary, _: TearSheet, __: Where) -> Iterator[str]:
    if summary["bankruptcy"]:
        yield "smaller positions first (sizing.fraction, risk.max_leverage): nothing else counts before."


def _if_calibrating(summary: Summary, _: TearSheet, __: Where) -> Iterator[str]:
    known = summary["coverage"]["calibration"]
    if known is not None and known["days"] < known["needed"]:
        yield (
            f"too early: signals are scored for {known['days']} of {known['needed']} days, and none "
            "is traded before. Let it run, or backtest a longer span."
        )


def _if_idle(summary: Summary, _: TearSheet, where: Where) -> Iterator[str]:
    metrics = summary["metrics"]
    if not metrics["trades"] and not metrics["fills"]:
        yield (
            f"nothing to judge but the forecasts; "
            f"{command_in_text('export', where, '--what', 'decisions')} has every decision "
            "with its reason."
        )


def _if_below_cost(summary: Summary, _: TearSheet, where: Where) -> Iterator[str]:
    if summary["edge"]["warning"]:
        yield (
            "not worth trading like this: even the upper bound of its edge is below what a trade costs. "
            f"Fewer, longer or cheaper trades; "
            f"{command_in_text('sweep', where, '--vary', 'policy.cost_multiple=1,2,4')} tries "
            "settings without training."
        )


def _if_losing(_: Summary, sheet: TearSheet, __: Where) -> Iterator[str]:
    found = sheet.return_interval
    if found is not None and found.high is not None and found.high < 0.0:
        yield "not worth trading like this: it loses, and the interval leaves no room for bad luck."


def _if_shown(summary: Summary, sheet: TearSheet, __: Where) -> Iterator[str]:
    found, metrics = sheet.return_interval, summary["metrics"]
    sure = metrics["deflated_sharpe"]
    sure = metrics["probabilistic_sharpe"] if sure is None else sure
    if found is None or found.low is None or found.low <= 0.0 or sure is None or sure < SURE:
        return
    yield (
        "worth a look on bars that nobody has seen: the same settings on a later span, then 'bot run'. "
        "What was chosen on these bars looks better on them than it is."
    )


def _otherwise(summary: Summary, sheet: TearSheet, __: Where) -> Iterator[str]:
    ratio, error = (summary["metrics"][k] for k in ("sharpe_ratio", "sharpe_error"))
    if ratio is None or error is None or ratio <= 0.0:
        yield "no reason to trade it: it has earned nothing that an interval would tell from zero."
        return
    span = len(sheet.daily) / sheet.daily.per_year
    years = span * (_TWO_SIDED * error / ratio) ** 2
    if years <= span:
        yield (
            "not told from luck: its Sharpe ratio alone would, but what it earned came in few stretches, "
            "and resampled days do not. A longer span, on bars that nobody has seen."
        )
        return
    yield (
        f"not told from luck: at this Sharpe ratio it takes {_time_of(years, sheet)} to tell. "
        "A longer span or more symbols, not more settings."
    )


def _time_of(years: float, sheet: TearSheet) -> str:
    """Return so many years of the run's days, in words."""
    if years >= _CENTURY:
        return "more than a century of such days"
    if years < 0.5:
        return f"about {counted(math.ceil(years * sheet.daily.per_year), 'such day')}"
    return f"about {years:,.1f} years of such days"


_FOLLOWS: tuple[Callable[[Summary, TearSheet, Where], Iterator[str]], ...] = (
    _if_bankrupt, _if_calibrating, _if_idle, _if_below_cost, _if_losing, _if_shown, _otherwise,
)  # fmt: skip

"""What trading was worth: the edge of a side beside its cost, and how much was traded for it.

A side is one fill: a round trip has two. The edge of a side is the gross profit (fills at the middle,
no fees, no funding) for each unit of notional traded, its cost what fees, half spread, slippage and
funding took of the same unit. Rules: both are ratios of sums over days, each day on the equity that
it opened with, so a year in which little was left counts like another; a figure that cannot be had
is None. Must not format, but for the one sentence that warns.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bot.blocks import F64
from bot.report.inputs import RunData
from bot.report.money.days import COSTS, days_of
from bot.report.money.metrics import Figures
from bot.report.skill.bootstrap import interval
from bot.timegrid import DAY_MS

BPS = 10_000.0


def edge_figures(run: RunData, start: int, metrics: Figures, samples: int) -> dict[str, Any]:
    """Return the edge and the cost of a side traded from bar `start` on, in basis points.

    Args:
        run: the run.
        start: first bar that counts.
        metrics: the run's figures from the same bar on.
        samples: resamples for the interval, in blocks of days no shorter than a mean round trip.

    Returns:
        `edge_bps` with `edge_low_bps` and `edge_high_bps` (95 %); `cost_bps` and its parts in
        `cost_parts_bps`, funding below zero where it was received; `edge_to_cost`;
        `break_even_cost_bps`, the fee, half spread and slippage at which nothing would be left;
        `turnover_annual` and `turnover_bar`, times equity; `bars_held`, the mean of a round trip,
        beside `horizon_bars`; and `warning`, "" where there is none.
    """
    days = days_of(run, start)
    traded = days.notional.sum(axis=1)
    held = metrics["mean_bars_held"]
    least = max(1, math.ceil((held or 0.0) * run.interval_ms / DAY_MS))
    found = interval(np.column_stack((days.gross, traded)), _ratio, least, samples)
    known = metrics["turnover"] is not None and found is not None
    parts = {name: _a_side(getattr(days, name), traded) if known else None for name in COSTS}
    edge, low, high = (found.value, found.low, found.high) if known and found else (None,) * 3
    cost = _a_side(days.costs, traded) if known else None
    turnover = metrics["turnover"]
    figures: dict[str, Any] = {
        "edge_bps": _bps(edge),
        "edge_low_bps": _bps(low),
        "edge_high_bps": _bps(high),
        "cost_bps": cost,
        "cost_parts_bps": parts,
        "edge_to_cost": _over(_bps(edge), cost),
        "break_even_cost_bps": None if edge is None else BPS * edge - (parts["funding"] or 0.0),
        "turnover_annual": metrics["turnover_annual"],
        "turnover_bar": None if turnover is None else turnover / (len(run.equity) - start),
        "bars_held": held,
        "horizon_bars": run.horizon,
        "days": len(days.day),
    }
    return figures | {"warning": _warning(figures)}


def _ratio(sums: F64) -> F64:
    return sums[..., 0] / sums[..., 1]


def _a_side(paid: F64, traded: F64) -> float:
    return float(BPS * paid.sum() / traded.sum())


def _bps(fraction: float | None) -> float | None:
    return None if fraction is None else BPS * fraction


def _over(edge: float | None, cost: float | None) -> float | None:
    """Return how many times the edge is of the cost; None where nothing was paid."""
    return None if edge is None or cost is None or cost <= 0.0 else edge / cost


def _warning(figures: dict[str, Any]) -> str:
    """Return a sentence where even the upper bound of the edge is below the cost."""
    high, cost = figures["edge_high_bps"], figures["cost_bps"]
    if high is None or cost is None or high >= cost:
        return ""
    return (
        f"A side traded earned {figures['edge_bps']:.1f} bp before costs, at most {high:.1f} bp (95 %), "
        f"and cost {cost:.1f} bp: the loss lies in this way of trading, not in bad luck."
    )

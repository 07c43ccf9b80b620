"""What a run is held against: standing flat, holding, momentum, and its own random twins.

Rules: all from the same bar on, with the same capital, market and costs. Must not format.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.blocks import F64
from bot.report.formats import iso_time
from bot.report.inputs import RunData
from bot.report.money.activity import elapsed_ms
from bot.report.money.metrics import Figures, equity_metrics
from bot.report.money.momentum import has_history, momentum_legs
from bot.report.money.retraced import tape_of
from bot.report.money.twins import TWINS, random_twins
from bot.report.money.walk import Tape, equity_curve
from bot.timegrid import spans

REFERENCE = (
    "Momentum and the random twins are not given: under costs.reference a position is brought back to its "
    "weight at every close for nothing and a change of it costs a share of all equity, while these "
    "controls hold a fixed quantity and pay by what they trade, so that they would not pay what the run pays."
)


def control_figures(run: RunData, start: int, held: Figures) -> dict[str, Any]:
    """Return the controls by name, and what funding they were not charged for want of its rate.

    Args:
        run: the run.
        start: first bar that counts.
        held: the figures of buy and hold from there on.

    Returns:
        `flat`, `buy_and_hold` and `momentum`: figures of an equity curve; `random`: see `twins.py`;
        `funding`: how many settlements were `unknown`, and `until` when; they charged nothing;
        `missing`: why some have no figures, "" where all have.
    """
    if run.reference:
        unknown = dict.fromkeys(("total_return", "max_drawdown", "trades"))
        momentum = unknown
        random = unknown | dict.fromkeys(("trips", "low", "high", "percentile")) | {"draws": TWINS}
    else:
        tape = tape_of(run, start)
        momentum, random = _momentum(run, start, tape), random_twins(run, start, tape)
    return {
        "flat": {"total_return": 0.0, "max_drawdown": 0.0, "trades": 0},
        "buy_and_hold": held,
        "momentum": momentum,
        "random": random,
        "funding": _funding(run, start),
        "missing": REFERENCE if run.reference else "",
    }


def _momentum(run: RunData, start: int, tape: Tape) -> Figures:
    """Return the figures of the control; no return where no close has one of 30 days before it."""
    if not has_history(run):
        return {"total_return": None, "max_drawdown": None, "trades": None}
    legs, capital = momentum_legs(run, start), run.equity_before(start)
    curve = _until_used_up(equity_curve(tape, legs, capital))
    figures = equity_metrics(curve, capital, run.periods_per_year, elapsed_ms(run, start))
    return figures | {"trades": int(legs.bounds[-1])}


def _until_used_up(curve: F64) -> F64:
    """Return a curve that stays at 0 from the bar on at whose close nothing was left.

    >>> _until_used_up(np.array([2.0, -1.0, 3.0])).tolist()
    [2.0, 0.0, 0.0]
    """
    return np.where(np.logical_or.accumulate(curve <= 0.0), 0.0, curve)


def _funding(run: RunData, start: int) -> dict[str, Any]:
    """Return how many settlements were due and not known while a symbol had bars, and until when."""
    count, last = 0, None
    for at in spans(len(run.bars) - start, run.n_symbols):
        span = slice(start + at.start, start + at.stop)
        rate = np.where(np.isfinite(run.price[span]), run.bars.funding_rate[span], 0.0)
        unknown = (np.isnan(rate) + run.bars.funding_inside_unknown[span]) * run.pays_funding
        late = np.flatnonzero(unknown.any(axis=1))
        count += int(unknown.sum())
        last = span.start + int(late[-1]) if len(late) else last
    return {
        "unknown": count,
        "until": None if last is None else iso_time(int(run.open_time[last])),
    }

"""The control that needs no model: hold each symbol on the side of its own last 30 days.

At each close a symbol is wanted long where it is above its close of 30 days ago and short where it is
below (flat where it may not be held short), with the share of equity that a fixed size gives it. As
under a fixed size it is traded when the side changes, at the next bar that can be filled, through the
run's own costs and funding. Rules: closes before the start count as history. Must not be tuned.
"""

from __future__ import annotations

import numpy as np

from bot.blocks import F64
from bot.report.booked import carried
from bot.report.inputs import RunData
from bot.report.money.retraced import joined_legs, legs_of_sides, open_bars
from bot.report.money.walk import Legs
from bot.report.some_symbols import groups_of_symbols
from bot.timegrid import DAY_MS

DAYS = 30


def momentum_legs(run: RunData, start: int) -> Legs:
    """Return the round trips of the control from bar `start` on."""
    return joined_legs([_legs_of(some, start) for _, some in groups_of_symbols(run)])


def _legs_of(run: RunData, start: int) -> Legs:
    wanted = np.vstack((np.full((1, run.n_symbols), np.nan), wanted_sides(run)))[start:-1]
    side = np.nan_to_num(carried(np.where(open_bars(run, start), wanted, np.nan)))
    return legs_of_sides(side, np.full_like(side, run.fraction))


def wanted_sides(run: RunData) -> F64:
    """Return float64[n, S], −1, 0 or 1 by the sign of the last 30 days' return at each close.

    NaN in bars that are not decided on; 0 where there is no close of 30 days ago.
    """
    side = np.nan_to_num(np.sign(run.price - _closes_before(run)))
    side = np.where(run.allow_short, side, np.maximum(side, 0.0))
    return np.where(run.bars.tradable[:, None], side, np.nan)


def has_history(run: RunData) -> bool:
    """Return whether any close that decides on a bar has one of 30 days before it; from the first on all have."""
    parts = (some for _, some in groups_of_symbols(run))
    return any(bool(np.isfinite(_closes_before(some)[:-1]).any()) for some in parts)


def _closes_before(run: RunData) -> F64:
    """Return float64[n, S], the close last known 30 days before each; NaN where there is none."""
    time = run.open_time
    then = np.searchsorted(time, time - DAYS * DAY_MS, side="right") - 1
    closes: F64 = np.where((then >= 0)[:, None], run.price[then], np.nan)
    return closes

"""Law: money and coins are conserved, and nothing is filled that was not ordered before.

Computed from the journal alone, in Python, apart from the kernel's own check.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.adapters.journal.forms import open_journal
from bot.portfolio.reasons import FillReason

if TYPE_CHECKING:
    from tests.laws.conftest import Outcome, World

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached


def test_every_change_of_cash_is_a_fill_a_fee_or_funding(world: World, whole: Outcome) -> None:
    reader = open_journal(whole.folder.journal)
    times, ledger = reader.ledger()
    reader.close()
    bought: defaultdict[int, float] = defaultdict(float)
    for fill in whole.fills:
        bought[int(fill["open_time"])] += float(fill["quantity"]) * float(fill["price"])
    cash = world.config.portfolio.initial_capital
    for i, time in enumerate(times.tolist()):
        cash -= bought[time] + ledger["fees"][i] + ledger["funding"][i]
        assert math.isclose(cash, whole.cash[i], rel_tol=1e-9, abs_tol=1e-6)  # of 100,000


def test_cash_plus_positions_at_mark_is_equity(world: World, whole: Outcome) -> None:
    mark = np.full(len(world.symbols), np.nan)
    row = {int(t): i for i, t in enumerate(world.bars.open_time.tolist())}
    for i, time in enumerate(whole.times.tolist()):
        k = row[time]
        mark = np.where(world.bars.valid[k], world.bars.close[k], mark)
        held = whole.quantity[i] != 0
        worth = float(np.sum(whole.quantity[i][held] * mark[held]))
        assert math.isclose(whole.cash[i] + worth, whole.equity[i], rel_tol=1e-9)


TAKEN = (FillReason.LIQUIDATION, FillReason.SETTLEMENT)
"""Fills that nobody ordered."""


def test_no_fill_without_a_decision_before_it(world: World, whole: Outcome) -> None:
    order_at = {int(t): i for i, t in enumerate(whole.times.tolist())}
    orders = whole.decisions["order_quantity"]
    for fill in whole.fills:
        if fill["reason"] in TAKEN:
            continue
        i, s = order_at[int(fill["open_time"])], int(fill["symbol"])
        earlier = np.flatnonzero(orders[:i, s])
        assert len(earlier), "a fill on a bar before which nothing was ordered"
        share = fill["quantity"] / orders[earlier[-1], s]  # the rest waits for the next bars
        assert 0.0 < share <= 1.0 + 1e-12
        assert world.bars.fillable[200 + i, s]


def test_what_is_held_is_the_sum_of_the_fills(world: World, whole: Outcome) -> None:
    held = np.zeros(len(world.symbols))
    np.add.at(held, whole.fills["symbol"], whole.fills["quantity"])
    np.testing.assert_allclose(held, whole.quantity[-1], rtol=1e-9, atol=1e-9)

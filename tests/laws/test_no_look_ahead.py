"""Law: changing the future changes nothing decided in the past."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.blocks import BarBlock

if TYPE_CHECKING:
    from tests.laws.conftest import Outcome, Runs, World

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

AFTER = 1000
"""The last bar that stays as it is."""


def changed(bars: BarBlock) -> BarBlock:
    """Turn the future upside down: other prices, volumes and funding."""
    future = np.arange(len(bars))[:, None] > AFTER
    prices = {
        name: np.where(future, getattr(bars, name) * 1.7, getattr(bars, name))
        for name in ("open", "high", "low", "close", "mark")
    }
    return replace(
        bars, **prices, volume=np.where(future, bars.volume * 9.0 + 1.0, bars.volume),
        funding_rate=np.where(future, 0.01, bars.funding_rate),
    )  # fmt: skip


def poisoned(bars: BarBlock) -> BarBlock:
    """Make the future unknown: NaN everywhere, no bar valid."""
    future = np.arange(len(bars))[:, None] > AFTER
    values = {
        name: np.where(future, np.nan, getattr(bars, name))
        for name in ("open", "high", "low", "close", "volume", "turnover", "funding_rate", "mark")
    }
    return replace(bars, **values, valid=bars.valid & ~future, fillable=bars.fillable & ~future)


def cut_off(bars: BarBlock) -> BarBlock:
    """End the history."""
    return bars.rows(0, AFTER + 1)


@pytest.mark.parametrize("future", [changed, poisoned, cut_off])
def test_the_past_does_not_know_the_future(
    world: World, run: Runs, whole: Outcome, future: object
) -> None:
    assert callable(future)
    other = run(world, bars=future(world.bars))
    limit = int(world.bars.open_time[AFTER])
    past, known = whole.times <= limit, other.times <= limit
    assert past.sum() == known.sum() == AFTER + 1 - 200
    for mine, theirs in [
        (whole.forecasts, other.forecasts),
        (whole.equity, other.equity),
        (whole.cash, other.cash),
        (whole.quantity, other.quantity),
        *((whole.decisions[k], other.decisions[k]) for k in whole.decisions),
    ]:
        np.testing.assert_array_equal(mine[past], theirs[known])
    mine_fills = whole.fills[whole.fills["open_time"] <= limit]
    np.testing.assert_array_equal(mine_fills, other.fills[other.fills["open_time"] <= limit])
    models = [m for m in whole.models if m[1] <= limit]
    assert len(models) >= 2
    assert models == [m for m in other.models if m[1] <= limit]


def test_the_changed_future_would_show(world: World, run: Runs, whole: Outcome) -> None:
    other = run(world, bars=changed(world.bars))
    assert other.done.ledger_sha256 != whole.done.ledger_sha256

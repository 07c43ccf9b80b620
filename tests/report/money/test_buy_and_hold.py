"""Buying once, by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bot.report.inputs import RunData
from bot.report.money.buy_and_hold import buy_and_hold


def late(run: RunData, s: int, first: int) -> RunData:
    valid = run.bars.valid.copy()
    valid[:first, s] = False
    valid[first, s] = True
    opened = run.bars.open.copy()
    opened[first, s] = 50.0
    return dataclasses.replace(run, bars=dataclasses.replace(run.bars, valid=valid, open=opened))


def test_equal_shares_bought_once_with_all_costs(run: RunData) -> None:
    start = run.start_index
    curve = buy_and_hold(run, start)
    expected = 0.0
    for s in range(run.n_symbols):
        first = next(i for i in range(start, len(run.equity)) if run.bars.valid[i, s])
        price = run.bars.open[first, s] * (1 + 3e-4) * (1 + 0.001)
        last = run.bars.close[run.bars.valid[:, s], s][-1]
        quantity = run.equity[start - 1] / run.n_symbols / price
        expected += quantity * last
        for i in range(first + 1, len(run.equity)):  # funding is due before the bar's fills
            at = run.bars.open[i, s] if run.bars.valid[i, s] else run.price[i - 1, s]
            expected -= quantity * at * run.bars.funding_rate[i, s]
    assert curve[-1] == pytest.approx(expected)
    assert len(curve) == len(run.equity) - start


def test_what_is_no_contract_pays_no_funding(run: RunData) -> None:
    spot = dataclasses.replace(run, pays_funding=np.zeros(run.n_symbols, dtype=np.bool_))
    free = dataclasses.replace(
        run, bars=dataclasses.replace(run.bars, funding_rate=np.zeros_like(run.price))
    )
    start = run.start_index
    np.testing.assert_array_equal(buy_and_hold(spot, start), buy_and_hold(free, start))
    assert not np.array_equal(buy_and_hold(spot, start), buy_and_hold(run, start))


def test_a_symbol_that_starts_late_waits_in_cash(run: RunData) -> None:
    run = dataclasses.replace(run, pays_funding=np.zeros(run.n_symbols, dtype=np.bool_))
    start = run.start_index
    changed = late(run, 0, start + 40)
    share = 10_000.0 / 3
    others = buy_and_hold(run, start) - buy_and_hold(changed, start)
    before = buy_and_hold(changed, start)[:40]
    assert np.all(np.isfinite(before))
    quantity = share / (50.0 * (1 + 3e-4) * 1.001)
    mine = np.concatenate((np.full(40, share), quantity * changed.price[start + 40 :, 0]))
    usual = run.bars.open[start, 0] * (1 + 3e-4) * 1.001
    np.testing.assert_allclose(others + mine, share / usual * run.price[start:, 0])


def test_a_symbol_that_never_trades_stays_in_cash(run: RunData) -> None:
    valid = run.bars.valid.copy()
    valid[:] = False
    empty = dataclasses.replace(run, bars=dataclasses.replace(run.bars, valid=valid))
    np.testing.assert_allclose(buy_and_hold(empty, run.start_index), 10_000.0)


def test_what_opens_at_nothing_is_bought_at_the_next_open(run: RunData) -> None:
    start = run.start_index
    run = dataclasses.replace(run, pays_funding=np.zeros(run.n_symbols, dtype=np.bool_))
    opened = run.bars.open.copy()
    opened[start : start + 3, 0] = 0.0
    held = dataclasses.replace(run, bars=dataclasses.replace(run.bars, open=opened))
    expected = late(run, 0, start + 3)
    opened[start + 3, 0] = 50.0
    np.testing.assert_array_equal(buy_and_hold(held, start)[3:], buy_and_hold(expected, start)[3:])


def test_prices_of_a_part_of_a_unit_change_nothing(run: RunData) -> None:
    columns = ("open", "high", "low", "close")
    cheap = {name: getattr(run.bars, name) / 1024.0 for name in columns}
    changed = dataclasses.replace(run, bars=dataclasses.replace(run.bars, **cheap))
    start = run.start_index
    np.testing.assert_allclose(buy_and_hold(changed, start), buy_and_hold(run, start), rtol=1e-12)

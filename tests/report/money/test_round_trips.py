"""Profits and round trips against a walk through the fills."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.report.inputs import RunData
from bot.report.money.round_trips import entries_and_exits, profits, round_trips


def walk(run: RunData, s: int) -> list[tuple[int, int, float]]:
    """Return first bar, last bar and net profit of each closed trip, fill by fill."""
    trips: list[tuple[int, int, float]] = []
    fills = {int(f["open_time"]): f for f in run.fills if f["symbol"] == s}
    held, cash, first, mark = 0.0, 0.0, 0, 0.0
    for i, time in enumerate(run.open_time.tolist()):
        price = float(run.bars.open[i, s]) if run.bars.valid[i, s] else mark
        cash -= held * price * float(run.bars.funding_rate[i, s])
        mark = float(run.bars.close[i, s]) if run.bars.valid[i, s] else mark
        if time not in fills:
            continue
        fill = fills[time]
        size, price, fee = float(fill["quantity"]), float(fill["price"]), float(fill["fee"])
        after = held + size
        if abs(after) < 1e-12:
            after = 0.0
        if np.sign(held) == np.sign(after):
            cash -= size * price + fee
        else:
            closing = abs(held) / (abs(held) + abs(after))
            if held != 0.0:
                trips.append((first, i, cash + held * price - fee * closing))
            first, cash = i, -after * price - fee * (1.0 - closing)
        held = after
    return trips


@pytest.mark.parametrize("seed", range(4))
def test_trips_are_those_of_a_walk(run_maker: Any, seed: int) -> None:
    run: RunData = run_maker(seed=seed)
    got = round_trips(run, run.start_index, profits(run, run.start_index))
    assert len(got) > 50
    for s in range(run.n_symbols):
        mine = got.symbol == s
        expected = walk(run, s)
        assert list(zip(got.first[mine], got.last[mine], strict=True)) == [t[:2] for t in expected]
        np.testing.assert_allclose(got.profit[mine], [t[2] for t in expected], atol=1e-9)
        before = run.equity[got.first[mine] - 1]
        np.testing.assert_allclose(got.fraction[mine] * before, got.profit[mine])


def test_profits_sum_to_the_change_of_equity(run: RunData) -> None:
    start = run.start_index
    profit = profits(run, start)
    change = np.diff(run.equity[start - 1 :])
    np.testing.assert_allclose(profit.total.sum(axis=1), change, atol=1e-8)
    np.testing.assert_allclose(profit.fees.sum(axis=1), run.fees[start:], atol=1e-12)
    np.testing.assert_allclose(profit.funding.sum(axis=1), run.funding[start:], atol=1e-12)


def test_a_start_in_the_middle_leaves_older_trips_out(run: RunData) -> None:
    start = run.start_index + 77
    got = round_trips(run, start, profits(run, start))
    every = round_trips(run, run.start_index, profits(run, run.start_index))
    later = every.first >= start
    assert len(got) == int(later.sum())
    np.testing.assert_allclose(got.profit, every.profit[later], atol=1e-9)


@given(
    st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0]), min_size=2, max_size=14),
    st.integers(0, 2**16),
)
def test_trips_carried_in_or_never_closed_are_none(
    run: RunData, held: list[float], seed: int
) -> None:
    """The first quantity is held before the start. A trip lasts while the side stays the same."""
    start = len(run.equity) - len(held) + 1
    quantity = np.zeros_like(run.quantity)
    quantity[start - 1 :, 1] = held
    made = dataclasses.replace(run, quantity=quantity)
    leaving, entering = np.random.default_rng(seed).standard_normal((2, len(held) - 1, 3))
    profit = dataclasses.replace(profits(made, start), leaving=leaving, entering=entering)
    got = round_trips(made, start, profit)
    expected: list[tuple[int, int, float]] = []
    first, earned = None, 0.0
    for i in range(len(held) - 1):
        before, after = np.sign(held[i]), np.sign(held[i + 1])
        earned += leaving[i, 1]
        if before == after:
            continue
        if before != 0.0 and first is not None:
            expected.append((first, i, earned))
        first, earned = (i if after != 0.0 else None), entering[i, 1]
    assert [(f - start, t - start) for f, t in zip(got.first, got.last, strict=True)] == [
        e[:2] for e in expected
    ]
    assert (got.symbol == 1).all()
    np.testing.assert_allclose(got.profit, [e[2] for e in expected], atol=1e-12)


def test_a_symbol_without_a_price_yet_earns_nothing_and_one_unit_earns_its_move(
    run: RunData,
) -> None:
    """Symbol 0 has no bar yet and is not held; of symbol 1 one unit is held, of symbol 2 none."""
    valid = run.bars.valid.copy()
    valid[:, 0] = False
    valid[-1, 0] = True
    bars = dataclasses.replace(run.bars, valid=valid)
    quantity = np.zeros_like(run.quantity)
    quantity[:, 1] = 1.0
    made = dataclasses.replace(
        run, bars=bars, quantity=quantity, fills=run.fills[:0], funding=np.zeros(len(quantity))
    )
    got = profits(made, run.start_index).total
    assert (got[:, [0, 2]] == 0.0).all()
    moves = np.diff(made.price[run.start_index - 1 :, 1])
    np.testing.assert_allclose(got[:, 1], moves, atol=1e-12)


@pytest.mark.parametrize("start", [1, 60])
def test_what_is_held_before_the_start_earns_from_the_close_before_it(
    run: RunData, start: int
) -> None:
    quantity = np.zeros_like(run.quantity)
    quantity[:, 1] = 1.0
    made = dataclasses.replace(
        run, quantity=quantity, fills=run.fills[:0], funding=np.zeros(len(quantity))
    )
    got = profits(made, start).total[:, 1]
    np.testing.assert_allclose(got, np.diff(made.price[start - 1 :, 1]), atol=1e-12)


def test_funding_at_a_start_without_a_bar_is_charged_on_the_close_before(run: RunData) -> None:
    start = run.start_index
    valid, rate = run.bars.valid.copy(), np.zeros_like(run.bars.funding_rate)
    valid[1 : start + 1, 0] = False  # of the first symbol the first close is the last one known
    valid[start], rate[start] = False, 0.01
    bars = dataclasses.replace(run.bars, valid=valid, funding_rate=rate)
    held = np.full_like(run.quantity, 2.0)
    funding = np.zeros(len(held))
    funding[start] = 1.0
    made = dataclasses.replace(run, bars=bars, quantity=held, funding=funding, fills=run.fills[:0])
    got = profits(made, start).funding
    np.testing.assert_allclose(got[0], 0.02 * made.price[start - 1], rtol=1e-12)
    assert not got[1:].any()


def test_the_size_of_a_unit_changes_nothing(run: RunData) -> None:
    """Contracts ten thousand times as large: prices by as much higher, quantities lower."""
    times = 10_000.0
    fills = run.fills.copy()
    fills["quantity"] /= times
    fills["price"] *= times
    prices = {name: getattr(run.bars, name) * times for name in ("open", "high", "low", "close")}
    bars = dataclasses.replace(run.bars, **prices)
    other = dataclasses.replace(run, bars=bars, quantity=run.quantity / times, fills=fills)
    one, two = (profits(r, run.start_index) for r in (run, other))
    for name in ("leaving", "entering", "fees", "funding"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=1e-8)


def test_no_fills_no_trips(run: RunData, run_maker: Any) -> None:
    flat = np.zeros_like(run.quantity)
    quiet: RunData = run_maker(quantity=flat, fills=run.fills[:0], funding=np.zeros(len(flat)))
    profit = profits(quiet, 0)
    assert not profit.total.any()
    assert len(round_trips(quiet, 0, profit)) == 0


def test_a_bar_may_change_a_position_for_another_of_its_side() -> None:
    """Where nobody tells, a position lasts as long as its side; a stop and a new entry in one bar end it."""
    before, after = np.array([0.0, 1.0, 1.0, 1.0]), np.array([1.0, 1.0, 1.0, 0.0])
    assert [part.tolist() for part in entries_and_exits(before, after)] == [[0], [3]]
    told = np.array([True, False, True, True])
    assert [part.tolist() for part in entries_and_exits(before, after, told)] == [[0, 2], [2, 3]]

"""Random twins keep what they must keep, and chance decides the rest."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import F64, I64
from bot.report.inputs import RunData
from bot.report.money.retraced import legs_of_run, legs_of_sides, open_bars, tape_of
from bot.report.money.twins import beaten, dealt, placed, random_twins, twin_returns
from bot.report.money.walk import Legs

SIDES = st.sampled_from([-1.0, 0.0, 0.0, 1.0])


@st.composite
def accounts(draw: st.DrawFn) -> tuple[Legs, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Draw trips of one account on the bars in which they may be filled."""
    m, n_symbols = draw(st.integers(1, 30)), draw(st.integers(1, 3))
    cells = m * n_symbols
    allowed = np.array(draw(st.lists(st.booleans(), min_size=cells, max_size=cells)))
    wanted = np.array(draw(st.lists(SIDES, min_size=cells, max_size=cells))).reshape(m, n_symbols)
    allowed = allowed.reshape(m, n_symbols)
    held = np.zeros(n_symbols)
    side = np.empty((m, n_symbols))
    for i in range(m):
        held = np.where(allowed[i], wanted[i], held)
        side[i] = held
    size = 0.1 + np.arange(cells, dtype=np.float64).reshape(m, n_symbols)
    return legs_of_sides(side, size), allowed


def bars_held(entry: I64, exit_: I64, allowed: np.ndarray[Any, np.dtype[np.bool_]]) -> list[int]:
    return [int(allowed[a:b].sum()) for a, b in zip(entry, exit_, strict=True)]


@given(account=accounts(), seed=st.integers(0, 2**32))
def test_twins_keep_counts_lengths_sizes_and_sides_and_never_overlap(
    account: tuple[Legs, Any], seed: int
) -> None:
    own, allowed = account
    twins = dealt(own, allowed, 5, np.random.default_rng(seed))
    for s in range(allowed.shape[1]):
        mine = slice(own.bounds[s], own.bounds[s + 1])
        lengths = bars_held(own.entry[0, mine], own.exit[0, mine], allowed[:, s])
        for d in range(5):
            entry, exit_, size = twins.entry[d, mine], twins.exit[d, mine], twins.size[d, mine]
            assert np.all(entry[1:] >= exit_[:-1])
            assert np.all(entry < exit_)
            assert all(allowed[i, s] for i in entry)
            assert all(i == len(allowed) or allowed[i, s] for i in exit_)
            drawn = bars_held(entry, exit_, allowed[:, s])
            pairs = sorted(zip(drawn, np.abs(size), strict=True))
            assert pairs == sorted(zip(lengths, np.abs(own.size[0, mine]), strict=True))
            assert sorted(np.sign(size)) == sorted(np.sign(own.size[0, mine]))


@given(
    held=st.lists(st.integers(1, 9), min_size=1, max_size=20),
    spare=st.integers(0, 50),
    seed=st.integers(0, 2**32),
)
def test_what_is_placed_fits(held: list[int], spare: int, seed: int) -> None:
    lengths = np.array(held)
    order, starts = placed(lengths, sum(held) + spare, 4, np.random.default_rng(seed))
    ends = starts + lengths[order]
    assert np.all(np.sort(order, axis=1) == np.arange(len(held)))
    assert np.all(starts[:, 1:] >= ends[:, :-1])
    assert starts.min() >= 0
    assert ends.max() <= sum(held) + spare


def test_every_place_is_as_likely() -> None:
    """One trip of 3 in 10 bars begins at each of 0..7; two of 1 in 3 bars idle before each uniformly."""
    _, starts = placed(np.array([3]), 10, 80_000, np.random.default_rng(1))
    counts = np.bincount(starts[:, 0], minlength=8)
    assert len(counts) == 8
    assert np.all(np.abs(counts - 10_000) < 5 * np.sqrt(10_000))
    order, starts = placed(np.array([1, 1]), 3, 80_000, np.random.default_rng(2))
    idle = np.bincount(starts[:, 0] * 2 + starts[:, 1] - 1, minlength=4)
    assert idle[[0, 1, 3]] == pytest.approx(
        [20_000, 40_000, 20_000], abs=1000
    )  # two uniform draws, sorted
    assert order[:, 0].mean() == pytest.approx(0.5, abs=0.02)


def by_hand(run: RunData, start: int, draws: int) -> F64:
    """Return the returns of twins drawn by the same chance, each walked in plain Python."""
    own, allowed = legs_of_run(run, start), open_bars(run, start)
    twins = dealt(own, allowed, draws, np.random.default_rng(run.seed))
    cost = 0.001 + 0.0002 + 0.0001
    price, opens = run.price[start - 1 :], run.bars.open[start:]
    rate = run.bars.funding_rate[start:]
    found = []
    for d in range(draws):
        cash = equity = run.equity[start - 1]
        held = np.zeros(run.n_symbols)
        for i in range(len(opens)):
            for s in range(run.n_symbols):
                at = opens[i, s] if run.bars.valid[start + i, s] else price[i, s]
                cash -= held[s] * at * rate[i, s]
                for k in range(own.bounds[s], own.bounds[s + 1]):
                    if twins.exit[d, k] == i:
                        cash += held[s] * opens[i, s] - cost * abs(held[s]) * opens[i, s]
                        held[s] = 0.0
                    if twins.entry[d, k] == i:
                        held[s] = twins.size[d, k] * equity / price[i, s]
                        cash -= held[s] * opens[i, s] + cost * abs(held[s]) * opens[i, s]
            equity = cash + float(held @ price[i + 1])
        found.append(equity / run.equity[start - 1] - 1.0)
    return np.array(found)


def test_the_figures_are_those_of_a_loop(run: RunData) -> None:
    start, draws = run.start_index, 20
    got = random_twins(run, start, tape_of(run, start), draws)
    returns = by_hand(run, start, draws)
    mine = run.equity[-1] / run.equity[start - 1] - 1.0
    assert got["total_return"] == pytest.approx(np.median(returns), abs=1e-5)
    assert got["low"] == pytest.approx(np.percentile(returns, 2.5), abs=1e-5)
    assert got["high"] == pytest.approx(np.percentile(returns, 97.5), abs=1e-5)
    assert got["percentile"] == np.mean(returns < mine)
    before, after = np.sign(run.quantity[start - 1 : -1]), np.sign(run.quantity[start:])
    assert got["trips"] == np.count_nonzero((before != after) & (after != 0.0))


def test_the_same_seed_gives_the_same_twins_and_another_gives_others(run: RunData) -> None:
    start = run.start_index
    tape = tape_of(run, start)
    once, again = (random_twins(run, start, tape, 50) for _ in range(2))
    other = random_twins(dataclasses.replace(run, seed=8), start, tape, 50)
    assert once == again
    assert once != other


def test_a_run_that_knew_the_future_beats_its_twins_and_its_opposite_none(run_maker: Any) -> None:
    """Sides that are those of the next bar; half of the bars flat, so that chance has room."""
    run: RunData = run_maker(n=600, n_symbols=1, start=1, fixed=True)
    moves = np.sign(np.diff(run.price[:, 0], append=run.price[-1, 0]))
    flat = np.random.default_rng(4).random(600) < 0.5
    free = tape_of(run, 1)._replace(cost=np.zeros(1))
    for sign, expected in ((1.0, 1.0), (-1.0, 0.0)):
        side = np.where(flat, 0.0, sign * np.roll(moves, 1))[:, None]
        side[0] = 0.0
        grown = np.cumprod(1.0 + 0.1 * side[1:, 0] * (run.price[1:, 0] / run.price[:-1, 0] - 1.0))
        equity = 1e4 * np.concatenate(([1.0], grown))
        quantity = 0.1 * side * equity[:, None] / run.price
        one = dataclasses.replace(run, quantity=quantity, equity=equity)
        assert random_twins(one, 1, free, 100)["percentile"] == expected


def test_without_a_trip_there_are_no_twins(run: RunData) -> None:
    idle = dataclasses.replace(run, quantity=np.zeros_like(run.quantity))
    got = random_twins(idle, run.start_index, tape_of(idle, run.start_index))
    assert got["trips"] == 0
    assert got["percentile"] is got["total_return"] is None


@pytest.mark.parametrize(("mine", "share"), [(0.0, 0.0), (0.2, 0.5), (0.25, 0.75), (0.4, 1.0)])
def test_those_that_are_equalled_count_half(mine: float, share: float) -> None:
    assert beaten(np.array([0.1, 0.2, 0.2, 0.3]), mine) == share


def test_one_trip_over_the_whole_span_leaves_chance_no_room(run_maker: Any) -> None:
    run: RunData = run_maker(n=60, n_symbols=1, start=1, fixed=True)
    quantity = np.ones_like(run.quantity)
    quantity[0] = 0.0
    alone = random_twins(dataclasses.replace(run, quantity=quantity), 1, tape_of(run, 1), 30)
    assert alone["low"] == alone["total_return"] == alone["high"]


def test_as_many_twins_are_drawn_as_asked(run: RunData) -> None:
    own, allowed = legs_of_run(run, 100), open_bars(run, 100)
    for draws in (1, 130):
        found = twin_returns(own, allowed, tape_of(run, 100), draws, np.random.default_rng(1))
        assert len(found) == draws


@pytest.mark.parametrize(("last", "share"), [(1e9, 1.0), (1e-9, 0.0)])
def test_a_run_is_held_against_its_twins_by_its_last_close(
    run: RunData, last: float, share: float
) -> None:
    equity = run.equity.copy()
    equity[-1] = last
    ended = dataclasses.replace(run, equity=equity)
    start = run.start_index
    assert random_twins(ended, start, tape_of(run, start), 20)["percentile"] == share

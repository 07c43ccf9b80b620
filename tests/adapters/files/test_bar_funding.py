"""Settlements on bars: each of them in exactly one place, whatever the bars and the blocks."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.files.bar_funding import lay_funding
from bot.adapters.files.funding import Funding
from bot.blocks import I64, BarBlock
from bot.plausibility import Prices, screen_bars
from bot.timegrid import DAY_MS, HOUR_MS, last_closes

NONE = (np.empty(0, np.int64), np.empty(0))


def flat_bars(times: I64, price: float = 100.0) -> BarBlock:
    column = np.full((len(times), 1), price)
    return BarBlock.of_candles(times, column, column, column, column, column)


def laid(bars: BarBlock, due: Funding, step: int, since: int, rows: int | None = None) -> BarBlock:
    """Lay in blocks of so many rows, each going on where the one before ended."""
    parts, before = [], np.array([np.nan])
    for at in range(0, len(bars), rows or len(bars)):
        part = bars.rows(at, at + (rows or len(bars)))
        parts.append(lay_funding(part, [due], [NONE], step, since, before))
        since, before = int(part.open_time[-1]) + step, last_closes(part, before)[-1]
    return BarBlock.concat(parts)


@settings(max_examples=60, deadline=None)
@given(
    hours=st.lists(st.integers(100, 400), unique=True, max_size=60).map(sorted),
    step=st.sampled_from([HOUR_MS // 4, HOUR_MS, 4 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS, DAY_MS]),
    shift=st.sampled_from([0, HOUR_MS // 2]),
    keep=st.lists(st.booleans(), min_size=40, max_size=40),
    rows=st.integers(1, 50),
)
def test_each_settlement_lies_in_one_place(
    hours: list[int], step: int, shift: int, keep: list[bool], rows: int
) -> None:
    grid = np.arange(5 * DAY_MS + shift, 15 * DAY_MS, step)
    grid = grid[np.resize(keep, len(grid))] if any(keep) else grid
    due = Funding(np.array(hours, np.int64) * HOUR_MS, np.array(hours) * 1e-6)
    bars = laid(flat_bars(grid), due, step, int(grid[0]))
    rate, inside = np.zeros(len(grid)), np.zeros(len(grid))
    for time, of_time in zip(due.time.tolist(), due.rate.tolist(), strict=True):
        if not grid[0] <= time < grid[-1] + step:
            continue
        holder = [i for i, o in enumerate(grid.tolist()) if o < time < o + step]
        if holder:
            inside[holder[0]] += of_time * 100.0
        else:  # at an open, or where the grid has a hole: at the next open
            rate[next(i for i, o in enumerate(grid.tolist()) if o >= time)] += of_time
    np.testing.assert_allclose(bars.funding_rate[:, 0], rate, rtol=1e-12)
    np.testing.assert_allclose(bars.funding_inside[:, 0], inside, rtol=1e-12)
    in_blocks = laid(flat_bars(grid), due, step, int(grid[0]), rows)
    for name in ("funding_rate", "funding_inside", "funding_inside_unknown"):
        assert getattr(in_blocks, name).tobytes() == getattr(bars, name).tobytes(), name


@pytest.mark.parametrize("step", [6 * HOUR_MS, 12 * HOUR_MS, DAY_MS])
def test_what_is_not_known_is_counted_and_the_others_are_charged(step: int) -> None:
    hours = np.arange(24)
    rates = np.full(24, 1e-4)
    rates[[0, 5, 23]] = np.nan
    bars = laid(flat_bars(np.arange(0, DAY_MS, step)), Funding(hours * HOUR_MS, rates), step, 0)
    assert np.isnan(bars.funding_rate[0, 0])
    assert bars.funding_inside_unknown.sum() == 2.0
    opens = DAY_MS // step
    assert bars.funding_inside.sum() == pytest.approx((24 - opens - 2) * 1e-2)


def test_the_mark_of_the_settlements_own_time_comes_first_then_the_bars_mark_then_the_open() -> (
    None
):
    due = Funding(np.array([8, 16, 32]) * HOUR_MS, np.array([1e-4, 1e-4, 1e-4]))
    bars = replace(flat_bars(np.array([0, DAY_MS])), mark=np.array([[110.0], [np.nan]]))
    marks = (np.array([0, 8, 9]) * HOUR_MS, np.array([110.0, 120.0, 130.0]))
    out = lay_funding(bars, [due], [marks], DAY_MS, 0, np.array([np.nan]))
    np.testing.assert_allclose(out.funding_inside[:, 0], [230e-4, 100e-4])


def test_the_first_and_the_last_mark_count() -> None:
    due = Funding(np.array([8, 16]) * HOUR_MS, np.array([1e-4, 1e-4]))
    marks = (np.array([8, 16]) * HOUR_MS, np.array([120.0, 130.0]))
    out = lay_funding(flat_bars(np.array([0])), [due], [marks], DAY_MS, 0, np.array([np.nan]))
    assert out.funding_inside[0, 0] == pytest.approx(250e-4)


def test_without_any_price_a_settlement_is_not_known() -> None:
    bars = flat_bars(np.array([0]), np.nan)
    due = Funding(np.array([8 * HOUR_MS]), np.array([1e-4]))
    out = lay_funding(bars, [due], [NONE], DAY_MS, 0, np.array([np.nan]))
    assert (out.funding_inside[0, 0], out.funding_inside_unknown[0, 0]) == (0.0, 1.0)


@settings(max_examples=60, deadline=None)
@given(
    factors=st.lists(st.sampled_from([1.0, 1.0, 1e3, 1e-3, 1e6]), min_size=12, max_size=12),
    wild_marks=st.booleans(),
    cuts=st.sets(st.integers(1, 11)),
)
def test_in_a_frozen_bar_nothing_is_charged_on_what_was_not_believed(
    factors: list[float], wild_marks: bool, cuts: set[int]
) -> None:
    """Bars of 12 hours, told at some factor, with a settlement every four hours; cut anywhere."""
    step, n = 12 * HOUR_MS, len(factors)
    times, price = step * np.arange(n), 100.0 * np.array(factors)
    due = Funding(np.arange(0, n * step, 4 * HOUR_MS), np.full(3 * n, 1e-4))
    told = np.repeat(factors, 12) if wild_marks else np.ones(12 * n)
    marks = (np.arange(0, n * step, HOUR_MS), 101.0 * told)
    column = price[:, None]
    bars = BarBlock.of_candles(
        times, column, column, column, column, column, mark=101.0 * told[::12, None]
    )
    prices, before, parts = Prices(np.array([100.0]), np.array([np.nan])), np.array([100.0]), []
    for a, b in itertools.pairwise([0, *sorted(cuts), n]):
        screened, prices, _ = screen_bars(bars.rows(a, b), prices, 20.0)
        parts.append(
            lay_funding(screened, [due], [marks], step, int(times[a]), before, max_jump=20.0)
        )
        before = last_closes(screened, before)[-1]
    laid_bars, last = BarBlock.concat(parts), 100.0
    for i, factor in enumerate(factors):
        mark = 101.0 * (factor if wild_marks else 1.0)
        frozen = not laid_bars.valid[i, 0]
        assert frozen == np.isfinite(laid_bars.refused[i, 0])
        on = last if frozen and not 0.05 < mark / last < 20.0 else mark
        assert laid_bars.funding_inside[i, 0] == pytest.approx(2e-4 * on)
        assert laid_bars.funding_rate[i, 0] == 1e-4
        if frozen:
            own = laid_bars.mark[i, 0]
            assert (own if np.isfinite(own) else last) == pytest.approx(on)
        else:
            last = price[i]


def test_what_an_inverse_contract_settles_inside_is_in_coin() -> None:
    """N contracts pay N rate / price coins: at the open's price P as N / P units and coins, P² rate / price."""
    bars = flat_bars(np.array([0]))
    hours = np.array([8, 16]) * HOUR_MS
    due = Funding(hours, np.array([0.001, -0.002]))
    marks = (hours, np.array([80.0, 125.0]))
    nothing = np.array([np.nan])
    inverse = np.array([True])
    out = lay_funding(bars, [due], [marks], DAY_MS, 0, nothing, inverse=inverse)
    price = float(bars.open[0, 0])
    assert out.funding_inside[0, 0] == pytest.approx(price**2 * (0.001 / 80.0 - 0.002 / 125.0))
    linear = lay_funding(bars, [due], [marks], DAY_MS, 0, nothing, inverse=~inverse)
    assert linear.funding_inside[0, 0] == pytest.approx(0.001 * 80.0 - 0.002 * 125.0)

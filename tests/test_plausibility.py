"""What can be true of prices and rates, and what a refusal leaves behind."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import BarBlock
from bot.plausibility import (
    MAX_FUNDING_RATE,
    Prices,
    plausible,
    plausible_quote,
    plausible_rate,
    screen_bars,
)

NAN = math.nan


def flat(closes: list[float]) -> BarBlock:
    """Return bars of one symbol that open, stand and close at these prices; NaN is a missing bar."""
    column = np.array(closes).reshape(-1, 1)
    return BarBlock.of_candles(np.arange(len(closes)), column, column, column, column, column)


@pytest.mark.parametrize(
    ("closes", "accepted"),
    [
        ([100, 1999, 39_000], [1, 1, 1]),  # a factor of less than 20 each
        ([100, 2000, 100, 5, 100], [1, 1, 1, 1, 1]),  # just the factor
        ([100, 2001, 100], [1, 0, 1]),  # a single wild bar
        ([100, 4.9, 100], [1, 0, 1]),
        ([100, 1e308, 100], [1, 0, 1]),
        ([100, 1e-308, 100], [1, 0, 1]),
        ([100, 3000, 3100, 2900], [1, 0, 1, 1]),  # the second confirms
        ([100, 3000, NAN, 3100], [1, 0, 0, 1]),  # also after a missing one
        ([100, 3000, 90_000, 91_000], [1, 0, 0, 1]),  # another wild one confirms nothing
        ([100, 3000, 101, 3000, 101], [1, 0, 1, 0, 1]),  # what is taken back has to be said anew
        ([1e308, 100, 101], [1, 0, 1]),  # the first has nothing to be held against
        ([NAN, NAN, 7], [0, 0, 1]),
    ],
)
def test_candles(closes: list[float], accepted: list[int]) -> None:
    bars = flat(closes)
    bars, prices, found = screen_bars(bars, Prices.unknown(1), 20.0)
    assert bars.valid[:, 0].tolist() == [bool(a) for a in accepted]
    told = [c for c, a in zip(closes, accepted, strict=True) if not a and not math.isnan(c)]
    assert [one.value for one in found] == told
    assert bars.refused[~np.isnan(bars.refused)].tolist() == told
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(np.isnan(getattr(bars, name)), ~bars.valid)
    taken = [c for c, a in zip(closes, accepted, strict=True) if a]
    assert prices.last[0] == taken[-1]


@pytest.mark.parametrize("name", ["open", "high", "low", "close"])
@pytest.mark.parametrize("factor", [1e9, 1e-9])
def test_each_price_of_a_candle_counts(name: str, factor: float) -> None:
    for at in (0, 1):
        bars = flat([100.0, 100.0])
        wild = getattr(bars, name).copy()
        wild[at] *= factor
        screened, _, found = screen_bars(replace(bars, **{name: wild}), Prices.unknown(1), 20.0)
        assert not screened.valid[at, 0]
        assert found[0].time_ms == at


def test_mark_prices_that_go_with_a_refused_candle_are_not_known() -> None:
    column = np.array([[100.0], [1e9], [100.0]])
    wild = replace(
        flat([100.0, 1e9, 100.0]), mark=column, mark_high=column, mark_low=np.full((3, 1), 99.0)
    )
    screened, _, _ = screen_bars(wild, Prices.unknown(1), 20.0)
    for price in (screened.mark, screened.mark_high):
        np.testing.assert_array_equal(price[:, 0], [100.0, np.nan, 100.0])
    assert screened.mark_low[:, 0].tolist() == [99.0] * 3


@settings(max_examples=200, deadline=None)
@given(
    closes=st.lists(
        st.lists(st.sampled_from([NAN, 1.0, 5.0, 19.0, 30.0, 700.0, 1e9]), min_size=2, max_size=2),
        min_size=1,
        max_size=25,
    ),
    rows=st.integers(1, 6),
)
def test_cut_anywhere_and_taken_up_from_what_was_recorded_it_judges_alike(
    closes: list[list[float]], rows: int
) -> None:
    column = np.array(closes)
    bars = BarBlock.of_candles(np.arange(len(column)), column, column, column, column, column)
    whole, at_end, found = screen_bars(bars, Prices.unknown(2), 20.0)
    prices, refusals = Prices.unknown(2), []
    for at in range(0, len(bars), rows):
        part, prices, more = screen_bars(bars.rows(at, at + rows), prices, 20.0)
        refusals += more
        for name in ("close", "valid", "refused"):
            expected = getattr(whole, name)[at : at + rows]
            np.testing.assert_array_equal(getattr(part, name), expected)
        prices = recorded(whole.rows(0, at + len(part)))
    assert refusals == found
    np.testing.assert_array_equal(recorded(whole).last, at_end.last)
    np.testing.assert_array_equal(recorded(whole).refused, at_end.refused)


def recorded(bars: BarBlock) -> Prices:
    """Return what a journal of these bars tells: the last close, and what was refused since."""
    prices = Prices.unknown(bars.n_symbols)
    for s in range(bars.n_symbols):
        for i in range(len(bars)):
            if bars.valid[i, s]:
                prices.last[s], prices.refused[s] = bars.close[i, s], np.nan
            elif not np.isnan(bars.refused[i, s]):
                prices.refused[s] = bars.refused[i, s]
    return prices


@pytest.mark.parametrize(
    ("bid", "ask", "fine"),
    [
        (5.0, 100.0, True), (99.0, 101.0, True), (100.0, 100.0, True), (5.1, 5.2, True), (1999.0, 1999.5, True),
        (99.0, 1e9, False), (1e-9, 101.0, False), (1e9, 1e9, False), (4.9, 5.1, False),
        (1999.0, 2001.0, False), (101.0, 100.0, False), (0.0, 100.0, False), (-5.0, 100.0, False),
        (100.0, math.inf, False), (6.0, 150.0, False),
    ],
)  # fmt: skip
def test_quotes(bid: float, ask: float, fine: bool) -> None:
    assert plausible_quote(bid, ask, [100.0], 20.0) == fine
    if fine:
        assert not plausible_quote(bid, ask, [1e7], 20.0)
        assert plausible_quote(bid, ask, [1e7, 100.0], 20.0)  # a refused candle is confirmed
        assert plausible_quote(bid, ask, [NAN], 20.0)


def test_a_rate_that_no_exchange_charges() -> None:
    assert [plausible_rate(r) for r in (0.0, -0.04, MAX_FUNDING_RATE, NAN)] == [True] * 4
    assert [plausible_rate(r) for r in (1e9, -1e9, 0.1001, math.inf)] == [False] * 4


def test_nothing_contradicts_what_is_not_known() -> None:
    assert plausible(NAN, 100.0, 20.0)
    assert plausible(5.0, NAN, 20.0)
    assert not plausible(math.inf, NAN, 20.0)
    assert not plausible(-1.0, NAN, 20.0)


def test_prices_far_below_one_are_prices() -> None:
    assert plausible(1e-7, 1.2e-7, 20.0)
    assert plausible_quote(1e-7, 1.1e-7, [1.2e-7], 20.0)


def test_the_first_candle_is_held_against_its_own_open() -> None:
    """Its high and low are 30 apart, but each lies within the factor of the open."""
    open_, high, low = (np.array([[price]]) for price in (100.0, 1500.0, 50.0))
    bars = BarBlock.of_candles(np.array([0]), open_, high, low, open_, open_)
    assert screen_bars(bars, Prices.unknown(1), 20.0)[0].valid.all()


def test_a_volume_is_no_price() -> None:
    bars = flat([100.0, 3000.0, 100.0])
    bars = replace(bars, volume=np.array([[0.0], [1e9], [1e9]]))
    screened, _, _ = screen_bars(bars, Prices.unknown(1), 20.0)
    assert screened.valid[:, 0].tolist() == [True, False, True]
    np.testing.assert_array_equal(screened.volume[:, 0], [0.0, NAN, 1e9])


def test_either_of_two_prices_may_go_on_until_a_candle_is_accepted() -> None:
    _, prices, _ = screen_bars(flat([100.0]), Prices.unknown(1), 20.0)
    assert prices.of(0) == [100.0]
    _, doubtful, _ = screen_bars(flat([3000.0]), prices, 20.0)
    assert doubtful.of(0) == [100.0, 3000.0]
    for close in (101.0, 2900.0):
        _, settled, found = screen_bars(flat([close]), doubtful, 20.0)
        assert (settled.of(0), found) == ([close], [])

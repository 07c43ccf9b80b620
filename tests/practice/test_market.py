"""Moments of a market, and recordings as its source."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import F64, BarBlock
from bot.config.schema import Synthetic
from bot.errors import DataError
from bot.practice.market import PracticeMarket
from bot.practice.recorded import RecordedMarket
from bot.practice.synthetic import START_MS, SyntheticMarket
from bot.timegrid import HOUR_MS

SOURCE = SyntheticMarket(Synthetic(symbols=4, bars=100, missing=0.1), HOUR_MS)


def recording(close: F64, open_time: list[int] | None = None) -> BarBlock:
    times = list(range(len(close))) if open_time is None else open_time
    grid = START_MS + HOUR_MS * np.array(times, dtype=np.int64)
    return BarBlock.of_candles(grid, close, close + 1.0, close - 1.0, close, close)


@given(bar=st.integers(100, 400), passed=st.lists(st.integers(0, HOUR_MS), min_size=2, max_size=9))
def test_a_forming_candle_never_contradicts_its_end(bar: int, passed: list[int]) -> None:
    market = PracticeMarket(SOURCE)
    final = SOURCE.block(bar, 1)
    moments = [market.at(market.open_time(bar) + min(p, HOUR_MS - 1)) for p in sorted(passed)]
    for earlier, later in itertools.pairwise(moments):
        live = later.live
        assert (later.high >= earlier.high)[live].all()
        assert (later.low <= earlier.low)[live].all()
        assert (later.volume >= earlier.volume)[live].all()
    for m in moments:
        live = m.live
        assert np.array_equal(live, final.valid[0])
        assert (m.low <= m.last)[live].all()
        assert (m.last <= m.high)[live].all()
        assert (m.high <= final.high[0])[live].all()
        assert (m.low >= final.low[0])[live].all()
        assert np.array_equal(m.open[live], final.open[0][live])
        assert (m.bid < m.last).all()
        assert (m.last < m.ask).all()


def test_a_symbol_without_the_bar_keeps_its_last_price() -> None:
    market = PracticeMarket(SOURCE)
    closes = SOURCE.block(100, 50).close
    bar, s = np.argwhere(np.isnan(closes[1:]) & ~np.isnan(closes[:-1]))[0]
    moment = market.at(market.open_time(100 + int(bar) + 1) + HOUR_MS // 2)
    assert not moment.live[s]
    assert moment.last[s] == closes[bar, s]


def test_the_day_is_that_of_the_bars_before() -> None:
    market = PracticeMarket(SOURCE)
    day = market.at(market.open_time(200)).day
    past = SOURCE.block(176, 24)
    np.testing.assert_array_equal(day.high, np.nanmax(past.high, axis=0))
    np.testing.assert_array_equal(day.low, np.nanmin(past.low, axis=0))
    np.testing.assert_allclose(day.volume, np.nansum(past.volume, axis=0))


def test_the_first_moment_has_no_day_before() -> None:
    moment = PracticeMarket(SOURCE).at(START_MS)
    assert np.isnan(moment.day.prev_price).all()
    assert (moment.last[moment.live] == moment.open[moment.live]).all()


def test_closed_bars_end_where_the_clock_is() -> None:
    market = PracticeMarket(SOURCE)
    assert market.closed(0, 99, 0, market.open_time(0) + HOUR_MS - 1) is None
    bars = market.closed(-5, 99, 0, market.open_time(3))
    assert bars is not None
    assert len(bars) == 3


def test_a_recording_is_put_on_its_grid() -> None:
    close = np.array([[10.25, 5.0], [11.0, 6.5], [12.0, 7.125]])
    recorded = RecordedMarket(recording(close, [0, 1, 4]), ["A", "B"], HOUR_MS)
    assert recorded.n_bars == 5
    bars = recorded.block(0, 5)
    assert bars.valid[:, 0].tolist() == [True, True, False, False, True]
    assert bars.close[4].tolist() == [12.0, 7.125]
    market = PracticeMarket(recorded)
    assert market.decimals.tolist() == [2, 3]
    assert market.end_ms == START_MS + 5 * HOUR_MS
    assert market.at(START_MS + 9 * HOUR_MS).last.tolist() == [12.0, 7.125]
    assert market.at(START_MS + 3 * HOUR_MS).last.tolist() == [11.0, 6.5]


def test_a_recording_keeps_what_its_bars_know_beside_their_candles() -> None:
    bars = replace(
        recording(np.array([[10.0], [11.0]]), [0, 2]),
        mark_high=np.array([[10.5], [11.5]]), mark_low=np.array([[9.5], [10.5]]),
        leaving=np.array([[False], [True]]), settlement_price=np.array([[np.nan], [11.0]]),
    )  # fmt: skip
    laid = RecordedMarket(bars, ["A"], HOUR_MS).block(0, 3)
    assert laid.leaving[:, 0].tolist() == [False, False, True]
    np.testing.assert_array_equal(laid.mark_high[:, 0], [10.5, np.nan, 11.5])
    np.testing.assert_array_equal(laid.mark_low[:, 0], [9.5, np.nan, 10.5])
    np.testing.assert_array_equal(laid.settlement_price[:, 0], [np.nan, np.nan, 11.0])


def test_bars_beyond_a_recording_are_refused() -> None:
    recorded = RecordedMarket(recording(np.ones((3, 1))), ["A"], HOUR_MS)
    with pytest.raises(ValueError, match="there are 3"):
        recorded.block(2, 2)


@pytest.mark.parametrize(
    ("bars", "symbols", "message"),
    [
        (recording(np.ones((0, 1))), ["A"], "no bars"),
        (recording(np.ones((3, 2))), ["A"], "2 columns for 1"),
        (recording(np.ones((2, 1)), [1, 0]), ["A"], "grid"),
    ],
)
def test_wrong_recordings_are_refused(bars: BarBlock, symbols: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        RecordedMarket(bars, symbols, HOUR_MS)


def test_a_recording_off_the_grid_is_refused() -> None:
    with pytest.raises(DataError, match="grid"):
        RecordedMarket(recording(np.ones((3, 1))), ["A"], 7_000_000)

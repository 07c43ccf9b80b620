"""The mark price inside a bar, as the stream told it: known whole, or not at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.exchange import Connected, Disconnected, Quote
from bot.app.live.heard_marks import HeardMarks
from bot.blocks import BarBlock
from bot.timegrid import HOUR_MS

NAN = math.nan


def quote(time: int, mark: float, symbol: str = "A") -> Quote:
    return Quote(symbol, 1.0, 2.0, mark, NAN, None, time)


def extremes(marks: HeardMarks, bar: int) -> list[tuple[float, float]]:
    nan = np.full((1, 2), np.nan)
    block = BarBlock.of_candles(np.array([bar * HOUR_MS]), nan, nan, nan, nan, nan)
    laid = marks.lay_on(block)
    return list(zip(laid.mark_low[0].tolist(), laid.mark_high[0].tolist(), strict=True))


def listening() -> HeardMarks:
    return HeardMarks(["A", "B"], HOUR_MS, streamed=True, slack_ms=4)


def test_a_bar_that_was_heard_whole_has_its_extremes_and_the_price_it_began_with() -> None:
    marks = listening()
    for time, price in ((HOUR_MS - 5, 100.0), (HOUR_MS + 5, 90.0), (HOUR_MS + 9, 95.0)):
        marks.feed(quote(time, price))
    marks.feed(quote(2 * HOUR_MS + 5, 70.0))  # of the next bar, before this one is closed
    low, high = extremes(marks, 1)[0]
    assert (low, high) == (90.0, 100.0)
    assert extremes(marks, 2)[0] == (70.0, 95.0)
    assert all(map(math.isnan, extremes(marks, 2)[1]))


@pytest.mark.parametrize(("after", "held"), [(0, False), (4, False), (5, True)])
def test_a_price_that_comes_with_the_open_is_what_the_bar_opened_with(
    after: int, held: bool
) -> None:
    """A position that is opened then never saw the price before it."""
    marks = listening()
    marks.feed(quote(HOUR_MS - 5, 100.0))
    marks.feed(quote(HOUR_MS + after, 90.0))
    marks.feed(quote(HOUR_MS + 50, 91.0))
    assert extremes(marks, 1)[0] == (90.0, 100.0 if held else 91.0)


def test_silence_is_the_price_as_it_was() -> None:
    marks = listening()
    marks.feed(quote(HOUR_MS - 5, 100.0))
    assert [extremes(marks, bar)[0] for bar in (1, 2)] == [(100.0, 100.0)] * 2
    marks.feed(quote(5 * HOUR_MS + 9, 50.0))
    assert [extremes(marks, bar)[0] for bar in (4, 5)] == [(100.0, 100.0), (50.0, 100.0)]


@pytest.mark.parametrize(
    "broken",
    [Disconnected("x", ("A",)), Connected(2, ("A", "B")), quote(HOUR_MS + 6, NAN)],
    ids=["cut off", "connected anew", "a price that was refused"],
)
def test_a_bar_with_a_break_in_it_is_not_known_and_the_next_one_is(broken: object) -> None:
    marks = listening()
    marks.feed(quote(HOUR_MS - 5, 100.0))
    marks.feed(broken)  # type: ignore[arg-type]
    marks.feed(quote(HOUR_MS + 7, 101.0))
    marks.feed(quote(2 * HOUR_MS + 9, 103.0))
    assert all(map(math.isnan, extremes(marks, 1)[0]))
    assert extremes(marks, 2)[0] == (101.0, 103.0)


def test_a_break_of_another_symbol_is_none() -> None:
    marks = listening()
    marks.feed(quote(HOUR_MS - 5, 100.0))
    marks.feed(Disconnected("x", ("B",)))
    assert extremes(marks, 1)[0] == (100.0, 100.0)


def test_a_first_bar_that_was_heard_from_its_middle_on_is_not_known() -> None:
    marks = listening()
    marks.feed(quote(HOUR_MS + 1, 100.0))
    assert all(map(math.isnan, extremes(marks, 1)[0]))


def test_polled_quotes_are_samples() -> None:
    marks = HeardMarks(["A", "B"], HOUR_MS, streamed=False, slack_ms=4)
    for k in range(20):
        marks.feed(quote(HOUR_MS - 5 + k, 100.0 + k))
    assert all(map(math.isnan, extremes(marks, 1)[0]))


def test_a_quote_that_is_read_after_its_bar_was_closed_harms_nothing() -> None:
    marks = listening()
    marks.feed(quote(HOUR_MS - 5, 100.0))
    assert extremes(marks, 3)[0] == (100.0, 100.0)
    marks.feed(quote(HOUR_MS - 4, 10.0))
    marks.feed(quote(3 * HOUR_MS + 9, 11.0))
    marks.feed(quote(4 * HOUR_MS + 9, 12.0))
    assert extremes(marks, 4)[0] == (11.0, 12.0)


@settings(max_examples=60, deadline=None)
@given(
    prices=st.lists(st.tuples(st.integers(1, 90), st.floats(1.0, 9.0)), min_size=1, max_size=60),
    read=st.lists(st.booleans(), min_size=200, max_size=200),
)
def test_the_same_as_from_all_prices_at_once(
    prices: list[tuple[int, float]], read: list[bool]
) -> None:
    """A price is told every so many minutes, and bars are read sooner or later."""
    marks, told, time = listening(), [(HOUR_MS - 1, 5.0)], HOUR_MS
    marks.feed(quote(*told[0]))
    done, expected, found = 1, [], []
    for k, (minutes, price) in enumerate(prices):
        time += minutes * HOUR_MS // 60
        while read[k % 200] and (done + 1) * HOUR_MS <= time:
            found.append(extremes(marks, done)[0])
            done += 1
        told.append((time, price))
        marks.feed(quote(time, price))
    for bar in range(1, done):
        inside = [p for t, p in told if bar * HOUR_MS <= t < (bar + 1) * HOUR_MS]
        before = [p for t, p in told if t < bar * HOUR_MS][-1:]
        if any(t == bar * HOUR_MS for t, _ in told):
            before = []
        expected.append((min([*before, *inside]), max([*before, *inside])))
    assert found == expected

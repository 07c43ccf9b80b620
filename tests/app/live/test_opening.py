"""The open of a bar, live: which quote or first price fills, and what the row says of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bot.adapters.exchange import Candle, Quote
from bot.app.live.opening import Opening, closed_row
from bot.blocks import BarBlock
from bot.portfolio.book import Book, new_book
from bot.timegrid import HOUR_MS

OPEN, END, UNTIL = HOUR_MS, 2 * HOUR_MS, HOUR_MS + 30_000
NAN = math.nan


def opening(
    *, at_quote: bool = True, after_ms: int = OPEN + 100, until_ms: int = UNTIL, spread: float = 0.0
) -> Opening:
    return Opening(OPEN, END, ["A", "B"], spread, at_quote, after_ms, until_ms)


def quote(time: int, bid: float = 99.0, ask: float = 101.0, *, mark: float = 100.5) -> Quote:
    return Quote("A", bid, ask, mark, NAN, None, time, bid_size=bid / 10.0, ask_size=ask / 10.0)


def candle(time: int, price: float = 100.0, open_time: int = OPEN) -> Candle:
    return Candle("A", open_time, price, price, price, price, 1.0, 1.0, False, time)


def book_of(mark: float = 90.0) -> Book:
    book = new_book(2, 1000.0)
    book.mark[:] = mark
    return book


@pytest.mark.parametrize(
    ("time", "fills"),
    [
        (OPEN - 1, False), (OPEN + 99, False),  # before the decision's commit
        (OPEN + 100, True), (UNTIL, True), (UNTIL + 1, False),
    ],
)  # fmt: skip
def test_the_quotes_that_fill(time: int, fills: bool) -> None:
    one = opening()
    one.see_quote(quote(time))
    assert one.complete(np.array([True, False])) == fills
    row = one.row(book_of(), {}, {})
    assert row.fillable.tolist() == [[fills, False]]
    expected = [99.0, 101.0] if fills else [NAN, NAN]
    np.testing.assert_array_equal([row.fill_bid[0, 0], row.fill_ask[0, 0]], expected)
    sizes = [price / 10.0 for price in expected]
    np.testing.assert_array_equal([row.bid_size[0, 0], row.ask_size[0, 0]], sizes)


BEFORE = OPEN - HOUR_MS


@pytest.mark.parametrize(
    ("newest", "at_quote", "ordered", "written"),
    [
        (quote(OPEN - 1), True, 0.0, True), (quote(BEFORE), True, 0.0, True),
        (quote(BEFORE - 1), True, 0.0, False), (quote(OPEN - 1, 102.0), True, 0.0, False),
        (None, True, 0.0, False), (quote(OPEN - 1), False, 0.0, False),
        (quote(OPEN - 1), True, 2.0, False),  # an order is filled at no quote from before the open
    ],
)  # fmt: skip
def test_without_an_order_the_newest_quote_says_what_a_trade_would_cost(
    newest: Quote | None, at_quote: bool, ordered: float, written: bool
) -> None:
    book = book_of()
    book.pending[0] = ordered
    row = opening(at_quote=at_quote).row(book, {"A": newest} if newest else {}, {})
    assert not row.fillable.any()
    expected = [99.0, 101.0] if written else [NAN, NAN]
    np.testing.assert_array_equal([row.fill_bid[0, 0], row.fill_ask[0, 0]], expected)


@pytest.mark.parametrize(("time", "fills"), [(END - 1, True), (END, False)])
def test_a_quote_at_the_end_of_the_bar_is_of_the_next(time: int, fills: bool) -> None:
    one = opening(until_ms=END + 1000)
    one.see_quote(quote(time))
    assert bool(one.quotes) == fills


def test_a_decision_before_the_open_is_filled_by_no_quote_from_before_the_open() -> None:
    one = opening(after_ms=OPEN - 5000)
    one.see_quote(quote(OPEN - 1))
    assert not one.quotes
    one.see_quote(quote(OPEN))
    assert one.quotes


def test_the_first_usable_quote_counts() -> None:
    one = opening()
    one.see_quote(quote(OPEN + 200, NAN, 101.0))
    one.see_quote(quote(OPEN + 300, 102.0, 101.0))
    one.see_quote(quote(OPEN + 400, 98.0, 99.0))
    one.see_quote(quote(OPEN + 500, 97.0, 98.0))
    row = one.row(book_of(), {}, {})
    assert (row.fill_bid[0, 0], row.fill_ask[0, 0]) == (98.0, 99.0)


@pytest.mark.parametrize(
    ("time", "of", "fills"),
    [(UNTIL, OPEN, True), (UNTIL + 1, OPEN, False), (UNTIL, 0, False), (UNTIL, END, False)],
)
def test_the_first_price_that_fills_is_of_this_bar_and_in_time(
    time: int, of: int, fills: bool
) -> None:
    one = opening(at_quote=False, spread=0.01)
    one.see_candle(candle(time, 200.0, of))
    one.see_quote(quote(OPEN + 200))
    one.see_candle(candle(UNTIL, 300.0, END))
    assert one.complete(np.array([True, False])) == fills
    row = one.row(book_of(), {}, {})
    assert row.fillable[0].tolist() == [fills, False]
    if fills:
        assert row.open[0, 0] == 200.0
        assert (row.fill_bid[0, 0], row.fill_ask[0, 0]) == (198.0, 202.0)


def test_the_first_of_two_first_prices_stays() -> None:
    one = opening(at_quote=False)
    one.see_candle(candle(OPEN + 1, 200.0))
    one.see_candle(candle(OPEN + 2, 300.0))
    assert one.row(book_of(), {}, {}).open[0, 0] == 200.0


@pytest.mark.parametrize(
    ("told", "expected"), [(100.5, 100.5), (NAN, 90.0), (None, 90.0), (math.inf, 90.0)]
)
def test_funding_is_charged_on_the_quotes_mark_else_on_the_last_close(
    told: float | None, expected: float
) -> None:
    last = {} if told is None else {"A": quote(OPEN, mark=told)}
    row = opening().row(book_of(), last, {"A": 1e-4})
    assert row.mark[0].tolist() == [expected, 90.0]
    assert row.funding_rate[0].tolist() == [1e-4, 0.0]
    assert not row.valid.any()


def test_nothing_ordered_needs_no_quote() -> None:
    assert opening().complete(np.array([False, False]))
    assert not opening().complete(np.array([False, True]))


def test_the_row_is_one_bar_of_which_the_candle_is_not_known_yet() -> None:
    one = opening()
    one.see_quote(quote(OPEN + 200))
    row = one.row(book_of(), {}, {"B": NAN})
    columns = {name: getattr(row, name) for name in row.__dataclass_fields__}
    assert columns.pop("open_time").tolist() == [OPEN]
    assert columns.pop("tradable").tolist() == [True]
    assert {name for name, column in columns.items() if column.shape != (1, 2)} == set()
    for name in ("open", "high", "low", "close", "volume", "turnover", "refused"):
        assert np.isnan(columns[name]).all()
    assert row.in_session.all()
    np.testing.assert_array_equal(row.funding_rate, [[0.0, NAN]])
    assert not row.funding_inside.any()
    assert not row.funding_inside_unknown.any()


def test_the_closed_row_has_its_candles_and_the_open_as_it_was_booked() -> None:
    one = opening()
    one.see_quote(quote(OPEN + 200))
    opened = one.row(book_of(), {"A": quote(OPEN)}, {"A": 1e-4})
    prices = np.array([[100.0, 50.0]])
    candles = BarBlock.of_candles(
        np.array([OPEN]), prices, prices + 2, prices - 2, prices + 1, prices * 3
    )
    inside = np.array([[2e-4, 0.0]])
    candles = replace(
        candles, funding_inside=inside, funding_inside_unknown=np.array([[0.0, 1.0]]),
        mark=prices * 9, funding_rate=inside * 9, in_session=np.zeros((1, 2), np.bool_),
        refused=np.array([[NAN, 7.0]]), mark_high=prices + 3, mark_low=prices - 3,
        bid_size=prices, ask_size=prices, leaving=np.array([[True, False]]),
        settlement_price=np.array([[99.0, NAN]]),
    )  # fmt: skip
    for tradable in (True, False):
        row = closed_row(opened, candles, tradable=tradable)
        assert row.tradable.tolist() == [tradable]
        for name in ("open", "high", "low", "close", "volume", "turnover", "valid", "refused",
                     "funding_inside", "funding_inside_unknown", "mark_high", "mark_low", "leaving",
                     "settlement_price"):  # fmt: skip
            np.testing.assert_array_equal(getattr(row, name), getattr(candles, name), name)
        for name in ("open_time", "in_session", "fillable", "fill_bid", "fill_ask", "mark",
                     "funding_rate", "bid_size", "ask_size"):  # fmt: skip
            np.testing.assert_array_equal(getattr(row, name), getattr(opened, name), name)


def test_a_first_price_fills_nothing_where_quotes_do_nor_a_quote_where_first_prices_do() -> None:
    ordered = np.array([True, False])
    at_quote, at_price = opening(), opening(at_quote=False)
    at_quote.see_candle(candle(OPEN + 100))
    at_price.see_quote(quote(OPEN + 100))
    assert not at_quote.complete(ordered)
    assert not at_price.complete(ordered)
    at_quote.see_quote(quote(OPEN + 100))
    at_price.see_candle(candle(OPEN + 100))
    assert at_quote.complete(ordered)
    assert at_price.complete(ordered)

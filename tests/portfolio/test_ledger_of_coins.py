"""The check of books that hold coins: what it notices of an inverse symbol, to a billionth, and what it leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bot.blocks import FILL, BarBlock
from bot.errors import InvariantError
from bot.portfolio.book import Book, new_book
from bot.portfolio.ledger import check_books
from bot.portfolio.reasons import FillReason
from bot.portfolio.trace import Phase, Trace

OPEN_TIME = 7000
INVERSE = np.array([True, False])
CASH = 1000.0
FEE = 2.0


def trace_of(
    equity: float, quantity: float, coin: float, fills: Any, *, cash: float = CASH, **changed: Any
) -> Trace:
    row, unknown = np.zeros(1), np.full((1, 2), np.nan)
    trace = Trace(
        int(Phase.BOTH), np.array([cash]), np.array([equity]), row, row, row, row, np.zeros(1, np.int64),
        np.array([[quantity, 0.0]]), np.zeros((1, 2)), np.zeros((1, 2)), np.zeros((1, 2), np.int8), fills,
        unknown, unknown, unknown, row, np.array([[coin, 0.0]]),
    )  # fmt: skip
    columns: dict[str, Any] = {name: np.array([value]) for name, value in changed.items()}
    return trace._replace(**columns)


def fill_of(quantity: float, price: float, reason: int, fee: float = FEE) -> Any:
    fills = np.zeros(1, FILL)
    fills["open_time"], fills["quantity"], fills["price"] = OPEN_TIME, quantity, price
    fills["fee"], fills["reason"] = fee, reason
    return fills


def bars_at(close: float, **changed: Any) -> BarBlock:
    closes = np.array([[close, np.nan]])
    bars = BarBlock.of_candles(np.array([OPEN_TIME]), closes, closes, closes, closes, closes)
    return replace(bars, **changed)


def held(quantity: float, coin: float, mark: float) -> Book:
    book = new_book(2, CASH)
    book.quantity[0], book.mark[0], book.holding["coin"][0] = quantity, mark, coin
    return book


def reduced(side: float) -> tuple[Book, BarBlock, Trace, float]:
    """500 contracts with 4 coins at 100; 200 are sold at 125 with a fee of 2, paid in coin; the bar closes at 160."""
    coin = side * 4.0 + (-side * 200.0 - FEE) / 125.0
    trace = trace_of(
        CASH + coin * 160.0 - side * 300.0, side * 300.0, coin,
        fill_of(-side * 200.0, 125.0, int(FillReason.SIGNAL)), fees=FEE, in_coin=FEE,
    )  # fmt: skip
    return held(side * 500.0, side * 4.0, 100.0), bars_at(160.0), trace, coin


def balances(before: Book, bars: BarBlock, trace: Trace) -> bool:
    try:
        check_books(before, bars, trace, INVERSE)
    except InvariantError:
        return False
    return True


def with_coin(trace: Trace, coin: float, close: float) -> Trace:
    """Return books that hold other coins, and are worth them."""
    more = (coin - trace.coin[0, 0]) * close
    return trace._replace(coin=np.array([[coin, 0.0]]), equity=trace.equity + more)


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_coins_count_to_a_billionth(side: float, sign: float) -> None:
    before, bars, trace, coin = reduced(side)
    assert balances(before, bars, trace)
    scale = 4.0 + abs(coin) + 300.0 / 160.0
    for share, fine in ((0.9e-9, True), (1.1e-9, False)):
        wrong = with_coin(trace, coin + sign * share * scale, 160.0)
        assert balances(before, bars, wrong) == fine
    with pytest.raises(InvariantError, match="the coins of symbol 0 is"):
        check_books(before, bars, with_coin(trace, coin + sign, 160.0), INVERSE)


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_worth_counts_to_a_billionth(side: float, sign: float) -> None:
    before, bars, trace, coin = reduced(side)
    scale = CASH + abs(coin) * 160.0 + 300.0 + 200.0
    for share, fine in ((0.9e-9, True), (1.1e-9, False)):
        changed = sign * share * scale
        assert balances(before, bars, trace._replace(equity=trace.equity + changed)) == fine
        assert balances(before, bars, trace._replace(fees=trace.fees + changed)) == fine


def test_a_bar_that_is_missing_keeps_the_mark() -> None:
    before, bars, trace, coin = reduced(1.0)
    missing = replace(bars, valid=np.zeros((1, 2), np.bool_))
    at_mark = trace._replace(equity=np.array([CASH + coin * 100.0 - 300.0]))
    assert balances(before, missing, at_mark)
    assert not balances(before, missing, trace)
    assert balances(before, bars, at_mark._replace(phase=int(Phase.OPEN)))


def test_what_funding_or_a_liquidation_took_of_the_coins_is_left_to_others() -> None:
    before, bars, trace, coin = reduced(1.0)
    wrong = with_coin(trace, coin + 0.5, 160.0)
    assert not balances(before, bars, wrong)
    for name in ("funding_rate", "funding_inside"):
        assert balances(before, replace(bars, **{name: np.array([[1e-4, 0.0]])}), wrong)
    taken = wrong.fills.copy()
    taken["reason"] = int(FillReason.LIQUIDATION)
    assert balances(before, bars, wrong._replace(fills=taken))


@pytest.mark.parametrize(
    ("quantity", "owed", "coin", "equity", "fine"),
    [
        (0.0, -0.5, 0.0, 900.0, True),  # bought back
        (0.0, 0.5, 0.0, 900.0, False),  # coins that were there are gone
        (0.0, 0.5, 0.0, 0.0, True),  # of an account that is worth nothing
        (0.0, -0.5, -0.25, 900.0, False),  # in part only
        (10.0, -0.5, 0.0, 900.0, False),  # beside a position
    ],
)
def test_a_debt_is_forgotten_only_where_it_was_repaid(
    quantity: float, owed: float, coin: float, equity: float, fine: bool
) -> None:
    before = held(quantity, owed, 100.0)
    cash = equity - (coin * 200.0 - quantity)
    trace = trace_of(
        equity, quantity, coin, np.empty(0, FILL), cash=cash, in_coin=cash - CASH
    )  # fmt: skip
    assert balances(before, bars_at(200.0), trace) == fine


def test_coins_without_a_position_are_worth_their_price() -> None:
    before = held(0.0, 2.0, 100.0)
    trace = trace_of(CASH + 400.0, 0.0, 2.0, np.empty(0, FILL))
    assert balances(before, bars_at(200.0), trace)
    assert not balances(before, bars_at(200.0), trace._replace(equity=np.array([CASH])))


def test_nothing_held_of_a_symbol_that_has_no_price_is_nothing() -> None:
    before = held(0.0, 0.0, np.nan)
    assert balances(before, bars_at(np.nan), trace_of(CASH, 0.0, 0.0, np.empty(0, FILL)))


def test_fills_of_a_bar_add_up_in_coin() -> None:
    """Bought and sold again within the bar, at other prices: what is left is coin."""
    fills = np.concatenate([
        fill_of(300.0, 100.0, int(FillReason.SIGNAL)),
        fill_of(-300.0, 125.0, int(FillReason.STOP_LOSS)),
    ])  # fmt: skip
    coin = (300.0 - FEE) / 100.0 + (-300.0 - FEE) / 125.0
    trace = trace_of(CASH + coin * 125.0, 0.0, coin, fills, fees=2 * FEE, in_coin=2 * FEE)
    assert balances(held(0.0, 0.0, 100.0), bars_at(125.0), trace)
    assert not balances(held(0.0, 0.0, 100.0), bars_at(125.0), with_coin(trace, coin + 0.01, 125.0))


def test_what_was_paid_at_the_open_is_not_paid_again() -> None:
    """Of a bar in two calls: fees of 7 and funding of 3, of which 4 in coin, left the cash before."""
    before = held(0.0, 0.0, 100.0)
    before.account[["bar_fees", "bar_funding", "bar_in_coin", "opened"]] = [(7.0, 3.0, 4.0, 1)]
    trace = trace_of(
        CASH, 0.0, 0.0, np.empty(0, FILL), fees=7.0, funding=3.0, in_coin=4.0
    )._replace(phase=int(Phase.CLOSE))
    assert balances(before, bars_at(100.0), trace)
    assert not balances(before, bars_at(100.0), trace._replace(in_coin=np.array([5.0])))

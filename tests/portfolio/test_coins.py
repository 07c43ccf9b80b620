"""Coins beside the cash: what a wallet would have, by hand, and that it adds up to the equity."""

from __future__ import annotations

import numpy as np
import pytest

from bot.portfolio.book import Book, new_book
from bot.portfolio.coins import coin_balances, inverse_symbols
from bot.portfolio.instruments import Instrument

INVERSE = np.array([True, False, True])
NAMES = ("BTCUSD", "ETHUSDT", "other:XRPUSD")


@pytest.fixture
def book() -> Book:
    """1,000 contracts were bought at 100 and 400 sold at 125: 10 coins came, 3.2 went; 2 XRP were paid in fees."""
    made = new_book(3, 5_000.0)
    made.quantity[:2], made.mark[:] = (600.0, 3.0), (120.0, 10.0, 0.5)
    made.holding["entry"][:2], made.holding["coin"][:] = (100.0, 9.0), (6.8, 0.0, -2.0)
    return made


def test_what_was_realised_is_the_balance_and_what_is_open_is_apart(book: Book) -> None:
    known = {"BTCUSD": Instrument(1.0, 1.0, 0.0, base="XBT")}
    first, second = coin_balances(NAMES, book, INVERSE, known)
    assert (first.symbol, first.coin, second.coin) == ("BTCUSD", "XBT", "XRP")
    assert first.balance == pytest.approx(400.0 / 100.0 - 400.0 / 125.0)
    assert first.made == pytest.approx(600.0 / 100.0 - 600.0 / 120.0)
    assert first.value == pytest.approx((first.balance + first.made) * 120.0)
    assert (second.balance, second.made, second.value) == (-2.0, 0.0, -1.0)


def test_without_inverse_symbols_or_coins_there_is_nothing(book: Book) -> None:
    assert coin_balances(NAMES, book, None, {}) == ()
    assert coin_balances(NAMES, new_book(3, 1.0), INVERSE, {}) == ()


def test_inverse_symbols_are_named_in_their_order() -> None:
    assert inverse_symbols(NAMES, INVERSE) == ("BTCUSD", "other:XRPUSD")
    assert inverse_symbols(NAMES, np.zeros(3, dtype=np.bool_)) == ()
    assert inverse_symbols(NAMES, None) == ()

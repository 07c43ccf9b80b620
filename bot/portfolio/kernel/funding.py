"""Funding as it is charged: at a bar's open, and inside it.

Rule: a rate that is not known charges nothing, and is counted.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.contracts import base_of, own_price, pay, value_of
from bot.portfolio.market import Market


@cold
def charge_funding(i: int, s: int, book: Book, market: Market, full: FullAccount | None) -> None:
    """Charge the funding due at the bar's open, on the mark price, else the open, else the close.

    The close is that of the last valid bar. A rate not known charges nothing, and is counted.
    """
    rate = market.funding_rate[i, s]
    if math.isnan(rate):
        count_unknown(book, 1)
        return
    price = _price_at_open(i, s, book, market)
    pay_funding(s, book, value_of(s, book.quantity[s], price, full) * rate, price, full)


@hot
def _price_at_open(i: int, s: int, book: Book, market: Market) -> float:
    """Return what a settlement at the bar's open is charged on."""
    price: float = market.mark[i, s]
    if not math.isfinite(price):
        price = market.open[i, s] if market.valid[i, s] else book.mark[s]
    return price


@hot
def charge_funding_inside(
    i: int, s: int, book: Book, market: Market, full: FullAccount | None
) -> None:
    """Charge the settlements inside the bar, after its open; of an inverse symbol in the coins that they are
    at the price of the bar's open, which is what `funding_inside` is counted at."""
    if market.funding_inside[i, s] != 0.0:
        price = _price_at_open(i, s, book, market)
        held = base_of(s, book.quantity[s], price, full)
        pay_funding(s, book, held * market.funding_inside[i, s], price, full)
    if market.funding_inside_unknown[i, s] > 0.0:
        count_unknown(book, int(market.funding_inside_unknown[i, s]))


@cold
def pay_funding(s: int, book: Book, paid: float, price: float, full: FullAccount | None) -> None:
    """Take a position's funding out of cash, or at a price out of coins; received where it is negative."""
    account = book.account[0]
    if full is not None:
        book.holding[s].trip -= paid / own_price(s, price, full)
    pay(s, paid, price, book, full)
    account.bar_funding += paid
    account.funding += paid


@cold
def count_unknown(book: Book, settlements: int) -> None:
    """Count settlements of a position held whose rate was not known."""
    account = book.account[0]
    account.bar_funding_unknown += settlements
    account.funding_unknown += settlements

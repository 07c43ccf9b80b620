"""Settlement: a contract that ends, or whose data end, is closed at the price that the bar names.

Rules: without spread and slippage, for the exchange's settlement fee (`limits.DELIVERY_FEE`); what is
pending is dropped.
"""

from __future__ import annotations

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.booking import book_fill
from bot.portfolio.kernel.compiling import cold
from bot.portfolio.kernel.contracts import value_of
from bot.portfolio.market import Market
from bot.portfolio.reasons import FillReason
from bot.portfolio.trace import Trace

SETTLEMENT = int(FillReason.SETTLEMENT)


@cold
def settle(
    i: int, s: int, book: Book, market: Market, trace: Trace, count: int, full: FullAccount
) -> int:
    """Settle what is held of a symbol and return the number of fills so far."""
    quantity = book.quantity[s]
    book.pending[s] = 0.0
    if quantity == 0.0:
        return count
    price = market.settlement_price[i, s]
    fee = abs(value_of(s, quantity, price, full)) * full.risk.settlement_fee[s]
    return book_fill(
        i, s, book, market, trace, count, -quantity, price, fee, 0.0, 0.0, SETTLEMENT, full
    )

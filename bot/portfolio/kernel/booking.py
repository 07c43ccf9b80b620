"""A fill in the books: cash, quantity, entry, totals, and the row that tells of it.

Rule: every change of cash by a fill goes through `book_fill`.
"""

from __future__ import annotations

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.compiling import cold
from bot.portfolio.market import Market
from bot.portfolio.trace import Trace

ROUNDING = 1e-12
"""Share of a fill: less than that is no position, but what the sum of parts misses it by."""


@cold
def book_fill(
    i: int, s: int, book: Book, market: Market, trace: Trace, count: int,
    quantity: float, price: float, fee: float, spread: float, slippage: float, reason: int,
    full: FullAccount | None,
) -> int:  # fmt: skip
    """Book a fill and return the number of fills so far."""
    account = book.account[0]
    if full is not None and abs(book.quantity[s] + quantity) <= ROUNDING * abs(quantity):
        quantity = -book.quantity[s]  # of parts that have closed it
    account.cash -= quantity * price + fee
    account.bar_fees += fee
    account.bar_spread += spread
    account.bar_slippage += slippage
    account.fees += fee
    account.spread += spread
    account.slippage += slippage
    account.turnover += abs(quantity) * price
    account.fills += 1
    if full is not None:
        _note_entry(s, book, quantity, price)
        _note_trip(s, book, quantity, price, fee)
    book.quantity[s] += quantity
    row = trace.fills[count]
    row.open_time = market.open_time[i]
    row.symbol = s
    row.quantity = quantity
    row.price = price
    row.fee = fee
    row.spread = spread
    row.slippage = slippage
    row.reason = reason
    return count + 1


@cold
def _note_entry(s: int, book: Book, quantity: float, price: float) -> None:
    """Average the entry of what is held: only an increase moves it, a change of side begins anew."""
    held = book.quantity[s]
    after = held + quantity
    holding = book.holding[s]
    if held * after <= 0.0:
        holding.most = 0.0
    if after == 0.0:
        holding.entry = 0.0
        holding.best = 0.0
    elif held * quantity > 0.0:
        holding.entry = (held * holding.entry + quantity * price) / after
    elif held * after <= 0.0:
        holding.entry = price
        holding.best = price


@cold
def _note_trip(s: int, book: Book, quantity: float, price: float, fee: float) -> None:
    """Add up the cash of the round trip, and at its end count it if it was lost.

    Where a fill closes one and opens the next, its fee splits by the quantities closed and opened.
    """
    held = book.quantity[s]
    after = held + quantity
    holding = book.holding[s]
    if held == 0.0 or held * after > 0.0:
        holding.trip -= quantity * price + fee
        return
    of_closing = fee * abs(held) / abs(quantity)
    account = book.account[0]
    account.losses = account.losses + 1 if holding.trip + held * price < of_closing else 0
    holding.trip = of_closing - fee - after * price if after != 0.0 else 0.0

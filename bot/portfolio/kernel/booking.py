"""A fill in the books: cash or coins, quantity, entry, totals, and the row that tells of it.

Rule: every change of cash or coins by a fill goes through `book_fill`.
"""

from __future__ import annotations

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.compiling import cold
from bot.portfolio.kernel.contracts import (
    entry_of,
    flow_of,
    is_inverse,
    own_price,
    pay,
    value_of,
)
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
    if is_inverse(s, full):
        book.holding[s].coin += quantity / price
        pay(s, fee, price, book, full)
    else:
        account.cash -= quantity * price + fee
    account.bar_fees += fee
    account.bar_spread += spread
    account.bar_slippage += slippage
    account.fees += fee
    account.spread += spread
    account.slippage += slippage
    account.turnover += abs(value_of(s, quantity, price, full))
    account.fills += 1
    if full is not None:
        _note_entry(s, book, quantity, price, full)
        _note_trip(s, book, quantity, price, fee / own_price(s, price, full), full)
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
def _note_entry(s: int, book: Book, quantity: float, price: float, full: FullAccount) -> None:
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
        holding.entry = entry_of(s, held, holding.entry, quantity, price, full)
    elif held * after <= 0.0:
        holding.entry = price
        holding.best = price


@cold
def _note_trip(
    s: int, book: Book, quantity: float, price: float, fee: float, full: FullAccount
) -> None:
    """Add up the cash, or coins, of the round trip, and at its end count it if it was lost.

    Where a fill closes one and opens the next, its fee splits by the quantities closed and opened.
    """
    held = book.quantity[s]
    after = held + quantity
    holding = book.holding[s]
    if held == 0.0 or held * after > 0.0:
        holding.trip += flow_of(s, quantity, price, full) - fee
        return
    of_closing = fee * abs(held) / abs(quantity)
    account = book.account[0]
    brought = holding.trip + flow_of(s, -held, price, full)
    account.losses = account.losses + 1 if brought < of_closing else 0
    holding.trip = 0.0
    if after != 0.0:
        holding.trip = of_closing - fee + flow_of(s, after, price, full)

"""Debts in coin: what an inverse contract's losses, fees and funding have left owed of its coin.

Rules: coins owed are a liability, which counts in the margin and moves with the coin's price while the symbol
has a position. At a close at which it has none they are bought out of the cash, at the mark, with no fee. An
account on margin that is worth nothing at a close after that is taken over whole: cash and coins have not covered
what it owes, and the rest is the insurance fund's.

Source: Bybit's help centre, "Borrowing, Interest and Repayment (Unified Trading Account)", and its API's
"Manual Repay": realised losses beyond a coin's balance are borrowed, and repaid by converting other assets. When
it does so by itself, and for which fee, depends on the coin and on the pool of lenders.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.kernel.compiling import cold
from bot.portfolio.kernel.contracts import exchange_coins, is_inverse
from bot.portfolio.kernel.halts import equity_of
from bot.portfolio.kernel.margin import take_account
from bot.portfolio.market import Market
from bot.portfolio.trace import Trace

NONE = int(MarginMode.NONE)
AT_CLOSE = 3.0
"""Of the way that `take_account` takes: beyond the bar's path."""


@cold
def settle_debts(
    i: int, book: Book, market: Market, trace: Trace, count: int, full: FullAccount
) -> int:
    """Repay the coins that no position stands beside, and end an account worth nothing; return the number of
    fills."""
    for s in range(len(book.quantity)):
        owes = is_inverse(s, full) and book.holding[s].coin < 0.0
        if owes and book.quantity[s] == 0.0 and math.isfinite(book.mark[s]):
            exchange_coins(s, book.mark[s], book)
    if full.margin_mode != NONE and equity_of(book, full) < 0.0:
        count = take_account(i, AT_CLOSE, book, market, trace, count, full)
    return count

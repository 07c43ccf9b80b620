"""Fills: what is pending is filled where the bar allows it, and booked.

Rule: `costs` says what a fill costs, and `book_fill` books it.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.costs import costs, costs_of_reference
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.asked import SchemeCall
from bot.portfolio.kernel.booking import book_fill
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.limits import meet_at_open
from bot.portfolio.kernel.margin import liquidate
from bot.portfolio.kernel.orders import at_market, is_stopping
from bot.portfolio.kernel.partial import fill_part
from bot.portfolio.market import Market
from bot.portfolio.reasons import FillReason, Refusal
from bot.portfolio.rules import FillAt, LatePolicy, Rules
from bot.portfolio.trace import Trace

NEXT_OPEN = int(FillAt.NEXT_OPEN)
HOLD, CANCEL = int(LatePolicy.HOLD), int(LatePolicy.CANCEL)
RESCALE = int(FillReason.RESCALE)
HALT, LATE_FLATTEN = int(FillReason.HALT), int(FillReason.LATE_FLATTEN)
LATE_CANCELLED = int(Refusal.LATE_CANCELLED)
COMMAND = int(FillReason.COMMAND)
SAME_WEIGHT = 1e-12
"""A rescaling by less than this share of the quantity is rounding, and not a trade."""


@cold
def fill_or_delay(
    i: int, s: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int,
    scheme: SchemeCall, full: FullAccount | None,
) -> int:  # fmt: skip
    """Fill the pending order of a symbol where the bar allows it, else apply the late policy.

    Quotes seen at the open fill also where the candle never came. A fill at the close needs a close
    that came in time.
    """
    at_open = rules.fill_at == NEXT_OPEN
    bid, ask = market.fill_bid[i, s], market.fill_ask[i, s]
    quoted = at_open and math.isfinite(bid) and math.isfinite(ask)
    met = market.valid[i, s] and (at_open or market.tradable[i])
    if not (market.fillable[i, s] and (met or quoted)):
        if market.in_session[i, s]:
            _delay(i, s, book, rules, trace)
        return count
    middle = market.open[i, s] if at_open else market.close[i, s]
    if quoted:
        middle = 0.5 * (bid + ask)
    quantity = book.pending[s]
    quote = (ask if quantity > 0.0 else bid) if at_open else math.nan
    if full is not None:
        size = math.nan
        if at_open:
            size = market.ask_size[i, s] if quantity > 0.0 else market.bid_size[i, s]
        if book.holding[s].limit != 0.0:
            return meet_at_open(
                i, s, middle, quote, size, book, rules, market, trace, count, scheme, full
            )
        return fill_part(
            i, s, middle, quote, size, book.holding[s].volume, book, rules, market, trace, count,
            scheme, full,
        )  # fmt: skip
    price, fee, spread, slippage = costs(
        i, s, quantity, middle, quote, book.account[0].turnover, book, rules, market, scheme,
        full, False,
    )  # fmt: skip
    reason = book.pending_reason[s]
    book.pending[s] = 0.0
    book.weight[s] = book.pending_weight[s]
    return book_fill(
        i, s, book, market, trace, count, quantity, price, fee, spread, slippage, reason, full
    )


@hot
def fill_sales_first(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int,
    scheme: SchemeCall, full: FullAccount,
) -> int:  # fmt: skip
    """Fill what is pending, reductions before increases, so that what is sold pays for what is bought.

    At an open, what has lost its margin there is taken over before, and its order is gone.
    """
    for s in range(len(book.quantity)):
        if book.pending[s] != 0.0:
            return _fill_sales_first(i, book, rules, market, trace, count, scheme, full)
    return count


@cold
def _fill_sales_first(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int,
    scheme: SchemeCall, full: FullAccount,
) -> int:  # fmt: skip
    if rules.fill_at == NEXT_OPEN:
        count = liquidate(i, 0.0, book, rules, market, trace, count, full)
    first = count
    for increases in (False, True):
        for s in range(len(book.quantity)):
            if book.pending[s] == 0.0 or (book.pending[s] * book.quantity[s] >= 0.0) != increases:
                continue
            if not _has_filled(s, first, count, trace):
                count = fill_or_delay(i, s, book, rules, market, trace, count, scheme, full)
    return count


@cold
def _has_filled(s: int, first: int, count: int, trace: Trace) -> bool:
    """Tell whether there is a fill of a symbol from `first` on: the rest of its order waits."""
    found = False
    for k in range(first, count):
        found = found or trace.fills[k].symbol == s
    return found


@cold
def _delay(i: int, s: int, book: Book, rules: Rules, trace: Trace) -> None:
    """Hold, drop, or turn into the closing of the position an order whose bar cannot be filled.

    A bar out of the symbol's session makes no order late: it waits for the session. What closes a
    position by a stop is held.
    """
    if rules.late_policy == HOLD or is_stopping(s, book):
        return
    if rules.late_policy == CANCEL or book.quantity[s] == 0.0:
        book.pending[s] = 0.0
        trace.refusal[i, s] = LATE_CANCELLED
        return
    book.pending[s] = -book.quantity[s]
    book.pending_weight[s] = 0.0
    at_market(s, book)
    if book.pending_reason[s] != HALT and book.pending_reason[s] != COMMAND:
        book.pending_reason[s] = LATE_FLATTEN


@cold
def settle_reference(
    i: int, s: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int
) -> int:
    """Take the pending weight for a fee on equity, and rescale the holding to it, free.

    The reference backtest of one symbol: C *= 1 - c where the position changes, and the holding is
    position x C at each close.
    """
    if not market.valid[i, s]:
        return count
    price = market.close[i, s]
    equity = max(book.account[0].cash + book.quantity[s] * price, 0.0)
    fee = 0.0
    reason = RESCALE
    if book.pending[s] != 0.0:
        fee = costs_of_reference(s, equity, rules)
        reason = book.pending_reason[s]
        book.pending[s] = 0.0
        book.weight[s] = book.pending_weight[s]
    quantity = book.weight[s] * (equity - fee) / price
    change = quantity - book.quantity[s]
    if reason == RESCALE and abs(change) <= SAME_WEIGHT * abs(quantity):
        return count
    return book_fill(i, s, book, market, trace, count, change, price, fee, 0.0, 0.0, reason, None)

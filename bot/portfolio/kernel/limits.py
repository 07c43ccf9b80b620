"""Limit orders: met at the open they are a taker's, else they rest, and wait for the price.

Rules: an order that rests is filled at its limit, where a bar trades through it by a tick (beyond it,
where no tick is known): what traded at the limit itself may have gone to others in the queue. It pays the
maker's fee, and no spread or slippage. Read well, a touch fills it. Of a bar's volume it has no larger share than a market order.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.asked import SchemeCall
from bot.portfolio.kernel.cash import is_to_be_paid, payable, what_lacks
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.contracts import value_of
from bot.portfolio.kernel.partial import book_part, fill_part, portion
from bot.portfolio.kernel.room import Room
from bot.portfolio.kernel.stops import stop_level, target_of
from bot.portfolio.market import Market
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.ticks import TICK_SLACK
from bot.portfolio.trace import Trace

POST_ONLY, UNFILLED = int(Refusal.POST_ONLY), int(Refusal.UNFILLED)


@cold
def meet_at_open(
    i: int, s: int, middle: float, quote: float, size: float, book: Book, rules: Rules,
    market: Market, trace: Trace, count: int, scheme: SchemeCall, full: FullAccount,
) -> int:  # fmt: skip
    """Fill a new limit order that meets the other side at the open, or drop it if it is post-only."""
    orders, holding = full.orders, book.holding[s]
    quantity, limit = book.pending[s], holding.limit
    if holding.limit_bars < orders.limit_bars:  # it rests since an earlier open
        return count
    side = math.copysign(1.0, quantity)
    met = quote if math.isfinite(quote) else middle * (1.0 + side * rules.half_spread)
    if (met - limit) * side > 0.0:
        return count
    if orders.post_only:
        book.pending[s] = 0.0
        trace.refusal[i, s] = POST_ONLY
        return count
    return fill_part(
        i, s, middle, quote, size, holding.volume, book, rules, market, trace, count, scheme, full
    )


@cold
def fill_limits(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int, room: Room,
    full: FullAccount, reductions: bool,
) -> int:  # fmt: skip
    """Fill the resting orders that the bar trades through, and return the number of fills.

    Args:
        reductions: orders against what is held, but for what a take profit meets first; else those
            that open or increase, but for what a stop meets first.
    """
    for s in range(len(book.quantity)):
        quantity, held = book.pending[s], book.quantity[s]
        if quantity == 0.0 or not _rests(i, s, book, market, full):
            continue
        if (quantity * held < 0.0) != reductions:
            continue
        limit, side = book.holding[s].limit, math.copysign(1.0, quantity)
        if reductions:
            target = target_of(s, -side, book.holding[s].entry, full.orders)
            if (target - limit) * side > 0.0:
                continue
        elif held != 0.0:
            level, _ = stop_level(s, side, book.holding[s], full.orders)
            if (limit - level) * side <= 0.0:
                continue
        if _is_traded_through(i, s, limit, side, market, full):
            before = count
            count = _fill(i, s, limit, book, rules, market, trace, count, full)
            if count > before:
                room.entered[s] = book.quantity[s] * side > 0.0
    return count


@cold
def grow_old(i: int, s: int, book: Book, market: Market, trace: Trace, full: FullAccount) -> None:
    """Take in that a bar has passed, and cancel the order, or let it cross, when its bars are over."""
    holding = book.holding[s]
    new = holding.limit_bars == full.orders.limit_bars
    if not market.in_session[i, s] or (new and not market.fillable[i, s]):
        return  # it waits for the session, or could not be placed yet
    holding.limit_bars -= 1
    if holding.limit_bars <= 0:
        holding.limit = 0.0
        if not full.orders.crosses:
            book.pending[s] = 0.0
            trace.refusal[i, s] = UNFILLED


@hot
def _rests(i: int, s: int, book: Book, market: Market, full: FullAccount) -> bool:
    """Tell whether an order is in the exchange's book in this bar, of which the path is known."""
    holding = book.holding[s]
    placed = market.fillable[i, s] or holding.limit_bars < full.orders.limit_bars
    return bool(holding.limit != 0.0 and market.valid[i, s] and placed)


@hot
def _is_traded_through(
    i: int, s: int, limit: float, side: float, market: Market, full: FullAccount
) -> bool:
    far = market.low[i, s] if side > 0.0 else market.high[i, s]
    beyond = (limit - far) * side
    tick = full.orders.tick[s]
    met = beyond >= tick * (1.0 - TICK_SLACK) and beyond > 0.0
    if full.optimistic:
        met = beyond >= -tick * TICK_SLACK
    return bool(met and market.volume[i, s] != 0.0)


@cold
def _fill(
    i: int, s: int, limit: float, book: Book, rules: Rules, market: Market, trace: Trace,
    count: int, full: FullAccount,
) -> int:  # fmt: skip
    """Fill as a maker, at the limit."""
    volume = market.volume[i, s]
    if math.isnan(volume):
        volume = book.holding[s].volume
    part, refusal = portion(s, book.pending[s], limit, math.nan, volume, book, rules, full)
    rate = full.orders.maker_fee[s] * abs(value_of(s, 1.0, limit, full))
    if is_to_be_paid(s, part, book, full):
        paid = payable(s, part, limit, rate * abs(part), book, rules, full)
        if paid != part:
            part, refusal = paid, what_lacks(s, full)
    fee = rate * abs(part)
    return book_part(
        i, s, part, limit, fee, 0.0, 0.0, refusal, book, rules, market, trace, count, full
    )

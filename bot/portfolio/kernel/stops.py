"""Stops: positions closed by what the price does inside the bar.

The path of a bar is its open, its adverse extreme (the low of a long), its favourable one, its close.
On it a stop is met before a take profit of the same bar; a stop or a take profit that the bar opens
beyond is met at the open. Read well, the favourable extreme comes first: a take profit is met before any stop and any
liquidation but those at the open. The trailing stop follows the best price of earlier bars on the adverse side,
and that of this bar on the way to the close. What was opened inside the bar has no favourable side yet.

Rules: a stop is an order at the market from the price that it is met at, with spread, slippage, impact,
tick and fee, and of no more than a bar fills; its rest goes on at the next opens. It is met by every bar
that there is, also by one that came late; where a bar is missing or was refused, by the next one's open.
"""

from __future__ import annotations

import math
from typing import Any

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.asked import SchemeCall
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.margin import is_used_up
from bot.portfolio.kernel.orders import is_stopping, order
from bot.portfolio.kernel.partial import fill_part
from bot.portfolio.kernel.read_well import costs_more_than_margin, take_over
from bot.portfolio.kernel.room import Room
from bot.portfolio.market import Market
from bot.portfolio.order_rules import OrderRules
from bot.portfolio.reasons import FillReason
from bot.portfolio.rules import Rules
from bot.portfolio.ticks import on_tick
from bot.portfolio.trace import Trace

STOP_LOSS, TAKE_PROFIT = int(FillReason.STOP_LOSS), int(FillReason.TAKE_PROFIT)
TRAILING_STOP = int(FillReason.TRAILING_STOP)


@hot
def stop_on_the_way(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int,
    scheme: SchemeCall, full: FullAccount,
) -> int:  # fmt: skip
    """Close what is stopped on the adverse side, in the order in which prices get there; read well, what takes
    its profit before.

    What has lost its margin before that is left for liquidation.
    """
    while True:
        first, least, price, reason = -1, math.inf, 0.0, 0
        for s in range(len(book.quantity)):
            way, level, why = _met_on_the_way(i, s, book, market, full)
            if way < least and not is_used_up(i, s, way, book, rules, market, full):
                first, least, price, reason = s, way, level, why
        if first < 0:
            return count
        if full.optimistic and costs_more_than_margin(
            i, first, least, price, book, rules, market, full
        ):
            count = take_over(i, first, least, book, rules, market, trace, count, full)
            continue
        count = _stop(i, first, price, reason, book, rules, market, trace, count, scheme, full)


@hot
def stop_on_the_way_back(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int, room: Room,
    scheme: SchemeCall, full: FullAccount,
) -> int:  # fmt: skip
    """Note the best prices, take profits, and close what falls back from its best until the close."""
    orders = full.orders
    for s in range(len(book.quantity)):
        quantity = book.quantity[s]
        if quantity == 0.0 or not market.valid[i, s] or room.entered[s]:
            continue
        side = math.copysign(1.0, quantity)
        holding = book.holding[s]
        near = market.high[i, s] if side > 0.0 else market.low[i, s]
        holding.best = better_of(near, holding.best, side)
        if is_stopping(s, book):
            continue
        price, reason = 0.0, 0
        target = target_of(s, side, holding.entry, orders)
        trail = trail_of(s, side, holding.best, orders)
        if (near - target) * side >= 0.0:
            price, reason = target, TAKE_PROFIT
        elif (market.close[i, s] - trail) * side <= 0.0:
            price, reason = trail, TRAILING_STOP
        if reason != 0:
            count = _stop(i, s, price, reason, book, rules, market, trace, count, scheme, full)
    return count


@hot
def better_of(near: float, best: float, side: float) -> float:
    """Return the best price since a position was opened, given that of this bar."""
    return near if (near - best) * side > 0.0 else best


@hot
def target_of(s: int, side: float, entry: float, orders: OrderRules) -> float:
    """Return the price at which profit is taken, NaN where none is."""
    if orders.take_profit == 0.0:
        return math.nan
    return on_tick(max(entry * (1.0 + side * orders.take_profit), 0.0), -side, orders.tick[s])


@hot
def trail_of(s: int, side: float, best: float, orders: OrderRules) -> float:
    """Return the trailing stop of the best price, NaN where there is none."""
    if orders.trailing_stop == 0.0:
        return math.nan
    return on_tick(best * (1.0 - side * orders.trailing_stop), -side, orders.tick[s])


@hot
def stop_level(s: int, side: float, holding: Any, orders: OrderRules) -> tuple[float, int]:
    """Return the price at which a position is stopped, NaN where there is none, and by which stop."""
    level, reason = math.nan, STOP_LOSS
    if orders.stop_loss > 0.0:
        level = on_tick(holding.entry * (1.0 - side * orders.stop_loss), -side, orders.tick[s])
    trail = trail_of(s, side, holding.best, orders)
    if not (trail - level) * side <= 0.0 and not math.isnan(trail):
        level, reason = trail, TRAILING_STOP
    return level, reason


@hot
def _met_on_the_way(
    i: int, s: int, book: Book, market: Market, full: FullAccount
) -> tuple[float, float, int]:
    """Return how far on the adverse side, 0 to 1, a position is stopped; the price; the reason.

    Infinitely far where it is not.
    """
    quantity = book.quantity[s]
    if quantity == 0.0 or not market.valid[i, s] or is_stopping(s, book):
        return math.inf, math.nan, 0
    side = math.copysign(1.0, quantity)
    holding = book.holding[s]
    if holding.entry == 0.0:  # held since before the account was a full one
        holding.entry = holding.best = book.mark[s]
    begin = market.open[i, s]
    level, reason = stop_level(s, side, holding, full.orders)
    if (begin - level) * side <= 0.0:
        return 0.0, begin, reason
    target = target_of(s, side, holding.entry, full.orders)
    if (begin - target) * side >= 0.0:
        return 0.0, begin, TAKE_PROFIT
    near = market.high[i, s] if side > 0.0 else market.low[i, s]
    if full.optimistic and (near - target) * side >= 0.0:
        return 0.0, target, TAKE_PROFIT
    far = market.low[i, s] if side > 0.0 else market.high[i, s]
    if (far - level) * side <= 0.0:
        return (begin - level) / (begin - far), level, reason
    return math.inf, math.nan, 0


@cold
def _stop(
    i: int, s: int, price: float, reason: int, book: Book, rules: Rules, market: Market,
    trace: Trace, count: int, scheme: SchemeCall, full: FullAccount,
) -> int:  # fmt: skip
    """Order a position closed, fill what this bar fills of it, and return the number of fills."""
    quantity = book.quantity[s]
    order(i, s, book, market, trace, -quantity, 0.0, reason)
    volume = market.volume[i, s]
    if volume != 0.0:
        if math.isnan(volume):
            volume = book.holding[s].volume
        count = fill_part(
            i, s, price, math.nan, math.nan, volume, book, rules, market, trace, count, scheme, full
        )
    trace.order[i, s] = book.pending[s]
    book.holding[s].stopped = math.copysign(1.0, quantity)
    return count

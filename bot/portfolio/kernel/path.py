"""Inside the bar: what its path does to orders and positions, in which order.

Limit orders that open or increase, stops, liquidation: on the adverse side; then limit orders that
reduce, take profits and trailing stops. Must not fill or close by itself.
"""

from __future__ import annotations

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.asked import SchemeCall
from bot.portfolio.kernel.compiling import hot
from bot.portfolio.kernel.limits import fill_limits, grow_old
from bot.portfolio.kernel.margin import liquidate
from bot.portfolio.kernel.room import Room
from bot.portfolio.kernel.stops import stop_on_the_way, stop_on_the_way_back
from bot.portfolio.market import Market
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Trace


@hot
def walk_path(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int, room: Room,
    scheme: SchemeCall, full: FullAccount,
) -> int:  # fmt: skip
    """Take orders and positions along the bar's path, and return the number of fills."""
    orders = full.orders
    if orders.is_limit:
        for s in range(len(book.quantity)):
            room.entered[s] = False
        count = fill_limits(i, book, rules, market, trace, count, room, full, False)
    if orders.has_stops:
        count = stop_on_the_way(i, book, rules, market, trace, count, scheme, full)
    count = liquidate(i, 1.0, book, rules, market, trace, count, full)
    if orders.is_limit:
        before = count
        count = fill_limits(i, book, rules, market, trace, count, room, full, True)
        if count > before:  # what turned has an adverse side of its own
            if orders.has_stops:
                count = stop_on_the_way(i, book, rules, market, trace, count, scheme, full)
            count = liquidate(i, 1.0, book, rules, market, trace, count, full)
        for s in range(len(book.quantity)):
            if book.pending[s] != 0.0 and book.holding[s].limit != 0.0:
                grow_old(i, s, book, market, trace, full)
    if orders.has_stops:
        count = stop_on_the_way_back(i, book, rules, market, trace, count, room, scheme, full)
    return count

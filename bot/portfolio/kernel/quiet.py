"""Bars inside which nothing happens: told by one look at each symbol, so that no path need be walked.

Rules: a bar is quiet only where that is sure. All prices of a bar count as reached by marks and candle alike,
the nearest of them by a tick more; what is then still open is for `path.py`. Whether a bar is passed quietly
or walked changes no bit of the books.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.kernel.compiling import hot
from bot.portfolio.kernel.first_tiers import SLACK
from bot.portfolio.kernel.measured import note_bar
from bot.portfolio.kernel.room import Room
from bot.portfolio.kernel.stops import better_of
from bot.portfolio.market import Market

CROSS, ISOLATED = int(MarginMode.CROSS), int(MarginMode.ISOLATED)


@hot
def is_quiet(i: int, book: Book, market: Market, room: Room, full: FullAccount) -> bool:
    """Tell whether a bar surely leaves orders, positions and margin as they are.

    Where it does, `room.at_most` bounds the value of all positions, and of the largest one.
    """
    if full.has_inverse:
        return False
    # rows are taken once: the places of so many columns, each worked out anew, take half the time
    open_, high, low, close = market.open[i], market.high[i], market.low[i], market.close[i]
    mark, mark_high, mark_low = market.mark[i], market.mark_high[i], market.mark_low[i]
    inside, unknown = market.funding_inside[i], market.funding_inside_unknown[i]
    valid, settlement_price = market.valid[i], market.settlement_price[i]
    stop, trailing = _share(full.orders.stop_loss), _share(full.orders.trailing_stop)
    profit = _share(full.orders.take_profit)
    left: float = book.account[0].cash
    held = largest = 0.0
    borrowed = abs(left)
    # noted, and not returned at once: a branch for each would take longer than all of it
    quiet = True
    for s in range(len(book.quantity)):
        quiet &= (book.pending[s] == 0.0) & valid[s]
        if market.has_events:
            quiet &= not math.isfinite(settlement_price[s])
        quantity = book.quantity[s]
        if quantity == 0.0:
            continue
        lowest = _least(low[s], open_[s], close[s], mark[s])
        highest = -_least(-high[s], -open_[s], -close[s], -mark[s])
        if market.has_extremes:
            lowest = mark_low[s] if mark_low[s] < lowest else lowest
            highest = mark_high[s] if mark_high[s] > highest else highest
        if market.has_events:
            quiet &= (inside[s] == 0.0) & (unknown[s] == 0.0)
        far = lowest if quantity > 0.0 else highest
        value = abs(quantity) * highest
        held += value
        largest = max(largest, value)
        quiet &= book.holding[s].most == 0.0
        if full.orders.has_stops:
            near = highest if quantity > 0.0 else lowest
            quiet &= _is_clear_of_stops(s, quantity, near, far, stop, trailing, profit, book, full)
        if full.margin_mode == CROSS:
            left += quantity * far - room.first_need[s] * abs(quantity) * far
            quiet &= value <= room.first_limit[s]
        elif full.margin_mode == ISOLATED:
            quiet &= _has_margin(s, quantity, far, book, full)
    room.at_most[0], room.at_most[1] = held, largest
    return quiet and (full.margin_mode != CROSS or left > SLACK * (borrowed + held))


@hot
def _least(least: float, b: float, c: float, d: float) -> float:
    """Return the least of four prices; those after the first count only where they are known."""
    least = b if b < least else least
    least = c if c < least else least
    return d if d < least else least


@hot
def _is_clear_of_stops(
    s: int, quantity: float, near: float, far: float, stop_share: float, trailing_share: float,
    profit_share: float, book: Book, full: FullAccount,
) -> bool:  # fmt: skip
    """Tell whether prices stay more than a tick, by which levels are rounded, on this side of them.

    Of a position whose entry is not known yet, 0, they never do.
    """
    holding = book.holding[s]
    side = math.copysign(1.0, quantity)
    entry, tick = holding.entry, full.orders.tick[s]
    best = better_of(near, holding.best, side)
    stop = entry * (1.0 - side * stop_share)
    trail = best * (1.0 - side * trailing_share)
    target = max(entry * (1.0 + side * profit_share), 0.0)
    clear = (far - stop) * side > tick
    clear &= (far - trail) * side > tick
    clear &= (target - near) * side > tick
    return bool(clear)


@hot
def _share(fraction: float) -> float:
    """Return how far off a stop is; what is off is never met."""
    return fraction if fraction > 0.0 else math.inf


@hot
def _has_margin(s: int, quantity: float, far: float, book: Book, full: FullAccount) -> bool:
    """Tell whether an isolated position surely has margin left at its farthest price."""
    if not full.contract[s]:
        return True
    entry = book.holding[s].entry
    value = abs(quantity) * entry
    leverage = min(full.leverage[s], full.tier_leverage[s, 0])
    spare = (1.0 / leverage - full.tier_rate[s, 0] - SLACK) * value + full.tier_deduction[s, 0]
    return bool(0.0 < value <= full.tier_limit[s, 0] and spare + quantity * (far - entry) > 0.0)


@hot
def pass_quietly(i: int, book: Book, market: Market, full: FullAccount) -> None:
    """Note what a quiet bar leaves behind: best prices, marks, volumes and variances."""
    for s in range(len(book.quantity)):
        quantity = book.quantity[s]
        if full.orders.has_stops and quantity != 0.0:
            side = math.copysign(1.0, quantity)
            holding = book.holding[s]
            near = market.high[i, s] if side > 0.0 else market.low[i, s]
            holding.best = better_of(near, holding.best, side)
        book.mark[s] = market.close[i, s]
        note_bar(i, s, book, market)

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
from bot.portfolio.kernel.measured import note_bar
from bot.portfolio.kernel.stops import better_of
from bot.portfolio.market import Market
from bot.portfolio.rules import Rules

CROSS, ISOLATED = int(MarginMode.CROSS), int(MarginMode.ISOLATED)
SLACK = 1e-9
"""Share of what is held by which sums may miss one another through rounding."""


@hot
def is_quiet(i: int, book: Book, rules: Rules, market: Market, full: FullAccount) -> bool:
    """Tell whether a bar surely leaves orders, positions and margin as they are."""
    if full.has_inverse:
        return False
    # rows are taken once: the places of so many columns, each worked out anew, take half the time
    open_, high, low, close = market.open[i], market.high[i], market.low[i], market.close[i]
    mark, mark_high, mark_low = market.mark[i], market.mark_high[i], market.mark_low[i]
    inside, unknown = market.funding_inside[i], market.funding_inside_unknown[i]
    valid, settlement_price = market.valid[i], market.settlement_price[i]
    left: float = book.account[0].cash
    held = abs(left)
    # noted, and not returned at once: a branch for each would take longer than all of it
    quiet = True
    for s in range(len(book.quantity)):
        quiet &= (book.pending[s] == 0.0) & valid[s] & (not math.isfinite(settlement_price[s]))
        quantity = book.quantity[s]
        if quantity == 0.0:
            continue
        lowest = _least(low[s], open_[s], close[s], mark[s], mark_low[s])
        highest = -_least(-high[s], -open_[s], -close[s], -mark[s], -mark_high[s])
        quiet &= (inside[s] == 0.0) & (unknown[s] == 0.0)
        far = lowest if quantity > 0.0 else highest
        if full.orders.has_stops:
            near = highest if quantity > 0.0 else lowest
            quiet &= _is_clear_of_stops(s, quantity, near, far, book, full)
        if full.margin_mode == CROSS:
            value = abs(quantity) * highest
            need = (full.tier_rate[s, 0] + rules.taker_fee[s]) * abs(quantity) * far
            left += quantity * far - need + full.tier_deduction[s, 0]
            held += value
            quiet &= value <= full.tier_limit[s, 0]
        elif full.margin_mode == ISOLATED:
            quiet &= _has_margin(s, quantity, far, book, full)
    return quiet and (full.margin_mode != CROSS or left > SLACK * held)


@hot
def _least(least: float, b: float, c: float, d: float, e: float) -> float:
    """Return the least of five prices; those after the first count only where they are known."""
    least = b if b < least else least
    least = c if c < least else least
    least = d if d < least else least
    return e if e < least else least


@hot
def _is_clear_of_stops(
    s: int, quantity: float, near: float, far: float, book: Book, full: FullAccount
) -> bool:
    """Tell whether prices stay more than a tick, by which levels are rounded, on this side of them.

    Of a position whose entry is not known yet, 0, they never do.
    """
    orders, holding = full.orders, book.holding[s]
    side = math.copysign(1.0, quantity)
    entry, tick = holding.entry, orders.tick[s]
    best = better_of(near, holding.best, side)
    stop = entry * (1.0 - side * _share(orders.stop_loss))
    trail = best * (1.0 - side * _share(orders.trailing_stop))
    target = max(entry * (1.0 + side * _share(orders.take_profit)), 0.0)
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

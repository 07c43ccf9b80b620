"""A bar read well: where a stop would cost more than the margin that was gone before it.

Read well, marks go straight to the close, while a stop is met where the candle reaches it, for it was traded
there. A stop beyond the mark at which the margin is used up may then lose more than a liquidation does, though
the marks may have come by as well; what it came to at best is the liquidation. Must not be asked read badly.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.compiling import cold
from bot.portfolio.kernel.contracts import (
    has_worth,
    made_of,
    own_price,
    own_value_of,
    value_of,
    worth_of,
)
from bot.portfolio.kernel.margin import (
    CROSS,
    ISOLATED,
    is_used_up,
    liquidate_isolated,
    mark_on_path,
    set_aside,
    take_account,
)
from bot.portfolio.market import Market
from bot.portfolio.rules import Rules
from bot.portfolio.ticks import on_tick
from bot.portfolio.trace import Trace


@cold
def costs_more_than_margin(
    i: int, s: int, way: float, price: float, book: Book, rules: Rules, market: Market,
    full: FullAccount,
) -> bool:  # fmt: skip
    """Tell whether a stop at a price loses more than the liquidation that may have come before it.

    With spread, slippage, tick and fee; its impact, which its size decides, is left out.

    Args:
        way: at which the stop is met, 0 to 1 on the adverse side.
    """
    if not is_used_up(i, s, -way, book, rules, market, full):
        return False
    quantity = book.quantity[s]
    side = math.copysign(1.0, quantity)
    sold = price * (1.0 - side * rules.half_spread) * (1.0 - side * rules.slippage)
    sold = on_tick(sold, -side, full.orders.tick[s])
    fee = rules.taker_fee[s] * abs(value_of(s, quantity, sold, full))
    if full.margin_mode == ISOLATED:
        entry = book.holding[s].entry
        lost = set_aside(s, quantity, own_value_of(s, quantity, entry, full), rules, full)
        made = made_of(s, quantity, entry, sold, full) - fee / own_price(s, sold, full)
        return bool(made < -lost)
    left: float = book.account[0].cash - fee
    for o in range(len(book.quantity)):
        if has_worth(o, book, full):
            at = sold if o == s else mark_on_path(i, o, way, book, market, full)
            left += worth_of(o, at, book, full)
    return left < 0.0


@cold
def take_over(
    i: int, s: int, way: float, book: Book, rules: Rules, market: Market, trace: Trace,
    count: int, full: FullAccount,
) -> int:  # fmt: skip
    """Liquidate instead of the stop, and return the number of fills."""
    if full.margin_mode == CROSS:
        return take_account(i, -way, book, market, trace, count, full)
    return liquidate_isolated(i, s, -way, book, rules, market, trace, count, full)

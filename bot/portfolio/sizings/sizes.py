"""The size of a position, whichever sizing is in force.

Rules: a size is a weight, 0 or more, before the caps; NaN where it cannot be known, with the refusal.
Must not know caps, steps or orders.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.asked import SchemeCall
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.room import Room
from bot.portfolio.market import Market
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import Rules, SizingMethod
from bot.portfolio.sizings.account import is_known, lay_out
from bot.portfolio.sizings.fixed import fixed_size
from bot.portfolio.sizings.kelly import kelly_size
from bot.portfolio.sizings.mean_variance import mean_variance_sizes
from bot.portfolio.sizings.proportional import proportional_size
from bot.portfolio.sizings.volatility_target import volatility_target_sizes
from bot.portfolio.trace import Trace

FIXED, PROPORTIONAL = int(SizingMethod.FIXED), int(SizingMethod.PROPORTIONAL)
KELLY, VOLATILITY_TARGET = int(SizingMethod.KELLY), int(SizingMethod.VOLATILITY_TARGET)
ACCEPTED, NO_VOLATILITY = int(Refusal.NONE), int(Refusal.NO_VOLATILITY)
CALIBRATING, EDGE_BELOW_COST = int(Refusal.CALIBRATING), int(Refusal.EDGE_BELOW_COST)


@cold
def size_account(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, room: Room,
    scheme: SchemeCall, full: FullAccount | None,
) -> None:  # fmt: skip
    """Size all symbols of a close at once, for `size_of` to tell."""
    lay_out(i, book, rules, market, trace, room, full)
    if rules.method == VOLATILITY_TARGET:
        volatility_target_sizes(rules, room)
    else:
        mean_variance_sizes(i, book, rules, market, trace, room, scheme, full)


@hot
def size_of(
    i: int, s: int, side: float, rules: Rules, market: Market, trace: Trace, room: Room
) -> tuple[float, int]:
    """Return the size of a position on this side, and what is refused."""
    if rules.method == FIXED:  # the default, inlined; the others are called
        return fixed_size(rules) * abs(side), ACCEPTED
    return _size_of_others(i, s, side, rules, market, trace, room)


@cold
def _size_of_others(
    i: int, s: int, side: float, rules: Rules, market: Market, trace: Trace, room: Room
) -> tuple[float, int]:
    if rules.sizes_account:
        if not is_known(market.volatility[i, s]):
            return math.nan, NO_VOLATILITY
        if rules.is_calibrated and math.isnan(room.size[s]):
            return math.nan, CALIBRATING
        return room.size[s], ACCEPTED
    return own_size(i, s, side, rules, market, trace)


@hot
def own_size(
    i: int, s: int, side: float, rules: Rules, market: Market, trace: Trace
) -> tuple[float, int]:
    """Return the size that a symbol has by itself, and what is refused.

    Of a sizing of the whole account, which knows none, that of `fixed`.
    """
    if rules.method == FIXED or rules.sizes_account:
        return fixed_size(rules) * abs(side), ACCEPTED
    volatility = market.volatility[i, s]
    if not is_known(volatility):
        return math.nan, NO_VOLATILITY
    if rules.method == PROPORTIONAL:
        return proportional_size(market.signal[i, s], volatility, rules) * abs(side), ACCEPTED
    edge = trace.edge[i, s]
    if math.isnan(edge):
        return math.nan, CALIBRATING
    size = kelly_size(edge * math.copysign(1.0, side), volatility, rules) * abs(side)
    return size, (ACCEPTED if size > 0.0 else EDGE_BELOW_COST)


@hot
def is_worth_a_trade(weight: float, held: float, value: float, equity: float, rules: Rules) -> bool:
    """Tell whether the weight differs enough from what is held and pending, and its value."""
    if rules.method == FIXED or weight == 0.0:
        return (weight > 0.0) != (held > 0.0) or (weight < 0.0) != (held < 0.0)
    return abs(weight * equity - value) > rules.band * equity

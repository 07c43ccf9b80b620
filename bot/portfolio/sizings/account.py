"""What sizings of the whole account work with: who is sized, what stands, and the covariance.

Sized are the symbols of which the policy wants a side at this close and of which enough is known.
All else stands: a position that is kept, one not decided on, and none where one is to be closed.
A position that stands without a forecast counts with its measured volatility.

Must not know how weights are found.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.correlation import correlation_between, measured_deviation
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.contracts import value_of
from bot.portfolio.kernel.room import Room
from bot.portfolio.market import Market
from bot.portfolio.policies.sides import is_decided, side_wanted
from bot.portfolio.rules import Rules, SizingMethod
from bot.portfolio.trace import Trace

MEAN_VARIANCE = int(SizingMethod.MEAN_VARIANCE)


LEAST_VOLATILITY = 1e-12
"""Of a bar: what is less is no forecast, and nothing can be divided by it."""


@hot
def is_known(volatility: float) -> bool:
    """Tell whether a size may rest on this volatility."""
    return LEAST_VOLATILITY < volatility < math.inf


@cold
def lay_out(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, room: Room,
    full: FullAccount | None,
) -> None:  # fmt: skip
    """Write the symbols' sides, positions and covariance into the room."""
    for s in range(len(book.quantity)):
        held = book.quantity[s] + book.pending[s]
        weight = 0.0
        if held != 0.0:
            weight = value_of(s, held, book.mark[s], full) / book.account[0].equity
        known = is_known(market.volatility[i, s])
        side = 0.0
        stands = weight
        if not room.kept[s] and is_decided(i, s, rules, market, room.side):
            side = side_wanted(i, s, rules, market, room.side)
            if side == 0.0 or (side < 0.0 and not rules.allow_short[s]):
                side = 0.0
                stands = 0.0
            elif not known or (rules.method == MEAN_VARIANCE and math.isnan(trace.edge[i, s])):
                side = 0.0
            else:
                stands = 0.0
        room.sized[s] = side
        room.position[s] = weight
        room.standing[s] = stands
        if known:
            room.deviation[s] = market.volatility[i, s] / rules.usual_deviation
        else:
            room.deviation[s] = measured_deviation(book.correlation, s)
    for s in range(len(book.quantity)):
        for t in range(len(book.quantity)):
            room.covariance[s, t] = (
                correlation_between(book.correlation, s, t) * room.deviation[s] * room.deviation[t]
            )

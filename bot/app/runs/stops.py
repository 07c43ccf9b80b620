"""Where the positions of an account are stopped and take profit, as the kernel works it out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bot.portfolio.book import Book
from bot.portfolio.kernel.stops import stop_level, target_of
from bot.portfolio.reasons import FILL_REASON
from bot.portfolio.rules import Rules


@dataclass(frozen=True)
class StopPrice:
    """A price at which a position is closed; `kind` is the reason that the fill will have."""

    symbol: str
    kind: str
    price: float


def stops_of(book: Book, rules: Rules, symbols: Sequence[str]) -> tuple[StopPrice, ...]:
    """Return the prices at which positions are closed; none where the run has no stops."""
    full = rules.full
    if full is None or not full.orders.has_stops:
        return ()
    found = []
    for s, symbol in enumerate(symbols):
        quantity, holding = float(book.quantity[s]), book.holding[s]
        if quantity == 0.0:
            continue
        side = math.copysign(1.0, quantity)
        level, reason = stop_level(s, side, holding, full.orders)
        target = target_of(s, side, float(holding["entry"]), full.orders)
        if not math.isnan(level):
            found.append(StopPrice(symbol, FILL_REASON[int(reason)], float(level)))
        if not math.isnan(target):
            found.append(StopPrice(symbol, "take_profit", float(target)))
    return tuple(found)

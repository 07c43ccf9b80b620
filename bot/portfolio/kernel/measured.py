"""What the account has measured of each symbol up to the last close: volume and variance of a bar.

Rule: it depends on bars only, also on those before the first trade.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.kernel.compiling import hot
from bot.portfolio.market import Market

DECAY = 0.94
"""How much less the variance weighs a bar than the next (RiskMetrics, J.P. Morgan 1996)."""


@hot
def note_bar(i: int, s: int, book: Book, market: Market) -> None:
    """Take in a bar that has closed: its volume, where that is known, and its return from the open."""
    holding = book.holding[s]
    if math.isfinite(market.volume[i, s]):
        holding.volume = market.volume[i, s]
    change = min(abs(market.close[i, s] / market.open[i, s] - 1.0), 1.0)
    before = holding.variance if holding.variance > 0.0 else change * change
    holding.variance = DECAY * before + (1.0 - DECAY) * change * change

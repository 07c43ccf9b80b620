"""Market impact: an order moves the price by the square root of its share of the volume.

An order of q moves the price by Y sigma sqrt(q / V), with sigma the deviation of a bar's return and V
its volume; as both grow with the length of a bar, the law is the same for any interval. On the way
there an order pays two thirds of that on average; all of it is charged here.

Sources: R. Almgren, C. Thum, E. Hauptmann, H. Li, "Direct estimation of equity market impact" (2005);
B. Tóth et al., "Anomalous price impact and the critical nature of liquidity in financial markets",
Physical Review X 1 (2011), with Y of the order of 1.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.compiling import cold


@cold
def impact_of(s: int, quantity: float, book: Book, full: FullAccount) -> float:
    """Return by which fraction an order moves the price, from what was measured up to the last close.

    What exceeds the participation is filled by later bars, each with its own impact. Where no volume
    is known, the order is taken to be as much as may be traded of one.
    """
    orders = full.orders
    holding = book.holding[s]
    most = orders.max_participation if orders.max_participation > 0.0 else math.inf
    share = min(most, 1.0)
    if holding.volume > 0.0:
        share = min(abs(quantity) / holding.volume, most)
    moved: float = orders.impact * math.sqrt(holding.variance * share)
    return moved

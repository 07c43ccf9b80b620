"""Prices on the tick of an instrument, rounded against the account: bought higher, sold lower.

Rule: a price that lies on the tick but for rounding is left as it is.
"""

from __future__ import annotations

import numpy as np

from bot.portfolio.kernel.compiling import hot

TICK_SLACK = 1e-6
"""Share of a tick by which a price may miss it through rounding."""


@hot
def on_tick(price: float, side: float, tick: float) -> float:
    """Return the price on the tick, at least one tick; unchanged where no tick is known.

    Args:
        side: 1 bought, -1 sold.
        tick: 0 where there is none.
    """
    if tick == 0.0:
        return price
    ticks = price / tick
    whole = np.ceil(ticks - TICK_SLACK) if side > 0.0 else np.floor(ticks + TICK_SLACK)
    if abs(ticks - whole) <= TICK_SLACK and whole > 0.0:
        return price
    return price_of(max(whole, 1.0), tick)


@hot
def price_of(ticks: float, tick: float) -> float:
    """Return the price of so many ticks; of a tick like 0.1, the decimal number that it is."""
    in_one = np.rint(1.0 / tick)
    price: float = ticks * tick
    if in_one >= 1.0 and abs(in_one * tick - 1.0) <= 1e-12:
        price = ticks / in_one
    return price

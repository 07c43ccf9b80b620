"""What funding is charged on, and each symbol's part of it.

Rules: a settlement at a bar's open is charged on the mark price, else on the bar's open, else on the
last close; those inside a bar carry their prices in `BarBlock.funding_inside`. The kernel charges by
the same rules one bar at a time; here they are for whole blocks, for reports and for whoever builds
blocks. Must not decide what is due.
"""

from __future__ import annotations

import numpy as np

from bot.blocks import F64, BarBlock, Bool
from bot.timegrid import last_closes


def price_at_open(bars: BarBlock, before: F64) -> F64:
    """Return float64[n, S], what a settlement at each bar's open is charged on.

    Args:
        before: float64[S], the last valid close before the first bar; NaN for none.
    """
    own = np.where(bars.valid, bars.open, last_closes(bars, before)[:-1])
    return np.where(np.isfinite(bars.mark), bars.mark, own)


def funding_paid(
    bars: BarBlock, held_at_open: F64, held_inside: F64, before: F64, inverse: Bool | None = None
) -> F64:
    """Return float64[n, S], the funding that positions paid; what is not known charged nothing.

    Args:
        held_at_open: float64[n, S], held when the bar opened, before its fills.
        held_inside: float64[n, S], held after the fills of the open.
        before: float64[S], the last valid close before the first bar; NaN for none.
        inverse: bool[S], which symbols are held in contracts: paid in coin, told in the quote currency.
    """
    due = np.where(np.isfinite(bars.funding_rate), bars.funding_rate, 0.0)
    charged = (held_at_open != 0.0) & (due != 0.0)
    price = price_at_open(bars, before)
    inside = held_inside * bars.funding_inside
    if inverse is not None and inverse.any():
        inside = np.where(inverse & (inside != 0.0), inside / price, inside)
        price = np.where(inverse, 1.0, price)
    return np.where(charged, held_at_open * price * due, 0.0) + inside


def funding_unknown(bars: BarBlock, held_at_open: F64, held_inside: F64) -> F64:
    """Return float64[n, S], the settlements of positions held whose rate was not known."""
    at_open = np.isnan(bars.funding_rate) & (held_at_open != 0.0)
    inside = np.where(held_inside != 0.0, bars.funding_inside_unknown, 0.0)
    counts: F64 = at_open + inside
    return counts

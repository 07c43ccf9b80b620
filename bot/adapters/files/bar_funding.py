"""Laying settlements of funding on the bars in which they fall.

Rules: a settlement at a bar's open is that bar's `funding_rate`; one that falls between bars, where
the grid has a hole, is charged with the next bar's open, since nothing is filled in between; one
inside a longer bar is charged by itself, on the mark price of its own time where that is known, else
on what the bar knows. What settles and is not known is NaN at an open and counted inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bot.adapters.files.funding import Funding
from bot.blocks import F64, I64, BarBlock
from bot.portfolio.funding import price_at_open

Marks = tuple[I64, F64]
"""Times, forward, and the mark prices at them."""


def lay_funding(
    bars: BarBlock, settlements: Sequence[Funding], marks: Sequence[Marks], interval_ms: int,
    since_ms: int, before: F64,
) -> BarBlock:  # fmt: skip
    """Return the bars with their funding.

    Args:
        bars: with their mark prices.
        settlements: those of each symbol, NaN where the rate is not known.
        marks: mark prices of each symbol; more times than the bars' opens may be known.
        since_ms: the end of the bar before the first; what settles earlier is another bar's.
        before: float64[S], the last valid close before the first bar, NaN for none.
    """
    price = price_at_open(bars, before)
    rate, inside, unknown = (np.zeros(price.shape) for _ in range(3))
    for s, of_symbol in enumerate(settlements):
        times = of_symbol.time
        span = (times >= since_ms) & (times < int(bars.open_time[-1]) + interval_ms)
        times, rates = times[span], of_symbol.rate[span]
        bar = np.searchsorted(bars.open_time, times, side="right") - 1
        within = (
            (bar >= 0) & (times > bars.open_time[bar]) & (times < bars.open_time[bar] + interval_ms)
        )
        opens = np.searchsorted(bars.open_time, times[~within])
        np.add.at(rate[:, s], opens, rates[~within])
        bar = bar[within]
        paid = rates[within] * _prices(times[within], marks[s], price[bar, s])
        known = np.isfinite(paid)
        np.add.at(inside[:, s], bar[known], paid[known])
        np.add.at(unknown[:, s], bar[~known], 1.0)
    return replace(bars, funding_rate=rate, funding_inside=inside, funding_inside_unknown=unknown)


def _prices(times: I64, marks: Marks, otherwise: F64) -> F64:
    """Return the marks of exactly these times, and the other prices where there are none."""
    known, price = marks
    if len(known) == 0:
        return otherwise
    place = np.minimum(np.searchsorted(known, times), len(known) - 1)
    found = (known[place] == times) & np.isfinite(price[place])
    return np.where(found, price[place], otherwise)

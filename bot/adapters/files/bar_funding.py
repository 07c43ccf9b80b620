"""Laying settlements of funding on the bars in which they fall.

Rules: a settlement at a bar's open is that bar's `funding_rate`; one that falls between bars, where
the grid has a hole, is charged with the next bar's open, since nothing is filled in between; one
inside a longer bar is charged by itself, on the mark price of its own time where that is known, else
on what the bar knows. In a bar whose candle was refused, a mark price that goes with that candle
counts as not known: nothing is charged on a price that was not believed. What settles at a rate that
is not known is NaN at an open and counted inside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bot.adapters.files.funding import Funding
from bot.blocks import F64, I64, BarBlock, Bool
from bot.plausibility import jumps
from bot.portfolio.funding import price_at_open
from bot.timegrid import last_closes

Marks = tuple[I64, F64]
"""Times, forward, and the mark prices at them."""


def lay_funding(
    bars: BarBlock, settlements: Sequence[Funding], marks: Sequence[Marks], interval_ms: int,
    since_ms: int, before: F64, max_jump: float = math.inf, inverse: Bool | None = None,
) -> BarBlock:  # fmt: skip
    """Return the bars with their funding.

    Args:
        bars: with their mark prices.
        settlements: those of each symbol, NaN where the rate is not known.
        marks: mark prices of each symbol; more times than the bars' opens may be known.
        since_ms: the end of the bar before the first; what settles earlier is another bar's.
        before: float64[S], the last valid close before the first bar, NaN for none.
        max_jump: how far from the last close a mark price may be in a bar whose candle was refused.
        inverse: bool[S], which symbols are inverse contracts, whose funding is in coin; by default none.
    """
    price = price_at_open(bars, before)
    last, frozen = last_closes(bars, before)[:-1], np.isfinite(bars.refused)
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
        mark = _marks_at(times[within], marks[s])
        mark[frozen[bar, s] & jumps([mark], last[bar, s], max_jump)] = np.nan
        at = price[bar, s]
        own = np.where(np.isfinite(mark), mark, at)
        unit = at * at / own if inverse is not None and inverse[s] else own
        paid = rates[within] * unit
        known = np.isfinite(paid)
        np.add.at(inside[:, s], bar[known], paid[known])
        np.add.at(unknown[:, s], bar[~known], 1.0)
    return replace(bars, funding_rate=rate, funding_inside=inside, funding_inside_unknown=unknown)


def _marks_at(times: I64, marks: Marks) -> F64:
    """Return the marks of exactly these times, NaN where there are none."""
    known, price = marks
    if len(known) == 0:
        return np.full(len(times), np.nan)
    place = np.minimum(np.searchsorted(known, times), len(known) - 1)
    return np.where(known[place] == times, price[place], np.nan)

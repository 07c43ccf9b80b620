"""The settlements of funding that a block of bars stands for: times and rates.

Rules: one at a bar's open has the bar's own rate; those inside a bar, every eight hours, have the one
rate that charges in sum what `funding_inside` says. Must not decide what settles: the bars say it.
"""

from __future__ import annotations

import numpy as np

from bot.blocks import F64, I64, BarBlock
from bot.practice.synthetic import FUNDING_MS


def settlements(bars: BarBlock, interval_ms: int) -> tuple[I64, F64]:
    """Return times int64[k], forward, and rates float64[k] of a symbol's bars (S = 1)."""
    times: list[int] = []
    rates: list[float] = []
    price = np.where(np.isfinite(bars.mark), bars.mark, bars.open)[:, 0]
    for i, opened in enumerate(bars.open_time.tolist()):
        own = float(bars.funding_rate[i, 0])
        inside = range(opened + FUNDING_MS - opened % FUNDING_MS, opened + interval_ms, FUNDING_MS)
        paid = float(bars.funding_inside[i, 0])
        shared = paid / (len(inside) * price[i]) if paid and np.isfinite(price[i]) else own
        of_bar = [(opened, own), *((time, shared) for time in inside)]
        for time, rate in of_bar:
            if np.isfinite(rate) and rate != 0.0:
                times.append(time)
                rates.append(rate)
    return np.array(times, dtype=np.int64), np.array(rates)

"""Laying mark prices on bars: the one at a bar's open, and the extremes inside it.

Rules: mark prices may be of shorter intervals than the bars; the extremes of a bar are known where
each piece of it is, and nowhere else. What is not known is NaN. Must not decide what stands in for it.
"""

from __future__ import annotations

import numpy as np

from bot.adapters.files.candles import Candles
from bot.blocks import F64, I64


def lay_marks(
    open_time: I64, marks: Candles, step_ms: int, interval_ms: int
) -> tuple[F64, F64, F64]:
    """Return the mark price at each bar's open, and the highest and lowest inside it, float64[n] each.

    Args:
        open_time: int64[n] of the bars.
        marks: candles of the mark price, of `step_ms`.
        interval_ms: length of a bar.
    """
    opened, high, low = (np.full(len(open_time), np.nan) for _ in range(3))
    bar = np.searchsorted(open_time, marks.time, side="right") - 1
    within = (bar >= 0) & (marks.time < open_time[bar] + interval_ms)
    marks, bar = marks.only(within), bar[within]
    at_open = marks.time == open_time[bar]
    opened[bar[at_open]] = marks.column("open")[at_open]
    whole = np.bincount(bar, minlength=len(open_time)) * step_ms == interval_ms
    top, bottom = np.full(len(open_time), -np.inf), np.full(len(open_time), np.inf)
    with np.errstate(invalid="ignore"):  # one that was not believed is NaN, and its bar's too
        np.maximum.at(top, bar, marks.column("high"))
        np.minimum.at(bottom, bar, marks.column("low"))
    high[whole], low[whole] = top[whole], bottom[whole]
    return opened, high, low

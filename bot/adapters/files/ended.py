"""Data that end before the block does: where what is held of the symbol is settled.

Rules: data have ended where the file has no later bar; a hole is waited through, since trading goes on
behind it. Which of the two it is the file alone can say, as an exchange says that a symbol is delisted.
Settled is at the last close, once so many bars in session are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bot.blocks import F64, I64, BarBlock
from bot.timegrid import last_closes


def settles_at(
    last_ms: int, stop_ms: int, stale_bars: int, interval_ms: int, sessions: I64 | None
) -> int | None:
    """Return the open time of the bar in which a symbol settles; None where it does not.

    Args:
        last_ms: open time of its last bar.
        stop_ms: end of the last bar of all symbols.
        stale_bars: missing bars in session after which it is settled; 0: never.
        sessions: int64[k], open times of its venue's bars; None where all bars of the grid are.
    """
    if stale_bars == 0:
        return None
    if sessions is None:
        settles = last_ms + stale_bars * interval_ms
        return settles if settles < stop_ms else None
    later = sessions[sessions > last_ms]
    return int(later[stale_bars - 1]) if len(later) >= stale_bars else None


def with_settlements(bars: BarBlock, settle_ms: Sequence[int | None], before: F64) -> BarBlock:
    """Return the bars with the last close as the settlement price where symbols settle in them.

    Args:
        settle_ms: as `settles_at` says, of each symbol.
        before: float64[S], the last close before the bars, NaN where there was none.
    """
    here = [
        (int(np.searchsorted(bars.open_time, ms)), s)
        for s, ms in enumerate(settle_ms)
        if ms is not None and bars.open_time[0] <= ms <= bars.open_time[-1]
    ]
    if not here:
        return bars
    closes = last_closes(bars, before)
    price = bars.settlement_price.copy()
    for row, s in here:
        price[row, s] = closes[row, s]
    return replace(bars, settlement_price=price)

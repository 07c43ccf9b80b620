"""The realised variance of bars, from the closes of shorter candles inside them.

Rules: of a bar's pieces all but the last must be there, since the last one ends with the bar's own close;
a piece whose close lies outside the bar's low and high belongs to another price, and its bar is not
known. What is not known is NaN. Must not decide what stands in for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bot.adapters.files.candles import Candles
from bot.blocks import F64, I64, BarBlock


def inner_closes(open_time: I64, finer: Candles, step_ms: int, interval_ms: int) -> F64:
    """Return float64[n, pieces - 1], the closes of all pieces of each bar but the last; NaN: not there.

    Args:
        open_time: int64[n] of the bars.
        finer: candles of `step_ms`.
        interval_ms: length of a bar, a multiple of `step_ms`.
    """
    inner = np.full((len(open_time), interval_ms // step_ms - 1), np.nan)
    bar = np.searchsorted(open_time, finer.time, side="right") - 1
    piece, beside = np.divmod(finer.time - open_time[bar], step_ms)
    within = (bar >= 0) & (piece < inner.shape[1]) & (beside == 0)
    inner[bar[within], piece[within]] = finer.column("close")[within]
    return inner


def realised_variance(bars: BarBlock, s: int, inner: F64) -> F64:
    """Return float64[n], the squared log returns of a symbol's bars from open over `inner` to close, summed.

    That is the realised variance of Andersen & Bollerslev (1998), "Answering the Skeptics", eq. 7.
    """
    opened, high, low, close = (
        getattr(bars, name)[:, s, None] for name in ("open", "high", "low", "close")
    )
    with np.errstate(invalid="ignore"):
        believed = np.where((inner >= low) & (inner <= high), inner, np.nan)
        path = np.concatenate([opened, believed, close], axis=1)
        total: F64 = np.square(np.diff(np.log(path), axis=1)).sum(axis=1)
    return total


def with_realised(
    bars: BarBlock, finer: Sequence[Candles | None], step_ms: int, interval_ms: int
) -> BarBlock:
    """Return the bars with the realised variance of each symbol that has shorter candles.

    Args:
        finer: S of them, candles of `step_ms`; None leaves a symbol's variances as they are.
    """
    found = bars.realised_variance.copy()
    for s, candles in enumerate(finer):
        if candles is not None:
            inner = inner_closes(bars.open_time, candles, step_ms, interval_ms)
            found[:, s] = realised_variance(bars, s, inner)
    return replace(bars, realised_variance=found)

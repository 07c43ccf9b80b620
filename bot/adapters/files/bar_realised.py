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
from bot.errors import DataError
from bot.timestamps import format_utc

_SAME = 1e-9
_LEAST_BARS, _MOST = 10, 0.9
"""Of so many bars at least nearly all must say the same of the times of shorter candles."""


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


def with_realised(bars: BarBlock, inner: Sequence[F64 | None]) -> BarBlock:
    """Return the bars with the realised variance of each symbol that has shorter candles.

    Args:
        inner: S of them, `inner_closes`; None leaves a symbol's variances as they are.
    """
    found = bars.realised_variance.copy()
    for s, closes in enumerate(inner):
        if closes is not None:
            found[:, s] = realised_variance(bars, s, closes)
    return replace(bars, realised_variance=found)


def check_stamps(
    bars: BarBlock, s: int, finer: Candles, step_ms: int, interval_ms: int, where: str
) -> None:
    """Refuse shorter candles whose times are those of their ends.

    The last piece of a bar closes where the bar does. Where instead the candle stamped with the bar's end
    does, in nearly every bar, the times are ends, and every piece would count a step too late.

    Args:
        where: what an error calls the file.

    Raises:
        DataError: they are.
    """
    close = bars.close[:, s]
    by_open = close_at(finer, bars.open_time + interval_ms - step_ms)
    by_end = close_at(finer, bars.open_time + interval_ms)
    both = np.isfinite(close) & np.isfinite(by_open) & np.isfinite(by_end)
    met_by_end = np.isclose(by_end, close, rtol=_SAME, atol=0.0)[both]
    met_by_open = np.isclose(by_open, close, rtol=_SAME, atol=0.0)[both]
    n, ends = int(both.sum()), int(met_by_end.sum())
    if n >= _LEAST_BARS and ends >= _MOST * n and met_by_open.sum() <= 0.5 * n:
        first = int(bars.open_time[np.flatnonzero(both)[0]]) + interval_ms
        raise DataError(
            f"{where}: its times are those at which its candles end: in {ends} of {n} bars the candle of the "
            f"bar's end (first {format_utc(first)}) has the bar's close; write the times at which candles open"
        )


def close_at(candles: Candles, times: I64) -> F64:
    """Return float64[n], the closes of the candles of these times; NaN: not there."""
    found = np.full(len(times), np.nan)
    if len(candles):
        place = np.minimum(np.searchsorted(candles.time, times), len(candles) - 1)
        there = candles.time[place] == times
        found[there] = candles.column("close")[place[there]]
    return found

"""Arithmetic on the bar grid: names of intervals, gaps, closes carried over them, cutting blocks.

Rules: all times are int64 ms UTC and open times of bars. Knows no clock and no calendar library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from bot.blocks import F64, I64, BarBlock
from bot.errors import DataError

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
NO_LIMIT_MS = 2**62
"""Longer than any bar."""

INTERVAL_MS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
}
"""The intervals the bot knows, by the name used in files and settings."""


def floor_to_interval(time_ms: int, interval_ms: int) -> int:
    """Return the open time of the bar that contains `time_ms`.

    >>> floor_to_interval(3_600_001, HOUR_MS)
    3600000
    """
    return time_ms - time_ms % interval_ms


def gaps(open_time: I64, interval_ms: int) -> list[tuple[int, int]]:
    """Return (first missing open time, number of missing bars) of each gap.

    >>> gaps(np.array([0, 3_600_000, 14_400_000]), HOUR_MS)
    [(7200000, 2)]
    """
    steps = np.diff(open_time)
    return [
        (int(open_time[i]) + interval_ms, int(steps[i] // interval_ms) - 1)
        for i in np.flatnonzero(steps > interval_ms)
    ]


def last_closes(bars: BarBlock, before: F64) -> F64:
    """Return float64[n + 1, S]: the last valid close before each bar, and behind the last one.

    Args:
        before: float64[S], the last valid close before the first bar; NaN for none.
    """
    n, S = bars.close.shape
    known = np.vstack([before, np.where(bars.valid, bars.close, np.nan)])
    place = np.where(
        np.vstack([np.ones((1, S), np.bool_), bars.valid]), np.arange(n + 1)[:, None], 0
    )
    newest = np.maximum.accumulate(place, axis=0)
    closes: F64 = known[newest, np.arange(S)]
    return closes


SPAN_SYMBOL_BARS = 2**18
"""Of all symbols together: as much of long arrays is worked on at a time."""


def spans(n: int, width: int) -> Iterator[slice]:
    """Yield the spans of n rows, in order, that hold at most SPAN_SYMBOL_BARS values each of `width` a row.

    >>> [(each.start, each.stop) for each in spans(300_000, 2)]
    [(0, 131072), (131072, 262144), (262144, 300000)]
    """
    rows = max(1, SPAN_SYMBOL_BARS // max(width, 1))
    for start in range(0, n, rows):
        yield slice(start, min(start + rows, n))


def cut(blocks: Iterable[BarBlock], max_bars: int, ends: Iterable[int] = ()) -> Iterator[BarBlock]:
    """Cut blocks to at most `max_bars` bars, and after each bar whose open time is in `ends`.

    Raises:
        DataError: the open times do not increase from one bar to the next.
    """
    stops = set(ends)
    last: int | None = None
    for block in blocks:
        times = block.open_time
        if len(times) == 0:
            continue
        if (last is not None and times[0] <= last) or np.any(np.diff(times) <= 0):
            raise DataError(
                f"bars must move forward in time; near open time {int(times[0])} they do not"
            )
        last = int(times[-1])
        start = 0
        marks = [i + 1 for i, t in enumerate(times.tolist()) if t in stops] if stops else []
        for stop in [*marks, len(times)]:
            while start < stop:
                end = min(start + max_bars, stop)
                yield block.rows(start, end)
                start = end

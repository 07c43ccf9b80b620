"""Candles that are shorter than the bars, as the practice exchange answers them.

Rules: newest first, at most `MOST_ROWS`; what has not begun is not told, and the last may be forming.
"""

from __future__ import annotations

from typing import Protocol

from bot.practice.market import PracticeMarket
from bot.practice.queries import Query, RefusedRequest, whole
from bot.practice.wire import PERIODS, closed_candle
from bot.timegrid import MINUTE_MS

MOST_ROWS = 1000
"""More are never asked for at once."""


class FineRows(Protocol):
    """Rows of shorter candles of a symbol, as Bybit writes them."""

    def __call__(
        self, market: PracticeMarket, s: int, category: str, step: int, *, span_ms: tuple[int, int],
        now_ms: int,
    ) -> list[list[str]]:  # fmt: skip
        """Return those of `step` ms that open in a span, ends included."""
        ...


def finer_step(query: Query, market: PracticeMarket) -> int:
    """Return the length in ms of the shorter candles that are asked for, 0 where none are."""
    code = query.get("interval", "")
    step = int(code) * MINUTE_MS if code in PERIODS and code.isdecimal() else 0
    length = market.interval_ms
    return step if step and length % step == 0 and step < length else 0


def span_of(query: Query, now_ms: int) -> tuple[int, int]:
    """Return the times asked for, all where neither is given; raises RefusedRequest where one lacks."""
    start, end = whole(query, "start"), whole(query, "end")
    if start is None and end is None:
        return 0, now_ms
    if start is None or end is None:
        raise RefusedRequest("params error: start and end are required")
    return start, end


def fine_candles(
    market: PracticeMarket, s: int, category: str, step: int, *, span_ms: tuple[int, int],
    now_ms: int,
) -> list[list[str]]:  # fmt: skip
    """Return what was traded."""
    start, end = span_ms
    rows: list[list[str]] = []
    for bar in range(market.bar_at(min(end, now_ms)), max(market.bar_at(start), 0) - 1, -1):
        pieces = market.pieces(bar, s, step, now_ms)
        for i in range(len(pieces) - 1, -1, -1):
            candle = closed_candle(pieces, i, 0, category)
            if candle is not None and start <= candle.start <= end:
                rows.append(candle.row())
        if len(rows) >= MOST_ROWS:
            break
    return rows


def fine_marks(
    market: PracticeMarket, s: int, category: str, step: int, *, span_ms: tuple[int, int],
    now_ms: int,
) -> list[list[str]]:  # fmt: skip
    """Return the mark prices: the first has the bar's extremes, all its open."""
    start, end = span_ms
    rows: list[list[str]] = []
    for time in range(min(end, now_ms) // step * step, start - 1, -step)[:MOST_ROWS]:
        bar = market.bar_at(time)
        block = market.block(bar, 1, s) if bar >= 0 else None
        candle = block and closed_candle(block, 0, 0, category, mark=True)
        if candle:
            first = time == market.open_time(bar)
            extremes = [candle.high, candle.low] if first else [candle.open] * 2
            rows.append([str(time), candle.open, *extremes, candle.open])
    return rows

"""Shorter candles of a back-fill are asked for a few bars at a time, and only their closes are kept."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any, cast

import numpy as np

from bot.adapters.exchange import Exchange, Klines
from bot.adapters.files.candles import COLUMNS, Candles
from bot.app.live.backfill import PIECES_AT_ONCE, fetch_bars
from bot.blocks import F64, I64
from bot.timegrid import DAY_MS, MINUTE_MS

START = 1_704_067_200_000
DAYS = 200
PIECES = DAY_MS // MINUTE_MS


def closes(times: I64) -> F64:
    """Return what a piece that opens then closes at: a path without any memory of its own."""
    minute = (times - START) // MINUTE_MS
    found: F64 = 100.0 * np.exp(0.02 * np.sin(minute / 701.0) + 1e-3 * np.cos(1.7 * minute))
    return found


def candles_of(opened: F64, high: F64, low: F64, close: F64, times: I64) -> Candles:
    values = {
        "open": opened,
        "high": high,
        "low": low,
        "close": close,
        "volume": np.ones(len(times)),
    }
    columns = [values.get(name, np.full(len(times), np.nan)) for name in COLUMNS]
    return Candles(times, np.stack(columns, axis=1))


class Market:
    """An exchange that has every minute of the days, and counts what it is asked for at once."""

    def __init__(self) -> None:
        self.most = self.asked = 0

    async def klines(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Klines:
        del symbol
        step = {"1m": MINUTE_MS, "1d": DAY_MS}[interval]
        times = np.arange(start_ms, end_ms + 1, step, dtype=np.int64)
        if interval == "1m":
            self.most, self.asked = max(self.most, len(times)), self.asked + len(times)
            close, opened = closes(times), closes(times - MINUTE_MS)
            high, low = np.maximum(opened, close), np.minimum(opened, close)
        else:
            inside = closes(times[:, None] + MINUTE_MS * np.arange(-1, PIECES))
            opened, close = inside[:, 0], inside[:, -1]
            high, low = inside.max(axis=1), inside.min(axis=1)
        told = candles_of(opened, high, low, close, times)
        return Klines(told, END, Candles.empty())


END = START + DAYS * DAY_MS


def fetched(market: Market) -> Any:
    return asyncio.run(
        fetch_bars(
            cast(Exchange, market), ("BTCUSDT",), "bybit_spot", interval="1d", interval_ms=DAY_MS,
            first_ms=START, last_ms=END - DAY_MS, unlisted=lambda symbol, error: None, finer="1m",
        )
    )  # fmt: skip


def test_minutes_of_days_are_asked_for_in_parts_and_give_their_variance() -> None:
    market = Market()
    bars = fetched(market)
    path = closes(START + MINUTE_MS * np.arange(-1, DAYS * PIECES))
    squared = np.square(np.diff(np.log(path))).reshape(DAYS, PIECES)
    np.testing.assert_allclose(bars.realised_variance[:, 0], squared.sum(axis=1), rtol=1e-9)
    assert market.asked == DAYS * PIECES
    assert market.most <= PIECES_AT_ONCE


def test_what_is_kept_of_a_minute_is_its_close() -> None:
    """A candle takes 64 bytes, and all of them would be in memory at once with their copies."""
    fetched(Market())
    tracemalloc.start()
    fetched(Market())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * DAYS * PIECES

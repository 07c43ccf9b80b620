"""Grow a file of Yahoo's daily bars.

Rule: a split changes all past prices of a stock; where the last known close has changed, the whole
file is fetched anew, so that two scales never stand in one file.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bot.adapters.files.candle_files import read_candles, write_candles
from bot.adapters.files.candles import Candles
from bot.adapters.files.data_root import DataRoot, Series
from bot.adapters.yahoo import Download, daily_candles
from bot.app.history.progress import ASKED_FROM, Fetched, asked_from
from bot.errors import ConfigError, ExchangeError
from bot.timegrid import DAY_MS

_SPLIT = 1e-3
"""Relative change of a past close that only a split explains."""


def fetch_daily(
    where: DataRoot, series: Series, span_ms: tuple[int, int], now_ms: int, download: Download
) -> Fetched:
    """Fetch what a symbol's file lacks of the finished days in first..last of `span_ms`.

    Raises:
        ConfigError: the interval is not daily, or yfinance is not installed.
        ExchangeError: Yahoo is out of reach, or gives less than the file has.
    """
    if series.interval != "1d":
        raise ConfigError(
            f"market.interval = '{series.interval}': Yahoo's bars are fetched daily only; set '1d'"
        )

    start_ms, end_ms = span_ms

    def ask(first_ms: int) -> Candles:
        return daily_candles(series.symbol, first_ms, end_ms, now_ms, download)

    path = where.candles_to_write(series)
    if not path.is_file():
        present, merged, oldest_ms = Candles.empty(), ask(start_ms), start_ms
    else:
        present = read_candles(path, series.interval)
        asked_ms = asked_from(path, int(present.time[0]))
        oldest_ms = min(start_ms, asked_ms)
        end_ms = max(end_ms, int(present.time[-1]))
        whole = start_ms < asked_ms
        longer = None if whole else _continued(present, ask, min(end_ms, now_ms - DAY_MS))
        merged = ask(oldest_ms) if longer is None else longer
    new_rows = len(merged) - len(present)
    if new_rows < 0:
        raise ExchangeError(
            f"Yahoo {series.symbol}: gives {-new_rows} days fewer than {path} has; try again "
            "later, or delete the file"
        )
    if new_rows or not np.array_equal(merged.values, present.values, equal_nan=True):
        write_candles(path, merged.frame(), {ASKED_FROM: str(oldest_ms)})
    return Fetched(series.symbol, "candles", path, len(merged), new_rows)


def _continued(present: Candles, ask: Callable[[int], Candles], finished_ms: int) -> Candles | None:
    """Return the candles with the days since; None where a split has changed the past."""
    last_ms = int(present.time[-1])
    if finished_ms - finished_ms % DAY_MS <= last_ms:
        return present
    recent = ask(last_ms)
    if len(recent) == 0 or recent.time[0] != last_ms:
        return None
    before, now = present.column("close")[-1], recent.column("close")[0]
    if abs(now / before - 1.0) > _SPLIT:
        return None
    return Candles.concat([present, recent.rows(1)])

"""Daily candles from Yahoo through yfinance, an optional extra.

Rules: prices adjusted for splits, not for dividends (`auto_adjust=False`); a candle's time is
midnight UTC of its date; a day that is not over, and a day without a price, is left out. Must not
write files.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from bot.adapters.files.candles import Candles
from bot.errors import DataError, ExchangeError, extra_needed
from bot.timegrid import DAY_MS

Download = Callable[[str, str, str], pd.DataFrame]
"""(symbol, first day, day after the last) to a table by date: Open, High, Low, Close, Volume."""


def download_table(symbol: str, first_day: str, stop_day: str) -> pd.DataFrame:
    """Ask Yahoo for the daily bars of a symbol.

    Raises:
        ConfigError: yfinance is not installed.
        ExchangeError: Yahoo is out of reach or refuses.
    """
    try:
        import yfinance
        from yfinance.exceptions import YFException
    except ImportError:
        raise extra_needed(
            "market.venue: 'us' and 'yahoo' are downloaded with yfinance, which is not installed",
            "yahoo",
        ) from None
    try:
        table: pd.DataFrame = yfinance.Ticker(symbol).history(
            start=first_day, end=stop_day, interval="1d", auto_adjust=False, actions=False
        )
    except (YFException, OSError, ValueError, KeyError, TypeError) as error:
        raise ExchangeError(f"Yahoo {symbol}: {error}; try again later") from None
    return table


def daily_candles(
    symbol: str,
    start_ms: int,
    end_ms: int,
    now_ms: int,
    download: Download = download_table,
) -> Candles:
    """Return the finished daily candles whose date lies in start..end, inclusive.

    Args:
        symbol: Yahoo's name, for example AAPL or BTC-USD.
        start_ms, end_ms, now_ms: ms UTC.
        download: asks Yahoo.

    Raises:
        ConfigError, ExchangeError: as `download_table`.
        DataError: the table lacks a column.
    """
    first = -(-start_ms // DAY_MS) * DAY_MS
    last = min(end_ms // DAY_MS * DAY_MS, (now_ms // DAY_MS - 1) * DAY_MS)
    if first > last:
        return Candles.empty()
    table = download(symbol, _day(first), _day(last + DAY_MS))
    if len(table) == 0:
        return Candles.empty()
    columns = ["Open", "High", "Low", "Close", "Volume"]
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise DataError(f"Yahoo {symbol}: the table has no {', '.join(missing)}; update yfinance")
    dates = pd.DatetimeIndex(table.index).tz_localize(None).normalize()
    frame = table[columns].rename(columns=str.lower).reset_index(drop=True)
    frame["timestamp"] = dates.to_numpy().astype("datetime64[ms]").astype(np.int64)
    frame = frame.dropna(subset=["open", "high", "low", "close"]).fillna({"volume": 0.0})
    return Candles.of_frame(frame[frame["timestamp"].between(first, last)])


def _day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from bot.adapters.yahoo import daily_candles, download_table
from bot.errors import ConfigError, DataError
from bot.timestamps import format_utc, parse_utc


def day(text: str) -> int:
    ms = parse_utc(text, "test")
    assert ms is not None
    return ms


def table_of(first: str, stop: str, zone: str | None = "America/New_York") -> pd.DataFrame:
    index = pd.date_range(first, stop, freq="B", inclusive="left", tz=zone, name="Date")
    close = 100.0 + np.arange(len(index))
    columns = {"Open": close, "High": close + 1, "Low": close - 1, "Close": close}
    return pd.DataFrame({**columns, "Adj Close": close / 2, "Volume": 1000}, index=index)


def test_days_are_dated_where_the_exchange_is() -> None:
    asked: list[tuple[str, str, str]] = []

    def download(symbol: str, first: str, stop: str) -> pd.DataFrame:
        asked.append((symbol, first, stop))
        return table_of(first, stop)

    got = daily_candles("AAPL", day("2024-07-01"), day("2024-07-05"), day("2025-01-01"), download)
    assert asked == [("AAPL", "2024-07-01", "2024-07-06")]
    assert [format_utc(int(t))[:10] for t in got.time] == [f"2024-07-0{d}" for d in range(1, 6)]
    assert got.column("close").tolist() == [100.0, 101.0, 102.0, 103.0, 104.0]


def test_an_unfinished_day_and_a_day_without_a_price_are_left_out() -> None:
    def download(symbol: str, first: str, stop: str) -> pd.DataFrame:
        table = table_of(first, "2024-07-10")
        table.iloc[1, :] = np.nan
        return table

    now = day("2024-07-04") + 15 * 3_600_000
    got = daily_candles("AAPL", day("2024-07-01"), now, now, download)
    assert [format_utc(int(t))[:10] for t in got.time] == ["2024-07-01", "2024-07-03"]
    assert len(daily_candles("AAPL", now, now, now, download)) == 0


def test_nothing_and_nonsense() -> None:
    span = (day("2024-07-01"), day("2024-07-05"), day("2025-01-01"))
    assert len(daily_candles("NOPE", *span, lambda *_: pd.DataFrame())) == 0
    with pytest.raises(DataError, match="the table has no Volume; update yfinance"):
        daily_candles(
            "AAPL",
            *span,
            lambda *_: table_of("2024-07-01", "2024-07-05")[["Open", "High", "Low", "Close"]],
        )


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yfinance", None)
    with pytest.raises(ConfigError, match=r"the extra 'yahoo'.*-e '\.\[yahoo\]'"):
        download_table("AAPL", "2024-01-01", "2024-01-02")

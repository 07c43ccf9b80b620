from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.files.candle_files import read_candles
from bot.adapters.files.tables import read_table
from bot.errors import DataError
from bot.timestamps import format_utc

PLAIN = """timestamp,open,high,low,close,volume
1704067200000,1.0,3.0,0.5,2.0,10
1704070800000,2.0,3.0,1.5,2.5,0
"""
YAHOO = """Date,Open,High,Low,Close,Adj Close,Volume
2024-01-02,187.15,188.44,183.89,185.64,184.53,82488700
2024-01-03,184.22,185.88,183.43,184.25,183.15,58414500
"""
YAHOO_ROWS = """Price,Adj Close,Close,High,Low,Open,Volume
Ticker,AAPL,AAPL,AAPL,AAPL,AAPL,AAPL
Date,,,,,,
2024-01-02,184.53,185.64,188.44,183.89,187.15,82488700
2024-01-03,183.15,184.25,185.88,183.43,184.22,58414500
"""
YAHOO_HISTORY = """Date,Open,High,Low,Close,Volume,Dividends,Stock Splits
2024-01-02 00:00:00-05:00,187.15,188.44,183.89,185.64,82488700,0.0,0.0
2024-01-03 00:00:00-05:00,184.22,185.88,183.43,184.25,58414500,0.0,0.0
"""


def write(folder: Path, text: str, name: str = "us_AAPL_1d.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_plain_csv_in_every_spelling_of_time(tmp_path: Path) -> None:
    name = "x_BTCUSDT_1h.csv"
    expected = read_candles(write(tmp_path, PLAIN, name), "1h")
    assert expected.column("volume").tolist() == [10.0, 0.0]
    assert np.isnan(expected.column("turnover")).all()
    seconds = PLAIN.replace("00000,", "00,")
    iso = PLAIN.replace("1704067200000", "2024-01-01").replace("1704070800000", "2024-01-01T01:00Z")
    for text in (seconds, iso, PLAIN + "\n\n", PLAIN.upper(), "\ufeff" + PLAIN):
        got = read_candles(write(tmp_path, text, name), "1h")
        assert np.array_equal(got.time, expected.time)
        assert np.array_equal(got.values, expected.values, equal_nan=True)


@pytest.mark.parametrize("text", [YAHOO, YAHOO_ROWS, YAHOO_HISTORY])
def test_what_yfinance_exports(tmp_path: Path, text: str) -> None:
    candles = read_candles(write(tmp_path, text), "1d")
    assert [format_utc(int(t)) for t in candles.time] == ["2024-01-02 00:00", "2024-01-03 00:00"]
    assert candles.column("close").tolist() == [185.64, 184.25]
    assert candles.column("open").tolist() == [187.15, 184.22]
    assert candles.column("volume").tolist() == [82488700.0, 58414500.0]


@given(st.lists(st.floats(1e-8, 1e12), min_size=1, max_size=30))
def test_numbers_are_read_exactly(
    tmp_path_factory: pytest.TempPathFactory, prices: list[float]
) -> None:
    rows = [
        f"{i * 3_600_000 + 1704067200000},{p!r},{p!r},{p!r},{p!r},1" for i, p in enumerate(prices)
    ]
    text = "\n".join(["timestamp,open,high,low,close,volume", *rows])
    path = write(tmp_path_factory.mktemp("exact"), text, "x_A_1h.csv")
    assert read_candles(path, "1h").column("close").tolist() == prices


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLAIN.replace("2.5", "2,5"), "not a readable CSV"),
        (PLAIN.replace("2.5", "abc"), r"line 3: close is 'abc', expected a number"),
        (PLAIN.replace("2.5", ""), r"line 3: close is nan, expected a positive number"),
        (PLAIN.replace("1704070800000", "soon"), r"line 3: 'soon' is no time"),
        (
            PLAIN.replace("1704070800000", "1704067200000"),
            r"line 3: a second row at .* than line 2",
        ),
        (PLAIN.replace("volume", "amount"), "no column volume; .* found timestamp,open"),
        (PLAIN.replace("volume", "Close"), "column 'close' stands there twice"),
        ("timestamp,open,high,low,close,volume\n", "has no rows"),
        ("", "not a readable CSV"),
        (YAHOO_ROWS.replace("AAPL,AAPL\n", "AAPL,MSFT\n"), r"several tickers \(AAPL, MSFT\)"),
    ],
)
def test_faults_are_named_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text, "x_BTCUSDT_1h.csv")
    with pytest.raises(DataError, match=message) as caught:
        read_candles(path, "1h")
    assert path.name in str(caught.value)


def test_lines_are_counted_below_three_header_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 5: high 1\.0 is below"):
        read_candles(write(tmp_path, YAHOO_ROWS.replace("185.88", "1.0")), "1d")


def test_a_damaged_feather_file_is_refused_and_ends_nothing(tmp_path: Path) -> None:
    """pyarrow ends the process over a damaged file of version 1, so none of these is handed to it."""
    path = tmp_path / "BTC_USDT-1h.feather"
    path.write_bytes(b"FEA1" + bytes(60) + b"FEA1")
    with pytest.raises(DataError, match=r"Feather file: it is of version 1.* version 2"):
        read_table(path)
    pd.DataFrame({"date": [1, 2], "name": ["a", "b"]}).to_feather(path)
    content = path.read_bytes()
    refused = 0
    for i in range(0, len(content), 7):
        path.write_bytes(content[:i] + bytes([content[i] ^ 0xFF]) + content[i + 1 :])
        try:
            read_table(path)
        except DataError:
            refused += 1
    assert refused > 10

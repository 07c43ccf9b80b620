from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bot.adapters.candle_files import write_candles
from bot.adapters.funding_files import Funding, write_funding
from bot.app.data_listing import list_data, listing_rows, listing_table
from bot.errors import DataError
from bot.timegrid import DAY_MS, HOUR_MS

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "data"
START = 1_704_067_200_000


def put(path: Path, bars: list[int], step: int = HOUR_MS) -> None:
    frame = pd.DataFrame({"timestamp": START + np.array(bars, np.int64) * step})
    write_candles(path, frame.assign(open=1.0, high=1.0, low=1.0, close=1.0, volume=0.0))


def test_spans_gaps_and_faults_are_listed(tmp_path: Path) -> None:
    put(tmp_path / "candles" / "bybit_linear_BTCUSDT_1h.parquet", [0, 1, 4, 5, 9])
    put(tmp_path / "mark" / "bybit_linear_BTCUSDT_1h_mark.csv", [0, 1])
    put(tmp_path / "stocks" / "us_AAPL_1d.parquet", [0, 1, 4, 5, 6], DAY_MS)
    put(tmp_path / "stocks" / "us_MSFT_1d.parquet", [0, 4, 6], DAY_MS)
    (tmp_path / "candles" / "bybit_linear_ETHUSDT_1h.parquet").write_text("nothing")
    times = START + np.array([0, 8, 24, 32], np.int64) * HOUR_MS
    funding = tmp_path / "funding" / "bybit_linear_BTCUSDT_funding.parquet"
    write_funding(funding, Funding(times, np.zeros(4)))
    listed = {(e.kind, e.symbol): e for e in list_data(tmp_path)}
    found = {key: (e.rows, e.gaps, e.missing) for key, e in listed.items() if not e.fault}
    assert found == {
        ("candles", "BTCUSDT"): (5, 2, 5),
        ("candles", "AAPL"): (5, 0, 0),
        ("candles", "MSFT"): (3, 2, 2),
        ("mark", "BTCUSDT"): (2, 0, 0),
        ("funding", "BTCUSDT"): (4, 1, 1),
    }
    bitcoin = listed["candles", "BTCUSDT"]
    assert (bitcoin.first_ms, bitcoin.last_ms) == (START, START + 9 * HOUR_MS)
    assert bitcoin.size_bytes == bitcoin.path.stat().st_size
    assert "not a readable Parquet" in listed["candles", "ETHUSDT"].fault


def test_the_listing_prints_and_is_json(tmp_path: Path) -> None:
    put(tmp_path / "bybit_spot_BTCUSDT_1h.csv", [0, 1])
    (tmp_path / "bybit_spot_[x]_1h.csv").touch()
    (tmp_path / "bybit_spot_ETHUSDT_1h.csv").touch()
    rows = listing_rows(tmp_path)
    assert json.loads(json.dumps(rows))[0]["first"] == "2024-01-01 00:00"
    assert rows[1]["first"] is None
    console = Console(file=io.StringIO(), width=200)
    console.print(listing_table(rows))
    assert isinstance(console.file, io.StringIO)
    assert "2024-01-01 01:00" in console.file.getvalue()


def test_no_folder_no_listing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        list_data(tmp_path / "nowhere")
    assert list_data(tmp_path) == []


def test_files_as_they_are_had_are_listed_without_a_fault(data_root: Path) -> None:
    listed = list_data(data_root)
    assert not [e for e in listed if e.fault]
    assert {e.kind for e in listed} == {"candles", "mark", "funding"}


def test_what_is_missing_from_the_fixtures_is_counted() -> None:
    missing = {
        f"{e.symbol} {e.interval}": e.missing for e in list_data(FIXTURES) if e.kind == "candles"
    }
    assert {k: n for k, n in missing.items() if n} == {"ETHUSDT 1h": 27}


def test_the_real_data_is_whole(real_root: Path) -> None:
    listed = list_data(real_root)
    assert not [e for e in listed if e.venue in {"bybit_linear", "us", "yahoo"} and e.missing]
    assert {e.kind for e in listed} == {"candles", "mark", "funding"}

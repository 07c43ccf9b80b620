from __future__ import annotations

import io
import json
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from bot.adapters.files.candle_files import read_candles, write_candles
from bot.adapters.files.data_root import Series
from bot.adapters.files.funding import Funding, write_funding
from bot.app.history.listing import list_data, listing_rows, listing_text
from bot.cli.main import app
from bot.config.schema import MarketSection
from bot.errors import ConfigError, DataError
from bot.timegrid import DAY_MS, HOUR_MS

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "data"
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
    console.print(listing_text(rows), soft_wrap=True)
    assert isinstance(console.file, io.StringIO)
    assert "2024-01-01 01:00" in console.file.getvalue()
    assert f"not read: {tmp_path}/bybit_spot_ETHUSDT_1h.csv: not a r" in console.file.getvalue()
    assert f"{tmp_path}/bybit_spot_[x]_1h.csv: not a readable" in console.file.getvalue()


CSV = "{time},1,2,0.5,1.5,{volume}\n"


def rows_of(times: list[int], volume: str = "3") -> str:
    head = "timestamp,open,high,low,close,volume\n"
    return head + "".join(CSV.format(time=START + t * HOUR_MS, volume=volume) for t in times)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("bybit_spot_A_1h.csv", rows_of([0, 1]).replace("0.5", "low"), "line 2: low is 'low'"),
        ("bybit_spot_A_1h.csv", rows_of([0, 1], "-1"), "2 faulty rows; line 2: volume is -1.0"),
        (
            "bybit_spot_A_4h.csv",
            rows_of([0, 4, 5]),
            "line 4: timestamp .* not the open of a 4h bar",
        ),
        ("bybit_spot_A_1h.csv", rows_of([0, 1]) + rows_of([1], "4")[37:], "line 4: a second row"),
        ("us_A_1h.csv", rows_of([0, 1]).replace("1704070800", "1704069000"), "less than 1h"),
    ],
)
def test_faults_are_those_of_a_backtest(tmp_path: Path, name: str, text: str, fault: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    series = Series.parse(path.stem)
    assert series is not None
    with pytest.raises(DataError, match=fault) as refused:
        read_candles(path, series.interval)
    (entry,) = list_data(tmp_path)
    assert entry.fault == str(refused.value)


def test_what_reading_puts_in_order_is_said(tmp_path: Path) -> None:
    (tmp_path / "bybit_spot_A_1h.csv").write_text(rows_of([2, 1, 0]))
    (tmp_path / "bybit_spot_B_1h.csv").write_text(rows_of([0, 1, 1, 2]))
    assert [(e.rows, e.fault, e.notes) for e in list_data(tmp_path)] == [
        (3, "", ("newest first: sorted on reading",)),
        (3, "", ("a row stands there twice with the same values: merged",)),
    ]


MISNAMED = {
    "Binance_BTCUSDT_1h.csv": "",
    "BYBIT_BTCUSDT.P, 60.csv": "",
    "BTCUSDT-1h.json": " --venue bybit_spot",
    "BTC_USDT-1h.json": " --venue bybit_spot",
    "bybit_linear_BTCUSDT_1h_earlier.csv": "",
    "prices.csv": " --venue bybit_spot --symbol BTCUSDT",
}


@pytest.mark.parametrize("name", MISNAMED)
def test_a_misnamed_file_comes_with_the_command_that_imports_it(tmp_path: Path, name: str) -> None:
    text = rows_of([0, 1, 2])
    if name.startswith("Binance"):
        head = "Unix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT\n"
        rows = [line.split(",") for line in text.splitlines()[1:]]
        lines = [",".join([r[0], "x", "BTCUSDT", *r[1:], "9"]) for r in rows[::-1]]
        text = f"https://www.CryptoDataDownload.com\n{head}" + "\n".join(lines)
    if name.endswith(".json"):
        text = json.dumps([[START + k * HOUR_MS, 1, 2, 0.5, 1.5, 3] for k in range(3)])
    path = tmp_path / "candles" / name
    path.parent.mkdir()
    path.write_text(text)
    (entry,) = list_data(tmp_path, MarketSection(venue="bybit_spot"))
    assert (entry.kind, entry.rows) == ("unread", 0)
    assert "holds candles, but is not named VENUE_SYMBOL_INTERVAL" in entry.fault
    options = MISNAMED[name].replace("BTCUSDT", "SYMBOL")
    assert entry.fix == f"bot import {shlex.quote(str(path))} --data {tmp_path}{options}"
    command = entry.fix.replace("SYMBOL", "BTCUSDT")
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    ours, original = list_data(tmp_path, MarketSection(venue="bybit_spot"))
    assert (ours.kind, ours.symbol, ours.rows, ours.fault) == ("candles", "BTCUSDT", 3, "")
    if name != "prices.csv":  # which may hold another symbol
        assert (original.fault, original.notes) == (
            "",
            ("all its rows are imported; it is not read",),
        )


def test_other_files_are_only_mentioned(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text("timestamp,symbol,return,p_up\n1704067200000,A,0.1,0.9\n")
    (tmp_path / "people.csv").write_text("name,age\nx,3\n")
    (tmp_path / "README.md").write_text("words")
    (tmp_path / "instruments").mkdir()
    (tmp_path / "instruments" / "bybit_spot.json").write_text("{}")
    listed = list_data(tmp_path)
    assert [(e.path.name, e.fault) for e in listed] == [("long.csv", ""), ("people.csv", "")]
    assert listed[0].notes == ("holds forecasts; 'bot backtest --forecasts' reads it",)
    (tmp_path / "candles").mkdir()
    (tmp_path / "people.csv").rename(tmp_path / "candles" / "people.csv")
    assert "laid out in no known way" in list_data(tmp_path)[1].fault


def test_the_same_candles_twice_are_listed_as_a_fault(tmp_path: Path) -> None:
    for name in ("bybit_spot_A_1h.csv", "bybit_spot_A_1h.parquet"):
        put(tmp_path / name, [0, 1])
    assert all("hold the same candles; remove one" in e.fault for e in list_data(tmp_path))


def test_the_command_ends_with_3_where_something_is_wrong(tmp_path: Path) -> None:
    put(tmp_path / "bybit_spot_A_1h.parquet", [0, 1])
    for arguments in (
        ["data", "--data", str(tmp_path)],
        ["data", "--data", str(tmp_path), "--json"],
    ):
        assert CliRunner().invoke(app, arguments).exit_code == 0
    (tmp_path / "prices.csv").write_text(rows_of([0]))
    for arguments in (
        ["data", "--data", str(tmp_path)],
        ["data", "--data", str(tmp_path), "--json"],
    ):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 3
        assert f"bot import {tmp_path}/prices.csv --data {tmp_path}" in done.output
    rows = CliRunner().invoke(app, ["data", "--data", str(tmp_path), "--json"]).output
    assert [row["kind"] for row in json.loads(rows)] == ["candles", "unread"]


def test_a_jump_is_a_fault_as_in_a_backtest_unless_it_is_accepted(tmp_path: Path) -> None:
    frame = pd.DataFrame({"timestamp": START + np.arange(3) * HOUR_MS, "volume": 0.0})
    prices = [100.0, 100.0, 5000.0]
    frame = frame.assign(open=prices, high=prices, low=prices, close=prices)
    write_candles(tmp_path / "candles" / "bybit_linear_BTCUSDT_1h.parquet", frame)
    write_candles(tmp_path / "candles" / "bybit_spot_NEWUSDT_1h.csv", frame)
    write_candles(tmp_path / "mark" / "bybit_linear_BTCUSDT_1h_mark.parquet", frame)
    names = {"bybit_linear": "BTCUSDT", "bybit_spot": "bybit_spot:NEWUSDT"}
    for entry in list_data(tmp_path):
        at = f"{names[entry.venue]}@2024-01-01T02:00"
        assert f"add '{at}' to market.accept_jumps" in entry.fault
    real = tuple(f"{name}@2024-01-01T02:00" for name in names.values())
    assert not any(e.fault for e in list_data(tmp_path, MarketSection(accept_jumps=real)))
    assert not any(e.fault for e in list_data(tmp_path, MarketSection(max_jump=51.0)))
    arguments = ["data", "--data", str(tmp_path)]
    assert CliRunner().invoke(app, arguments).exit_code == 3
    settings = tmp_path / "real.toml"
    settings.write_text("[market]\nmax_jump = 51.0\n")
    assert CliRunner().invoke(app, [*arguments, "--config", str(settings)]).exit_code == 0
    with pytest.raises(ConfigError, match="accept_jumps: 'X@2024-01-01' is not SYMBOL@TIME"):
        list_data(tmp_path, MarketSection(accept_jumps=("X@2024-01-01",)))


def test_a_venue_that_no_backtest_knows_is_a_fault_and_only_useful_commands_are_told(
    tmp_path: Path,
) -> None:
    put(tmp_path / "nosuch_AUSDT_1h.parquet", [0, 1])
    (tmp_path / "bybit_spot_B_1h.csv").write_text(rows_of([0]).replace("00000,", "60000,"))
    off_grid, unknown = list_data(tmp_path)
    assert "is not the open of a 1h bar" in off_grid.fault
    assert "there is no venue 'nosuch'" in unknown.fault
    assert [entry.fix for entry in (off_grid, unknown)] == ["", ""]


def test_no_folder_no_listing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        list_data(tmp_path / "nowhere")
    assert list_data(tmp_path) == []


def test_files_as_they_are_had_are_listed_without_a_fault(data_root: Path) -> None:
    listed = list_data(data_root)
    assert not [e for e in listed if e.fault and e.kind != "unread"]
    assert {e.kind for e in listed} >= {"candles", "mark", "funding"}


def test_what_is_missing_from_the_fixtures_is_counted() -> None:
    missing = {
        f"{e.symbol} {e.interval}": e.missing for e in list_data(FIXTURES) if e.kind == "candles"
    }
    assert {k: n for k, n in missing.items() if n} == {"ETHUSDT 1h": 27}


def test_the_real_data_is_whole(real_root: Path) -> None:
    listed = list_data(real_root)
    assert not [e for e in listed if e.venue in {"bybit_linear", "us", "yahoo"} and e.missing]
    assert {e.kind for e in listed} >= {"candles", "mark", "funding"}

"""Each layout that people have, built here as its program writes it, imported."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bot.adapters.files.candle_files import read_candles, write_candles
from bot.adapters.files.data_root import DataRoot, Series
from bot.adapters.files.funding import read_funding
from bot.app.history.import_reading import Wanted
from bot.app.history.importing import Imported, import_files
from bot.app.history.progress import asked_from
from bot.errors import ConfigError, DataError
from bot.timegrid import DAY_MS, HOUR_MS

START = 1_735_689_600_000
NOW = START + 400 * DAY_MS
N = 24
NOTHING = Wanted()


def candles(n: int = N, step: int = HOUR_MS, start: int = START) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    close = np.round(100 + rng.normal(0, 1, n).cumsum(), 2)
    opened = np.r_[100.0, close[:-1]]
    return pd.DataFrame(
        {
            "timestamp": start + step * np.arange(n, dtype=np.int64),
            "open": opened,
            "high": np.maximum(opened, close) + 0.5,
            "low": np.minimum(opened, close) - 0.5,
            "close": close,
            "volume": np.round(rng.uniform(1, 9, n), 3),
        }
    )


PRICES = ["open", "high", "low", "close"]
ROW = [*PRICES, "volume"]


def iso(frame: pd.DataFrame) -> pd.Series[Any]:
    return pd.to_datetime(frame["timestamp"], unit="ms", utc=True)


def vision(frame: pd.DataFrame, path: Path, per_ms: int = 1, header: bool = False) -> Path:
    out = frame.assign(timestamp=frame["timestamp"] * per_ms)
    out["close_time"] = out["timestamp"] + HOUR_MS * per_ms - 1
    out["quote_volume"] = frame["close"] * frame["volume"]
    out = out.assign(count=7, taker_buy_volume=1.5, taker_buy_quote_volume=2.5, ignore=0)
    text = out.rename(columns={"timestamp": "open_time"}).to_csv(index=False, header=header)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr(f"{path.stem}.csv", text)
    else:
        path.write_text(text)
    return path


def bybit(frame: pd.DataFrame, folder: Path, symbol: str = "BTCUSDT") -> Path:
    out = frame.assign(timestamp=frame["timestamp"] // 1000, symbol=symbol, period=60)
    out["turnover"] = frame["close"] * frame["volume"]
    out = out.rename(columns={"timestamp": "start_at"})
    out = out[["start_at", "symbol", "period", *ROW, "turnover"]]
    path = folder / f"{symbol}_60_2025-01-01_2025-01-31.csv.gz"
    path.write_bytes(gzip.compress(out.to_csv(index=False).encode()))
    return path


def cryptodatadownload(frame: pd.DataFrame, folder: Path) -> Path:
    out = pd.DataFrame(
        {"Unix": frame["timestamp"], "Date": iso(frame).dt.strftime("%Y-%m-%d %H:%M:%S")}
    )
    out["Symbol"] = "BTC/USDT"
    out[["Open", "High", "Low", "Close"]] = frame[PRICES].to_numpy()
    out = out.assign(**{"Volume BTC": frame["volume"]})
    out["Volume USDT"] = frame["close"] * frame["volume"]
    path = folder / "Binance_BTCUSDT_1h.csv"
    path.write_text("https://www.CryptoDataDownload.com\n" + out.iloc[::-1].to_csv(index=False))
    return path


def tradingview(frame: pd.DataFrame, folder: Path) -> Path:
    out = frame.assign(timestamp=frame["timestamp"] // 1000, Plot=1.0, plot=2.0)
    out = out.rename(columns={"timestamp": "time", "volume": "Volume"})
    path = folder / "BYBIT_BTCUSDT.P, 60.csv"
    out.to_csv(path, index=False)
    return path


def freqtrade(frame: pd.DataFrame, folder: Path) -> Path:
    path = folder / "bybit" / "futures" / "BTC_USDT_USDT-1h-futures.feather"
    path.parent.mkdir(parents=True)
    out = frame.assign(date=iso(frame).astype("datetime64[ms, UTC]"))
    out[["date", *ROW]].to_feather(path, compression="lz4")
    return path


def lists(frame: pd.DataFrame, path: Path) -> Path:
    rows = [[int(t), *map(float, row)] for t, *row in frame[["timestamp", *ROW]].to_numpy()]
    path.write_text(json.dumps(rows))
    return path


def yfinance(frame: pd.DataFrame, folder: Path, header: str) -> Path:
    out = (
        frame.set_index(iso(frame).rename("Datetime"))
        .drop(columns="timestamp")
        .rename(columns=str.title)
    )
    path = folder / "BTC-USD_1h.csv"
    if header == "one row":
        out.to_csv(path)
        return path
    out.columns = pd.MultiIndex.from_product([out.columns, ["BTC-USD"]], names=["Price", "Ticker"])
    if header == "ticker above":
        out = out.swaplevel(axis=1)
    if header == "parquet":
        out.to_parquet(path.with_suffix(".parquet"))
        return path.with_suffix(".parquet")
    if header == "two rows":
        out.columns.names = [None, None]
        out.index.name = None
    out.to_csv(path)
    return path


LAYOUTS: dict[str, tuple[Callable[[pd.DataFrame, Path], Path], str, Wanted, str]] = {
    "spot zip, microseconds": (
        lambda f, d: vision(f, d / "spot" / "BTCUSDT-1h-2025-01.zip", 1000),
        "Binance Vision klines", NOTHING, "binance_spot",
    ),
    "futures with header": (
        lambda f, d: vision(f, d / "futures" / "um" / "BTCUSDT-1h-2025-01.csv", header=True),
        "Binance Vision klines", NOTHING, "binance_linear",
    ),
    "vision without a folder": (
        lambda f, d: vision(f, d / "BTCUSDT-1h-2025-01-01.csv"),
        "Binance Vision klines", Wanted(venue="binance_spot"), "binance_spot",
    ),
    "bybit": (bybit, "Bybit public trading klines", NOTHING, "bybit_linear"),
    "cryptodatadownload": (cryptodatadownload, "CryptoDataDownload", NOTHING, "binance_spot"),
    "tradingview": (tradingview, "TradingView chart", NOTHING, "bybit_linear"),
    "freqtrade feather": (freqtrade, "freqtrade", NOTHING, "bybit_linear"),
    "freqtrade json": (
        lambda f, d: lists(f, d / "BTC_USDT-1h.json"), "freqtrade",
        Wanted(venue="bybit_spot"), "bybit_spot",
    ),
    "ccxt": (
        lambda f, d: lists(f, d / "BTCUSDT-1h.json"), "ccxt candles",
        Wanted(venue="okx_spot"), "okx_spot",
    ),
    "ccxt without a name": (
        lambda f, d: lists(f, d / "candles.json"), "ccxt candles",
        Wanted("okx_spot", "BTCUSDT"), "okx_spot",
    ),
    **{
        f"yfinance, {header}": (
            lambda f, d, header=header: yfinance(f, d, header), "yfinance", NOTHING, "yahoo",  # type: ignore[misc]
        )
        for header in ("one row", "three rows", "two rows", "ticker above", "parquet")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_is_recognised_and_imported_once(tmp_path: Path, name: str) -> None:
    build, layout, wanted, venue = LAYOUTS[name]
    frame, root = candles(), tmp_path / "data"
    path = build(frame, tmp_path)
    (done,) = import_files([path], root, wanted, NOW)
    symbol = "BTC-USD" if venue == "yahoo" else "BTCUSDT"
    assert (done.layouts, done.venue, done.symbol, done.interval) == (
        (layout,),
        venue,
        symbol,
        "1h",
    )
    assert (done.rows, done.new_rows, done.total_rows, done.missing) == (N, N, N, 0)
    assert done.path == root / "candles" / f"{venue}_{symbol}_1h.parquet"
    kept = read_candles(done.path, "1h")
    assert kept.time.tolist() == frame["timestamp"].tolist()
    np.testing.assert_array_equal(kept.values[:, :5], frame[ROW].to_numpy())
    if layout.startswith(("Binance", "Bybit", "Crypto")):
        np.testing.assert_allclose(kept.column("turnover"), frame["close"] * frame["volume"])
    before = done.path.read_bytes()
    (again,) = import_files([path], root, wanted, NOW)
    assert (again.new_rows, again.total_rows) == (0, N)
    assert done.path.read_bytes() == before
    assert path.is_file()


INVERSE: dict[str, Callable[[pd.DataFrame, Path], Path]] = {
    "ccxt": lambda f, d: lists(f, d / "BTCUSD-1h.json"),
    "freqtrade": lambda f, d: freqtrade(f, d).rename(
        d / "bybit" / "BTC_USD_BTC-1h-futures.feather"
    ),
    "bybit": lambda f, d: bybit(f, d, "BTCUSD"),
    "tradingview": lambda f, d: tradingview(f, d).rename(d / "BYBIT_BTCUSD.P, 60.csv"),
}


@pytest.mark.parametrize("name", INVERSE)
def test_volumes_of_inverse_contracts_become_contracts(tmp_path: Path, name: str) -> None:
    """ccxt and freqtrade have them in coin; of TradingView it is not known, and said."""
    frame = candles()
    path = INVERSE[name](frame, tmp_path)
    wanted = Wanted(venue="bybit_inverse") if name == "ccxt" else NOTHING
    done: Imported
    for new in (N, 0):
        (done,) = import_files([path], tmp_path / "data", wanted, NOW)
        assert (done.venue, done.symbol, done.new_rows) == ("bybit_inverse", "BTCUSD", new)
    kept, said = read_candles(done.path, "1h"), " ".join(done.notes)
    coin = name in ("ccxt", "freqtrade")
    dollars = np.rint(frame["close"] * frame["volume"]) if coin else frame["volume"]
    np.testing.assert_array_equal(kept.column("volume"), dollars)
    if coin:
        np.testing.assert_array_equal(kept.column("turnover"), frame["volume"])
    assert ("was in coin" in said) is coin
    assert ("taken as contracts" in said) is (name == "tradingview")


def test_files_of_one_series_are_joined_and_continue_what_is_there(tmp_path: Path) -> None:
    frame = candles(72)
    parts = [frame.iloc[24:50], frame.iloc[:26], frame.iloc[48:]]
    paths = [
        vision(part.reset_index(drop=True), tmp_path / "spot" / f"BTCUSDT-1h-2025-0{i}.csv", unit)
        for i, (part, unit) in enumerate(zip(parts, (1, 1, 1000), strict=True))
    ]
    root = tmp_path / "data"
    (first,) = import_files(paths[:1], root, NOTHING, NOW)
    (rest,) = import_files(paths[1:], root, NOTHING, NOW)
    assert (first.total_rows, rest.rows, rest.new_rows, rest.total_rows) == (26, 50, 46, 72)
    assert rest.missing == 22
    assert read_candles(rest.path, "1h").column("close").tolist() == frame["close"].tolist()


def test_a_contradiction_is_refused_by_both_places_and_nothing_is_written(tmp_path: Path) -> None:
    frame, root = candles(), tmp_path / "data"
    import_files([tradingview(frame, tmp_path)], root, NOTHING, NOW)
    path = root / "candles" / "bybit_linear_BTCUSDT_1h.parquet"
    before = path.read_bytes()
    frame.loc[5, "close"] = frame["close"][5] + 0.25
    with pytest.raises(
        DataError, match=r"60\.csv: line 7: at 2025-01-01 05:00 close is .*_1h\.parquet \(row 6\)"
    ):
        import_files([tradingview(frame, tmp_path)], root, NOTHING, NOW)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


def test_rounding_is_no_contradiction(tmp_path: Path) -> None:
    frame, root = candles(), tmp_path / "data"
    import_files([tradingview(frame, tmp_path)], root, NOTHING, NOW)
    (done,) = import_files([tradingview(frame.assign(close=frame["close"] * (1 + 1e-12)), tmp_path)],
                           root, NOTHING, NOW)  # fmt: skip
    assert read_candles(done.path, "1h").column("close").tolist() == frame["close"].tolist()


def test_a_turnover_fills_in_and_stays(tmp_path: Path) -> None:
    root = tmp_path / "data"
    import_files([tradingview(candles(), tmp_path)], root, NOTHING, NOW)
    (done,) = import_files([bybit(candles(), tmp_path)], root, NOTHING, NOW)
    assert done.new_rows == 0
    assert np.isfinite(read_candles(done.path, "1h").column("turnover")).all()
    before = done.path.read_bytes()
    import_files([tradingview(candles(), tmp_path)], root, NOTHING, NOW)
    assert done.path.read_bytes() == before


def mixed(folder: Path) -> Path:
    frame = candles(48)
    frame.loc[24:, "timestamp"] *= 1000
    path = folder / "binance_spot_BTCUSDT_1h.csv"
    frame.to_csv(path, index=False)
    return path


def test_a_file_of_two_units_becomes_ours_in_its_place(tmp_path: Path) -> None:
    path = mixed(tmp_path)
    original = path.read_bytes()
    series = Series("binance_spot", "BTCUSDT", "1h")
    with pytest.raises(DataError, match=r"line 26: .*'bot import'"):
        read_candles(path, "1h")
    (done,) = import_files([path], tmp_path, NOTHING, NOW)
    assert DataRoot.at(tmp_path).find_candles(series) == done.path == path.with_suffix(".parquet")
    assert read_candles(done.path, "1h").time.tolist() == candles(48)["timestamp"].tolist()
    assert path.with_name(path.name + ".imported").read_bytes() == original
    assert done.notes == (
        "times in milliseconds and in microseconds: each read by its own unit",
        f"{path.name} is kept as {path.name}.imported",
    )


def test_killed_before_the_original_was_put_aside(tmp_path: Path) -> None:
    path = mixed(tmp_path)
    (done,) = import_files([path], tmp_path, NOTHING, NOW)
    path.with_name(path.name + ".imported").rename(path)
    with pytest.raises(DataError, match="hold the same candles"):
        DataRoot.at(tmp_path).candle_files()
    (again,) = import_files([path], tmp_path, NOTHING, NOW)
    assert (again.new_rows, again.path) == (0, done.path)
    assert not path.exists()
    DataRoot.at(tmp_path).candle_files()


def test_several_units_that_turn_back_are_refused(tmp_path: Path) -> None:
    frame = candles(48)
    frame.loc[10:12, "timestamp"] //= 1000
    frame = pd.concat([frame.iloc[:10], frame.iloc[20:], frame.iloc[10:20]])
    path = tmp_path / "binance_spot_BTCUSDT_1h.csv"
    frame.to_csv(path, index=False)
    with pytest.raises(DataError, match="line 40: the times are of several units and turn back"):
        import_files([path], tmp_path, NOTHING, NOW)


def test_text_prices_of_parquet_are_read_by_importing(tmp_path: Path) -> None:
    path = tmp_path / "bybit_spot_BTCUSDT_1h.parquet"
    candles().astype({"close": str}).to_parquet(path)
    with pytest.raises(DataError, match=r"close is .*'bot import' makes numbers"):
        read_candles(path, "1h")
    (done,) = import_files([path], tmp_path, NOTHING, NOW)
    assert done.path == path
    assert read_candles(path, "1h").column("close").tolist() == candles()["close"].tolist()
    assert [p.name for p in tmp_path.glob("*.imported")] == [f"{path.name}.imported"]
    (again,) = import_files([path], tmp_path, NOTHING, NOW)
    assert again.new_rows == 0
    assert len(list(tmp_path.iterdir())) == 2


def test_unfinished_and_empty_bars_are_left_out(tmp_path: Path) -> None:
    frame = candles()
    frame.loc[3, ROW] = np.nan
    now = int(frame["timestamp"].iloc[-1]) + HOUR_MS - 1
    (done,) = import_files([tradingview(frame, tmp_path)], tmp_path / "data", NOTHING, now)
    assert (done.rows, done.missing) == (N - 2, 1)
    assert done.notes == (
        "1 row without a price: left out",
        "1 row of a bar not over yet: left out",
    )


@pytest.mark.parametrize(
    ("name", "wanted", "message"),
    [
        ("ccxt.json", NOTHING, "neither its name nor its rows tell the venue and symbol; add.*--venue"),
        ("BTCUSDT-1h.json", Wanted(venue="okx_spot", interval="15m"), "at least 1h apart, so they are no 15m"),
        ("BTCUSDT-1h.json", Wanted(venue="okx_spot", interval="4h"), "not the open of a 4h bar"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_asked_for(
    tmp_path: Path, name: str, wanted: Wanted, message: str
) -> None:
    path = lists(candles(), tmp_path / name)
    with pytest.raises((ConfigError, DataError), match=message):
        import_files([path], tmp_path / "data", wanted, NOW)
    assert not (tmp_path / "data").exists()


def test_options_are_checked(tmp_path: Path) -> None:
    for option, message in (
        ({"venue": "binance"}, "--venue: there is no venue 'binance'"),
        ({"interval": "7h"}, "--interval 7h: expected one of"),
        ({"symbol": "BTC/USDT"}, "--symbol BTC/USDT: write it"),
    ):
        with pytest.raises(ConfigError, match=message):
            Wanted(**option)
    with pytest.raises(ConfigError, match="--symbol ETHUSDT: the rows are of BTCUSDT"):
        import_files([bybit(candles(), tmp_path)], tmp_path, Wanted(symbol="ETHUSDT"), NOW)


def two_tickers(folder: Path) -> Path:
    days = pd.date_range("2024-01-02", periods=12, freq="B", name="Date")
    fields = {}
    for field in ("Adj Close", "Close", "High", "Low", "Open", "Volume"):
        for k, ticker in enumerate(("AAPL", "BTC-USD")):
            size = 1000.0 if field == "Volume" else {"High": 12.0, "Low": 8.0}.get(field, 10.0)
            fields[field, ticker] = np.full(12, size * (k + 1))
    frame = pd.DataFrame(fields, index=days)
    frame.loc[days[2], (slice(None), "AAPL")] = np.nan
    frame.columns.names = ["Price", "Ticker"]
    path = folder / "prices.csv"
    frame.to_csv(path)
    return path


def test_several_tickers_are_imported_each_or_the_wanted_one(tmp_path: Path) -> None:
    path = two_tickers(tmp_path)
    done = {d.symbol: d for d in import_files([path], tmp_path / "data", NOTHING, NOW)}
    assert {s: (d.venue, d.interval, d.rows) for s, d in done.items()} == {
        "AAPL": ("us", "1d", 11),
        "BTC-USD": ("yahoo", "1d", 12),
    }
    (one,) = import_files([path], tmp_path / "other", Wanted(symbol="AAPL"), NOW)
    assert read_candles(one.path, "1d").column("close").tolist() == [10.0] * 11
    with pytest.raises(ConfigError, match="--symbol MSFT: the file holds AAPL, BTC-USD"):
        import_files([path], tmp_path / "other", Wanted(symbol="MSFT"), NOW)


def funding_files(folder: Path) -> dict[str, Path]:
    hours = START + 8 * HOUR_MS * np.arange(6, dtype=np.int64)
    rates = np.array([1e-4, -2e-4, 3e-5, 1e-4, 0.0, 5e-5])
    jitter = hours + np.array([0, 3, 7, 0, 11, 2])
    binance = folder / "futures" / "um" / "BTCUSDT-fundingRate-2025-01.csv"
    binance.parent.mkdir(parents=True)
    pd.DataFrame(
        {"calc_time": jitter, "funding_interval_hours": 8, "last_funding_rate": rates}
    ).to_csv(binance, index=False)
    ccxt = folder / "funding.json"
    ccxt.write_text(json.dumps([
        {"info": {}, "symbol": "BTC/USDT:USDT", "fundingRate": r, "timestamp": int(t), "datetime": "x"}
        for t, r in zip(jitter, rates, strict=True)
    ]))  # fmt: skip
    freqtrade = folder / "binance" / "BTC_USDT_USDT-8h-funding_rate.feather"
    freqtrade.parent.mkdir()
    moments = pd.to_datetime(hours, unit="ms", utc=True)
    pd.DataFrame({"date": moments, "open": rates, "high": 0.0, "low": 0.0, "close": 0.0,
                  "volume": 0.0}).to_feather(freqtrade)  # fmt: skip
    return {"binance": binance, "ccxt": ccxt, "freqtrade": freqtrade}


@pytest.mark.parametrize("name", ["binance", "ccxt", "freqtrade"])
def test_funding_rates_are_imported(tmp_path: Path, name: str) -> None:
    path = funding_files(tmp_path)[name]
    wanted = Wanted(venue="binance_linear") if name == "ccxt" else NOTHING
    done: Imported
    for new in (6, 0):
        (done,) = import_files([path], tmp_path / "data", wanted, NOW)
        assert (done.kind, done.venue, done.symbol, done.new_rows, done.missing) == (
            "funding", "binance_linear", "BTCUSDT", new, 0,
        )  # fmt: skip
    assert done.path == tmp_path / "data" / "funding" / "binance_linear_BTCUSDT_funding.parquet"
    kept = read_funding(done.path)
    assert kept.time.tolist() == [START + 8 * HOUR_MS * k for k in range(6)]
    assert kept.rate.tolist() == [1e-4, -2e-4, 3e-5, 1e-4, 0.0, 5e-5]


def test_mark_prices_are_imported_beside_the_candles(tmp_path: Path) -> None:
    path = tmp_path / "BTC_USDT_USDT-1h-mark.feather"
    frame = candles()
    frame.assign(date=iso(frame))[["date", *PRICES]].to_feather(path)
    (done,) = import_files([path], tmp_path / "data", Wanted(venue="bybit_linear"), NOW)
    assert done.path == tmp_path / "data" / "mark" / "bybit_linear_BTCUSDT_1h_mark.parquet"
    assert read_candles(done.path, "1h").column("open").tolist() == frame["open"].tolist()


def test_what_a_fetch_noted_stays(tmp_path: Path) -> None:
    path = tmp_path / "candles" / "bybit_linear_BTCUSDT_1h.parquet"
    write_candles(path, candles().iloc[:12], {"fetched_from_ms": str(START - DAY_MS)})
    import_files([tradingview(candles(), tmp_path)], tmp_path, NOTHING, NOW)
    assert asked_from(path, START) == START - DAY_MS


@pytest.mark.parametrize("change", ["no column", "empty"])
def test_a_chart_without_its_volume_is_refused_once_with_what_to_do(
    tmp_path: Path, change: str
) -> None:
    frame = candles().assign(volume=np.nan)
    path = tradingview(frame if change == "empty" else frame.drop(columns="volume"), tmp_path)
    with pytest.raises(DataError, match=r"60\.csv: has no volume, .* show the volume first\)$"):
        import_files([path], tmp_path / "data", NOTHING, NOW)
    partly = candles()
    partly.loc[3, "volume"] = np.nan
    with pytest.raises(DataError, match=r"1 faulty row; line 5: volume is nan"):
        import_files([tradingview(partly, tmp_path)], tmp_path / "data", NOTHING, NOW)


def test_what_has_no_known_layout_is_said(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("name,age\nx,1\n")
    with pytest.raises(DataError, match=r"no known layout .* found name,age"):
        import_files([path], tmp_path, NOTHING, NOW)


def test_an_option_that_overrules_the_file_is_told(tmp_path: Path) -> None:
    path = cryptodatadownload(candles(), tmp_path)
    (done,) = import_files([path], tmp_path / "data", Wanted(venue="bybit_linear"), NOW)
    assert (
        "the file says its venue is binance_spot; taken as bybit_linear, as --venue says"
        in done.notes
    )
    (plain,) = import_files([path], tmp_path / "plain", Wanted(venue="binance_spot"), NOW)
    assert not any("taken as" in note for note in plain.notes)

"""Every form of time, in every kind of file and ending, is the same history."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bot.adapters.files.candle_files import CandleFile, read_candles
from bot.adapters.files.forecasts import read_forecasts
from bot.adapters.files.funding import read_funding
from bot.adapters.files.tables import ENDINGS
from bot.errors import DataError
from bot.timegrid import DAY_MS, HOUR_MS
from bot.timestamps import UnreadableTimeError, times_to_ms

START = 1_735_689_600_000
N = 6
HOURS = START + HOUR_MS * np.arange(N, dtype=np.int64)

Column = Callable[[Any], Any]


def moments(ms: Any) -> pd.Series[Any]:
    return pd.Series(pd.to_datetime(ms, unit="ms", utc=True))


FORMS: dict[str, Column] = {
    "s": lambda ms: ms // 1000,
    "ms": lambda ms: ms,
    "us": lambda ms: ms * 1000,
    "ns": lambda ms: ms * 1_000_000,
    "float seconds": lambda ms: ms / 1000.0,
    "float ms": lambda ms: ms.astype(np.float64),
    "text of s": lambda ms: [str(t // 1000) for t in ms],
    "text of ns": lambda ms: [str(t * 1_000_000) for t in ms],
    "text of float seconds": lambda ms: [f"{t / 1000:.3f}" for t in ms],
    "iso": lambda ms: moments(ms).dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "iso without zone": lambda ms: moments(ms).dt.strftime("%Y-%m-%d %H:%M:%S"),
    "iso with offset": lambda ms: (
        moments(ms).dt.tz_convert("Asia/Kolkata").map(lambda t: t.isoformat())
    ),
    "datetime[s]": lambda ms: moments(ms).dt.tz_localize(None).astype("datetime64[s]"),
    "datetime[ns]": lambda ms: moments(ms).dt.tz_localize(None).astype("datetime64[ns]"),
    "datetime[us, New York]": lambda ms: moments(ms).dt.tz_convert("America/New_York"),
    "category": lambda ms: pd.Series(moments(ms).map(lambda t: t.isoformat())).astype("category"),
}


def save(frame: pd.DataFrame, path: Path) -> Path:
    name = path.name
    if name.endswith(".parquet"):
        frame.to_parquet(path, index=False)
    elif name.endswith(".feather"):
        frame.to_feather(path)
    elif ".json" in name:
        text = frame.astype({"timestamp": object}).to_json(orient="records", date_format="iso")
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("inner.csv", frame.to_csv(index=False))
    else:
        frame.to_csv(path, index=False)
    return path


def frame_of(kind: str, times: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"timestamp": times})
    if kind == "funding":
        return frame.assign(funding_rate=[-1e-4, 2e-5, 1e-4, 0.0, 3e-5, 2e-4])
    if kind == "forecasts":
        return frame.assign(
            symbol="BTCUSDT", **{"return": 0.01}, p_up=[0.1, 0.3, 0.5, 0.6, 0.7, 0.9]
        )
    price = np.linspace(100.0, 105.0, N)
    frame = frame.assign(open=price, high=price + 1, low=price - 1, close=price + 0.5)
    return frame if kind == "mark" else frame.assign(volume=1.0)


def read(kind: str, path: Path) -> tuple[list[int], list[float]]:
    if kind == "funding":
        funding = read_funding(path)
        return funding.time.tolist(), funding.rate.tolist()
    if kind == "forecasts":
        table = read_forecasts(path, ("BTCUSDT",), HOURS)
        assert table.bars_covered().tolist() == [N]
        return HOURS.tolist(), table.p_up[:, 0].tolist()
    candles = read_candles(path, "1h")
    return candles.time.tolist(), candles.column("open").tolist()


NAMES = {
    "candles": "bybit_linear_BTCUSDT_1h",
    "mark": "bybit_linear_BTCUSDT_1h_mark",
    "funding": "bybit_linear_BTCUSDT_funding",
    "forecasts": "forecasts",
}


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_time_is_the_same(tmp_path: Path, kind: str, form: str) -> None:
    whole = frame_of(kind, HOURS)
    wanted = read(kind, save(whole, tmp_path / f"{NAMES[kind]}.csv"))
    assert wanted[0] == HOURS.tolist()
    (tmp_path / f"{NAMES[kind]}.csv").unlink()
    for ending in ENDINGS:
        path = save(frame_of(kind, FORMS[form](HOURS)), tmp_path / f"{NAMES[kind]}{ending}")
        assert read(kind, path) == wanted, ending


@pytest.mark.parametrize("name", ["time", "open_time", "Open time", "start_at", "unix", "Date", ""])
@pytest.mark.parametrize("kind", ["candles", "funding"])
def test_a_column_of_times_has_many_names(tmp_path: Path, kind: str, name: str) -> None:
    frame = frame_of(kind, HOURS).rename(columns={"timestamp": name})
    assert read(kind, save_named(frame, tmp_path / f"{NAMES[kind]}.csv"))[0] == HOURS.tolist()


def save_named(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("kind", ["candles", "mark", "funding"])
@pytest.mark.parametrize("ending", [".csv", ".parquet", ".feather"])
def test_newest_first_and_rows_twice_are_put_in_order(
    tmp_path: Path, kind: str, ending: str
) -> None:
    frame = frame_of(kind, HOURS)
    wanted = read(kind, save(frame, tmp_path / f"{NAMES[kind]}{ending}"))
    twice = pd.concat([frame, frame.iloc[[2]]]).iloc[::-1].reset_index(drop=True)
    path = save(twice, tmp_path / f"{NAMES[kind]}{ending}")
    assert read(kind, path) == wanted
    if kind != "funding":
        assert CandleFile(path, "1h").notes == (
            "out of order at 5 places: sorted on reading",
            "a row stands there twice with the same values: merged",
        )
    column = "funding_rate" if kind == "funding" else "open"
    twice.loc[0, column] = 0.5
    second, first = ("line 6", "line 2") if ending == ".csv" else ("row 5", "row 1")
    told = rf"{second}: a second row at 2025-01-01 02:00, with other values than {first};"
    with pytest.raises(DataError, match=told):
        read(kind, save(twice, path))


def test_newest_first_is_said(tmp_path: Path) -> None:
    frame = frame_of("candles", HOURS).iloc[::-1].reset_index(drop=True)
    file = CandleFile(save(frame, tmp_path / "bybit_linear_BTCUSDT_1h.parquet"), "1h")
    assert file.notes == ("newest first: sorted on reading",)
    assert np.concatenate([b.time for b in file.batches(2)]).tolist() == HOURS.tolist()


@pytest.mark.parametrize("kind", ["candles", "mark", "funding"])
@pytest.mark.parametrize("ending", [".csv", ".parquet", ".feather", ".json"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((3, 0), "'0' is no time between 1973 and 2100"),
        ((3, 5_000_000_000), "'5000000000' is no time"),
        ((3, (START + 3 * HOUR_MS) * 1000), "microseconds and the rows before it in milliseconds"),
        ((3, (START + 3 * HOUR_MS) // 1000), "seconds and the rows before it in milliseconds"),
    ],
)
def test_what_is_no_time_or_of_another_unit_is_refused_by_row(
    tmp_path: Path, kind: str, ending: str, change: tuple[int, int], message: str
) -> None:
    times = HOURS.copy()
    times[change[0]] = change[1]
    path = save(frame_of(kind, times), tmp_path / f"{NAMES[kind]}{ending}")
    place = "line 5" if ending == ".csv" else "row 4"
    with pytest.raises(DataError, match=rf"{NAMES[kind]}{ending}: {place}: .*{message}"):
        read(kind, path)


def test_another_unit_is_found_behind_the_first_batch(tmp_path: Path) -> None:
    times = np.arange(0, 70_000, dtype=np.int64) * 60_000 + START
    times[69_000:] *= 1000
    frame = pd.DataFrame({"timestamp": times}).assign(open=1, high=1, low=1, close=1, volume=1)
    path = save(frame, tmp_path / "bybit_linear_BTCUSDT_1m.parquet")
    with pytest.raises(DataError, match=r"row 69001: .*microseconds"):
        read_candles(path, "1m")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_settlement_within_a_minute_of_the_hour_is_on_it(tmp_path: Path, ending: str) -> None:
    jitter = np.array([0, 3, -7, 59_000, -12, 0])
    path = save(frame_of("funding", HOURS + jitter), tmp_path / f"x_linear_A_funding{ending}")
    assert read_funding(path).time.tolist() == HOURS.tolist()
    late = save(frame_of("funding", HOURS + 90_000), path)
    assert read_funding(late).time.tolist() == (HOURS + 90_000).tolist()


def test_arrow_dates_and_nulls(tmp_path: Path) -> None:
    days = pa.array([20089, 20090], pa.date32())
    prices = {k: pa.array([1.0, 1.0]) for k in ("open", "high", "low", "close", "volume")}
    path = tmp_path / "us_AAPL_1d.parquet"
    pq.write_table(pa.table({"date": days, **prices}), path)
    assert read_candles(path, "1d").time.tolist() == [20089 * DAY_MS, 20090 * DAY_MS]
    nothing = pa.array([START * 1_000_000, None], pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table({"date": nothing, **prices}), tmp_path / "x_A_1h.parquet")
    with pytest.raises(DataError, match="row 2: no timestamp"):
        read_candles(tmp_path / "x_A_1h.parquet", "1h")


@pytest.mark.parametrize(
    "bad", [True, "NaT", "12:30", "2024-01", "1e400", "31.12.2024", 10**18 * 5]
)
def test_what_is_no_time_is_placed(bad: object) -> None:
    with pytest.raises(UnreadableTimeError) as caught:
        times_to_ms(pd.Series([START, bad], dtype=object), daily=False)
    assert caught.value.index == 1


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".feather", ".json"])
def test_a_missing_time_of_funding_is_refused_by_row(tmp_path: Path, ending: str) -> None:
    times = moments(HOURS).mask(np.arange(N) == 2)
    path = save(frame_of("funding", times), tmp_path / f"x_linear_A_funding{ending}")
    place = "line 4" if ending == ".csv" else "row 3"
    with pytest.raises(DataError, match=f"{place}: no timestamp"):
        read_funding(path)


def test_a_rate_is_at_most_what_an_exchange_may_charge(tmp_path: Path) -> None:
    path = tmp_path / "x_linear_A_funding.csv"
    for rate, fine in ((0.1, True), (-0.1, True), (0.1001, False), (-0.1001, False)):
        frame = frame_of("funding", HOURS)
        frame.loc[4, "funding_rate"] = rate
        save(frame, path)
        if fine:
            assert read_funding(path).rate[4] == rate
        else:
            with pytest.raises(DataError, match=rf"line 6: the rate is {rate}, expected a fract"):
                read_funding(path)


def test_cells_that_are_no_cells_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x_linear_A_funding.json"
    path.write_text(f'[{{"timestamp": {START}, "funding_rate": [1]}}]')
    with pytest.raises(DataError, match=r"row 1: funding_rate is '\[1\]', expected a number"):
        read_funding(path)
    path.write_text('[{"timestamp": {"a": 1}, "funding_rate": 0}]')
    with pytest.raises(DataError, match=r"row 1: .* is no time"):
        read_funding(path)
    for text in ("", "{", "[1, 2]", "[[1], [1, 2]]", "3", '{"a": 1}', "[" * 100_000, "[]", "null"):
        path.write_text(text)
        with pytest.raises(DataError, match=r"not a readable JSON|has no rows"):
            read_funding(path)


def test_days_without_dashes_are_dates() -> None:
    for column in (np.array([20240229]), ["20240229"], np.array([20240229.0])):
        assert times_to_ms(column, daily=True).tolist() == [1_709_164_800_000]
    with pytest.raises(UnreadableTimeError):
        times_to_ms(np.array([20230229]), daily=True)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.files.candle_files import (
    GROUP_ROWS,
    CandleCursor,
    CandleFile,
    read_candles,
    write_candles,
)
from bot.adapters.files.candles import Candles
from bot.errors import DataError
from bot.timegrid import DAY_MS, HOUR_MS

START = 1_704_067_200_000


def frame_of(n: int, step: int = HOUR_MS, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    opened = np.concatenate([[100.0], close[:-1]])
    return pd.DataFrame(
        {
            "timestamp": START + np.arange(n, dtype=np.int64) * step,
            "open": opened,
            "high": np.maximum(opened, close) * 1.01,
            "low": np.minimum(opened, close) * 0.99,
            "close": close,
            "volume": rng.uniform(0, 10, n),
        }
    )


def same(a: Candles, b: Candles) -> bool:
    return np.array_equal(a.time, b.time) and np.array_equal(a.values, b.values, equal_nan=True)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("turnover", [False, True])
def test_a_file_gives_back_every_bit(tmp_path: Path, suffix: str, turnover: bool) -> None:
    frame = frame_of(300)
    if turnover:
        frame["turnover"] = frame["volume"] * frame["close"]
    path = tmp_path / f"x_BTCUSDT_1h{suffix}"
    write_candles(path, frame)
    assert same(read_candles(path, "1h"), Candles.of_frame(frame))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_long_files_are_written_in_groups_of_rows(tmp_path: Path) -> None:
    path, frame = tmp_path / "x_BTCUSDT_1h.parquet", frame_of(GROUP_ROWS + 3)
    write_candles(path, frame)
    written = pq.ParquetFile(path).metadata
    assert [written.row_group(k).num_rows for k in range(written.num_row_groups)] == [GROUP_ROWS, 3]
    assert same(read_candles(path, "1h"), Candles.of_frame(frame))


def test_batches_and_windows_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x_BTCUSDT_1h.parquet"
    frame = frame_of(500)
    frame = frame[(frame.index % 7 != 3)].reset_index(drop=True)
    write_candles(path, frame)
    whole = Candles.of_frame(frame)
    for rows, width in [(1, 13), (64, 5), (500, 1000), (33, 33)]:
        cursor = CandleCursor(CandleFile(path, "1h").batches(rows), START)
        stops = range(START + width * HOUR_MS, START + 600 * HOUR_MS + 1, width * HOUR_MS)
        parts = [cursor.take(stop) for stop in [*stops, START + 10_000 * HOUR_MS]]
        assert same(Candles.concat([p for p in parts if len(p)]), whole)


def test_a_window_starts_where_told(tmp_path: Path) -> None:
    path = tmp_path / "x_BTCUSDT_1h.parquet"
    write_candles(path, frame_of(50))
    cursor = CandleCursor(CandleFile(path, "1h").batches(8), START + 20 * HOUR_MS)
    taken = cursor.take(START + 30 * HOUR_MS)
    assert (taken.time[0], len(taken)) == (START + 20 * HOUR_MS, 10)
    span = CandleFile(path, "1h").span(START + 20 * HOUR_MS, START + 30 * HOUR_MS)
    assert span is not None
    assert (span.rows, span.first_ms, span.last_ms) == (11, taken.time[0], START + 30 * HOUR_MS)
    assert CandleFile(path, "1h").span(START + 80 * HOUR_MS) is None


def test_seconds_and_pandas_times_are_read_from_parquet(tmp_path: Path) -> None:
    frame = frame_of(20)
    whole = Candles.of_frame(frame)
    seconds = frame.assign(timestamp=frame["timestamp"] // 1000)
    seconds.to_parquet(tmp_path / "x_A_1h.parquet")
    assert same(read_candles(tmp_path / "x_A_1h.parquet", "1h"), whole)
    moments = frame.assign(timestamp=pd.to_datetime(frame["timestamp"], unit="ms", utc=True))
    moments.rename(columns=str.title).to_parquet(tmp_path / "x_B_1h.parquet")
    assert same(read_candles(tmp_path / "x_B_1h.parquet", "1h"), whole)


def test_local_days_are_read_from_parquet(tmp_path: Path) -> None:
    frame = frame_of(5, DAY_MS)
    days = pd.to_datetime(frame["timestamp"], unit="ms").dt.tz_localize("America/New_York")
    table = frame.assign(timestamp=days).rename(columns={"timestamp": "Date"})
    table.to_parquet(tmp_path / "us_A_1d.parquet")
    assert same(read_candles(tmp_path / "us_A_1d.parquet", "1d"), Candles.of_frame(frame))


@settings(max_examples=20)
@given(row=st.integers(1, 99), batch=st.integers(1, 60))
def test_a_fault_is_named_with_file_and_row(
    tmp_path_factory: pytest.TempPathFactory, row: int, batch: int
) -> None:
    path = tmp_path_factory.mktemp("faulty") / "x_BTCUSDT_1h.parquet"
    frame = frame_of(100)
    frame.loc[row, "close"] = -1.0
    frame.to_parquet(path)
    with pytest.raises(DataError, match=rf"{path.name}: 1 faulty row; row {row + 1}: close is -1"):
        list(CandleFile(path, "1h").batches(batch))
    frame = frame_of(100)
    times = frame["timestamp"].to_numpy().copy()
    times[row] = times[row - 1]
    frame["timestamp"] = times
    frame.to_parquet(path)
    with pytest.raises(DataError, match=rf"row {row + 1}: a second row at .* than row {row};"):
        list(CandleFile(path, "1h").batches(batch))


def test_unreadable_parquet_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x_BTCUSDT_1h.parquet"
    with pytest.raises(DataError, match="not a readable Parquet"):
        read_candles(path, "1h")
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match=f"{path.name}: not a readable Parquet"):
        read_candles(path, "1h")
    frame_of(5).iloc[:0].to_parquet(path)
    with pytest.raises(DataError, match="has no rows"):
        read_candles(path, "1h")
    frame_of(5).drop(columns="low").to_parquet(path)
    with pytest.raises(DataError, match="no column low; expected timestamp,open"):
        read_candles(path, "1h")
    frame_of(5).assign(close="12").to_parquet(path)
    with pytest.raises(DataError, match=r"close is .*string, expected a number"):
        read_candles(path, "1h")
    frame_of(5).assign(timestamp=1.5).to_parquet(path)
    with pytest.raises(DataError, match=r"row 1: '1\.5' is no time between 1973 and 2100"):
        read_candles(path, "1h")


def test_a_missing_timestamp_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x_BTCUSDT_1h.parquet"
    frame = frame_of(5)
    times = pa.array([*frame["timestamp"][:3], None, START + 4 * HOUR_MS], pa.int64())
    table = pa.Table.from_pandas(frame).set_column(0, "timestamp", times)
    pq.write_table(table, path)
    with pytest.raises(DataError, match="row 4: no timestamp"):
        read_candles(path, "1h")


def test_times_whose_unit_is_not_certain_are_not_written(tmp_path: Path) -> None:
    old = frame_of(3, DAY_MS).assign(timestamp=np.arange(3) * DAY_MS)
    with pytest.raises(DataError, match="row 1: 1970-01-01 00:00 is before March 1973"):
        write_candles(tmp_path / "us_IBM_1d.parquet", old)


def test_only_sound_candles_are_written(tmp_path: Path) -> None:
    frame = frame_of(5)
    with pytest.raises(DataError, match="no candle file's name"):
        write_candles(tmp_path / "prices.parquet", frame)
    path = tmp_path / "x_BTCUSDT_1h.parquet"
    write_candles(path, frame)
    before = path.read_bytes()
    frame.loc[2, "high"] = 0.5
    with pytest.raises(DataError, match="row 3: high"):
        write_candles(path, frame)
    with pytest.raises(DataError, match="no column volume"):
        write_candles(path, frame.drop(columns="volume"))
    assert path.read_bytes() == before


def test_candles_as_they_are_had_are_read_to_the_bit(data_root: Path) -> None:
    path = data_root / "candles" / "bybit_linear_BTCUSDT_1h.parquet"
    candles = read_candles(path, "1h")
    table = pd.read_parquet(path)
    assert np.array_equal(candles.column("close"), table["close"].to_numpy())


def test_bars_of_a_session_elsewhere_are_answered_with_what_to_do(tmp_path: Path) -> None:
    frame = frame_of(5).assign(timestamp=frame_of(5)["timestamp"] + HOUR_MS // 2)
    path = tmp_path / "other_spot_A_1h.parquet"
    frame.to_parquet(path)
    with pytest.raises(DataError, match="30 minutes past one; if they are bars of an exchange's"):
        read_candles(path, "1h")
    frame.to_parquet(tmp_path / "us_A_1h.parquet")
    assert len(read_candles(tmp_path / "us_A_1h.parquet", "1h")) == 5

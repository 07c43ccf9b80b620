from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.files.forecasts import read_forecasts
from bot.errors import DataError
from bot.timegrid import HOUR_MS

START = 1_704_067_200_000
GRID = START + np.arange(24, dtype=np.int64) * HOUR_MS
SYMBOLS = ("BTCUSDT", "yahoo:ETH-USD")


def frame_of(n: int = 24) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "timestamp": np.repeat(GRID[:n], 2),
            "symbol": list(SYMBOLS) * n,
            "return": np.linspace(-0.01, 0.01, 2 * n),
            "p_up": np.linspace(0, 1, 2 * n),
        }
    )


def save(frame: pd.DataFrame, folder: Path, suffix: str = ".parquet") -> Path:
    path = folder / f"forecasts{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


@settings(max_examples=20, deadline=None)
@given(
    keep=st.lists(st.integers(0, 47), min_size=1, unique=True),
    suffix=st.sampled_from([".parquet", ".csv"]),
)
def test_any_rows_in_any_order_land_on_their_bars(
    tmp_path_factory: pytest.TempPathFactory, keep: list[int], suffix: str
) -> None:
    frame = frame_of().assign(volatility=0.01).iloc[keep]
    got = read_forecasts(save(frame, tmp_path_factory.mktemp("f"), suffix), SYMBOLS, GRID)
    expected = np.full((24, 2), np.nan)
    for i in keep:
        expected[i // 2, i % 2] = np.linspace(-0.01, 0.01, 48)[i]
    assert np.array_equal(got.expected_return, expected, equal_nan=True)
    assert np.array_equal(np.isnan(got.volatility), np.isnan(expected))
    assert np.isnan(got.volume).all()


def test_iso_times_and_other_columns_are_read(tmp_path: Path) -> None:
    frame = frame_of(3)
    wanted = read_forecasts(save(frame, tmp_path), SYMBOLS, GRID)
    moments = pd.to_datetime(frame["timestamp"], unit="ms", utc=True)
    named = frame.assign(timestamp=moments, model="mine").rename(columns=str.upper)
    for suffix in (".parquet", ".csv"):
        got = read_forecasts(save(named, tmp_path, suffix), SYMBOLS, GRID)
        assert np.array_equal(got.p_up, wanted.p_up, equal_nan=True)


def test_empty_cells_are_no_forecast(tmp_path: Path) -> None:
    frame = frame_of(2)
    frame.loc[1, ["return", "p_up"]] = np.nan
    for suffix in (".parquet", ".csv"):
        got = read_forecasts(save(frame, tmp_path, suffix), SYMBOLS, GRID)
        assert np.isnan(got.p_up).sum() == 48 - 3


def test_forecasts_outside_the_run_are_left_out(tmp_path: Path) -> None:
    got = read_forecasts(save(frame_of(), tmp_path), SYMBOLS, GRID[5:9])
    assert got.p_up.shape == (4, 2)
    assert not np.isnan(got.p_up).any()
    with pytest.raises(DataError, match=r"no forecast lies in the run's bars, .* the file has"):
        read_forecasts(save(frame_of(), tmp_path), SYMBOLS, GRID + 1000 * HOUR_MS)


@settings(max_examples=40, deadline=None)
@given(
    row=st.integers(0, 47),
    fault=st.sampled_from(
        [
            ("p_up", 1.0001, "p_up is no probability"),
            ("p_up", -0.1, "p_up is no probability"),
            ("p_up", np.nan, "both be there"),
            ("return", np.nan, "both be there"),
            ("return", np.inf, "infinite"),
            ("volatility", 0.0, "not positive"),
            ("return", 10.001, "return is beyond 10, .* a fraction"),
            ("return", -1e308, "return is beyond 10, .* a fraction"),
            ("volatility", 1e9, "volatility is beyond 10, .* a fraction"),
            ("volume", -100.1, "volume is beyond 100, .* a logarithm"),
            ("volume", -np.inf, "infinite"),
            ("symbol", "XRPUSDT", "expected one of BTCUSDT, yahoo:ETH-USD"),
        ]
    ),
    suffix=st.sampled_from([".parquet", ".csv"]),
)
def test_a_faulty_row_is_named(
    tmp_path_factory: pytest.TempPathFactory,
    row: int,
    fault: tuple[str, float | str, str],
    suffix: str,
) -> None:
    frame = frame_of().assign(volatility=0.01, volume=0.1)
    column, value, message = fault
    frame.loc[row, column] = value
    place = f"row {row + 1}:" if suffix == ".parquet" else f"line {row + 2}:"
    with pytest.raises(DataError, match=f"forecasts{suffix}: {place} .*{message}"):
        read_forecasts(save(frame, tmp_path_factory.mktemp("f"), suffix), SYMBOLS, GRID)


def test_times_of_two_units_are_to_be_written_in_one(tmp_path: Path) -> None:
    frame = frame_of(4)
    frame["timestamp"] //= np.where(frame.index == 3, 1000, 1)
    with pytest.raises(DataError, match=r"row 4: .*; write all times in one unit$"):
        read_forecasts(save(frame, tmp_path), SYMBOLS, GRID)


def test_the_largest_forecasts_are_read(tmp_path: Path) -> None:
    frame = frame_of(1).assign(volatility=10.0, volume=-100.0)
    frame["return"] = [10.0, -10.0]
    got = read_forecasts(save(frame, tmp_path), SYMBOLS, GRID)
    assert got.expected_return[0].tolist() == [10.0, -10.0]
    assert got.volume[0].tolist() == [-100.0, -100.0]


def test_duplicates_and_strange_times_are_named(tmp_path: Path) -> None:
    frame = frame_of(4)
    twice = pd.concat([frame, frame.iloc[[2]]])
    with pytest.raises(DataError, match="row 9: BTCUSDT at 2024-01-01 01:00: a second forecast"):
        read_forecasts(save(twice, tmp_path), SYMBOLS, GRID)
    frame["timestamp"] += np.where(frame.index == 3, 60_000, 0)
    with pytest.raises(DataError, match=r"row 4: .* no bar of the run opens at this time"):
        read_forecasts(save(frame, tmp_path), SYMBOLS, GRID)
    with pytest.raises(DataError, match="no bar of the run opens"):  # a session's hole
        read_forecasts(save(frame_of(4), tmp_path), SYMBOLS, GRID[[0, 1, 3]])


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column p_up"):
        read_forecasts(save(frame_of().drop(columns="p_up"), tmp_path), SYMBOLS, GRID)
    with pytest.raises(DataError, match="has no rows"):
        read_forecasts(save(frame_of().iloc[:0], tmp_path), SYMBOLS, GRID)
    with pytest.raises(DataError, match="row 1: p_up is 'high', expected a number"):
        read_forecasts(save(frame_of().assign(p_up="high"), tmp_path), SYMBOLS, GRID)
    with pytest.raises(DataError, match=r"row 1: 'then' is no time"):
        read_forecasts(save(frame_of().assign(timestamp="then"), tmp_path), SYMBOLS, GRID)
    with pytest.raises(DataError, match=r"cannot be read; expected one of \.parquet, \.csv"):
        read_forecasts(tmp_path / "forecasts.xls", SYMBOLS, GRID)
    with pytest.raises(DataError, match="not a readable Parquet"):
        read_forecasts(tmp_path / "absent.parquet", SYMBOLS, GRID)

"""Jumps of price in files: refused by file and row, taken where the settings say they are real."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.adapters.files.candle_files import CandleFile, write_candles
from bot.adapters.files.history import load_history, stream_history
from bot.adapters.files.jumps import Jumps
from bot.app.history.listing import list_data
from bot.config import Config, load_config
from bot.errors import ConfigError, DataError
from bot.timegrid import HOUR_MS

START = 1_704_067_200_000  # 2024-01-01
NAME = "bybit_linear_BTCUSDT_1h"


def put(root: Path, close: list[float], kind: str = "candles", suffix: str = "parquet") -> Path:
    times = START + np.arange(len(close), dtype=np.int64) * HOUR_MS
    frame = pd.DataFrame({"timestamp": times, "volume": 1.0})
    frame = frame.assign(open=close, high=close, low=close, close=close)
    name = f"{NAME}_mark" if kind == "mark" else NAME
    path = root / kind / f"{name}.{suffix}"
    write_candles(path, frame)
    return path


def settings_of(root: Path, *more: str) -> Config:
    return load_config(None, [f"data.root={root}", "market.symbols=BTCUSDT", *more], {})


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("factor", [1000.0, 1e-3, 1e300])
def test_a_wild_row_is_named(tmp_path: Path, suffix: str, factor: float) -> None:
    path = put(tmp_path, [100.0, 101.0, 100.0 * factor, 102.0], suffix=suffix)
    place = "line 4" if suffix == "csv" else "row 3"
    told = rf"{path.name}: 2 jumps of price; {place}: .*BTCUSDT@2024-01-01T02:00.*accept_jumps"
    with pytest.raises(DataError, match=told):
        load_history(settings_of(tmp_path))
    with pytest.raises(DataError, match=told):
        list(stream_history(settings_of(tmp_path), 1))


@pytest.mark.parametrize("rows", [1, 2, 3, 9])
def test_a_jump_between_two_batches_is_one_too(tmp_path: Path, rows: int) -> None:
    path = put(tmp_path, [100.0, 101.0, 5000.0, 5001.0])
    with pytest.raises(DataError, match="row 3: open"):
        list(CandleFile(path, "1h", Jumps(20.0, "BTCUSDT")).batches(rows))
    assert sum(len(c) for c in CandleFile(path, "1h").batches(rows)) == 4
    fine = Jumps(20.0, "BTCUSDT", frozenset([START + 2 * HOUR_MS]))
    assert sum(len(c) for c in CandleFile(path, "1h", fine).batches(rows)) == 4


def test_a_redenomination_is_accepted_at_its_own_bar_only(tmp_path: Path) -> None:
    put(tmp_path, [100.0, 0.1, 0.1, 100.0])
    at = "market.accept_jumps=BTCUSDT@2024-01-01T01:00"
    with pytest.raises(DataError, match="row 4"):
        load_history(settings_of(tmp_path, at))
    both = f"{at},BTCUSDT@2024-01-01T03:00"
    assert load_history(settings_of(tmp_path, both)).bars.valid.all()
    assert load_history(settings_of(tmp_path, "market.max_jump=1001")).bars.valid.all()


def test_within_the_factor_nothing_is_refused(tmp_path: Path) -> None:
    put(tmp_path, [100.0, 1999.0, 100.0, 5.1])
    assert load_history(settings_of(tmp_path)).bars.valid.all()


def test_mark_prices_are_held_against_one_another(tmp_path: Path) -> None:
    put(tmp_path, [100.0, 100.0, 100.0])
    put(tmp_path, [100.0, 1e9, 100.0], kind="mark")
    with pytest.raises(DataError, match=rf"{NAME}_mark.parquet: 2 jumps of price; row 2"):
        load_history(settings_of(tmp_path))


@pytest.mark.parametrize(
    "entry", ["BTCUSDT", "@2024-01-01", "ETHUSDT@2024-01-01", "BTCUSDT@", "BTCUSDT@soon"]
)
def test_an_entry_that_says_nothing_is_refused(tmp_path: Path, entry: str) -> None:
    put(tmp_path, [100.0, 100.0])
    with pytest.raises(ConfigError, match=r"market\.accept_jumps"):
        load_history(settings_of(tmp_path, f"market.accept_jumps={entry}"))


@pytest.mark.parametrize("factor", ["1", "0.5", "-3", "nan"])
def test_the_factor_is_above_one(factor: str) -> None:
    with pytest.raises(ConfigError, match=r"market\.max_jump"):
        load_config(None, [f"market.max_jump={factor}"], {})


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("factor", [1000.0, 1e-3, 20.1])
def test_marks_of_another_scale_than_the_candles_are_refused(
    tmp_path: Path, suffix: str, factor: float
) -> None:
    close = [100.0, 101.0, 102.0, 103.0]
    put(tmp_path, close)
    path = put(tmp_path, [c * factor for c in close], "mark", suffix)
    told = rf"{path.name}: at 2024-01-01 00:00 the mark price is .*opens at 100, more than a factor of 20"
    for read in (load_history, lambda config: list(stream_history(config, 3))):
        with pytest.raises(DataError, match=told):
            read(settings_of(tmp_path))
    faults = [entry.fault for entry in list_data(tmp_path)]
    assert faults[0] == ""
    assert re.search(told, faults[1])
    load_history(settings_of(tmp_path, "market.max_jump=1001"))


def test_marks_within_the_factor_or_of_other_times_are_read(tmp_path: Path) -> None:
    put(tmp_path, [100.0, 101.0])
    put(tmp_path, [1999.0, 1.0e3, 9.0e3, 1.0e5], "mark")
    assert load_history(settings_of(tmp_path)).bars.mark[:, 0].tolist() == [1999.0, 1000.0]
    assert [entry.fault for entry in list_data(tmp_path)] == ["", ""]

"""Realised variances against pandas, and what makes one unknown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.adapters.files.bar_realised import check_stamps, inner_closes, realised_variance
from bot.adapters.files.candle_files import write_candles
from bot.adapters.files.candles import Candles
from bot.adapters.files.history import load_history, stream_history
from bot.blocks import F64, BarBlock
from bot.config import load_config
from bot.errors import DataError
from bot.timegrid import HOUR_MS, MINUTE_MS

START = 1_704_067_200_000
STEP = 5 * MINUTE_MS
PIECES = HOUR_MS // STEP


def quarters(n: int, seed: int = 1) -> pd.DataFrame:
    """Return candles of five minutes of n hours, each opening at the close before."""
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 2e-3, n * PIECES)))
    opened = np.concatenate([[100.0], close[:-1]])
    frame = pd.DataFrame({"timestamp": START + STEP * np.arange(n * PIECES), "open": opened})
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    return frame.assign(high=high, low=low, close=close, volume=1.0)


def hours(finer: pd.DataFrame) -> pd.DataFrame:
    bar = (finer.timestamp - START) // HOUR_MS * HOUR_MS + START
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return finer.groupby(bar).agg(how).rename_axis("timestamp").reset_index()


def bars_of(frame: pd.DataFrame) -> BarBlock:
    columns = (frame[c].to_numpy()[:, None] for c in ("open", "high", "low", "close", "volume"))
    return BarBlock.of_candles(frame.timestamp.to_numpy(), *columns)


def found(bars: BarBlock, finer: pd.DataFrame) -> F64:
    inner = inner_closes(bars.open_time, Candles.of_frame(finer), STEP, HOUR_MS)
    return realised_variance(bars, 0, inner)


def by_pandas(finer: pd.DataFrame) -> F64:
    before = finer.open.where(finer.index % PIECES == 0, finer.close.shift())
    squared = pd.Series(np.square(np.log(finer.close / before)))
    total: F64 = np.asarray(squared.groupby(finer.index // PIECES).sum(), dtype=np.float64)
    return total


def test_it_is_the_sum_of_squared_log_returns() -> None:
    finer = quarters(30)
    np.testing.assert_allclose(found(bars_of(hours(finer)), finer), by_pandas(finer), rtol=1e-12)


def test_the_last_piece_is_the_bars_own_close_and_no_other_may_lack() -> None:
    finer = quarters(6)
    bars = bars_of(hours(finer))
    without_last = finer[finer.index % PIECES != PIECES - 1]
    np.testing.assert_array_equal(found(bars, without_last), found(bars, finer))
    holed = found(bars, finer.drop(index=[2 * PIECES + 3]))
    assert np.flatnonzero(np.isnan(holed)).tolist() == [2]


def test_a_close_outside_its_bar_is_of_another_price() -> None:
    finer = quarters(5)
    bars = bars_of(hours(finer))
    finer.loc[PIECES + 4, "close"] = bars.high[1, 0] * 1.01
    assert np.flatnonzero(np.isnan(found(bars, finer))).tolist() == [1]


def test_candles_beside_the_grid_and_outside_the_bars_say_nothing() -> None:
    finer = quarters(4)
    bars = bars_of(hours(finer)).rows(1, 3)
    shifted = finer.assign(timestamp=finer.timestamp + MINUTE_MS)
    assert np.isnan(found(bars, shifted)).all()
    np.testing.assert_allclose(found(bars, finer), by_pandas(finer)[1:3], rtol=1e-9)


def test_files_are_read_beside_the_bars_and_any_cut_gives_the_same(tmp_path: Path) -> None:
    finer = quarters(40)
    held = finer.drop(index=range(10 * PIECES, 10 * PIECES + 2))
    write_candles(tmp_path / "candles" / "bybit_spot_A_1h.parquet", hours(finer))
    write_candles(tmp_path / "candles" / "bybit_spot_A_5m.parquet", held)
    config = load_config(
        None,
        [f"data.root={tmp_path}", "market.venue=bybit_spot", "market.symbols=A",
         "market.finer_interval=5m"],
        {},
    )  # fmt: skip
    whole = load_history(config).bars.realised_variance[:, 0]
    expected = by_pandas(finer).copy()
    expected[10] = np.nan
    np.testing.assert_allclose(whole, expected, rtol=1e-12)
    for rows in (1, 7, 40):
        cut = BarBlock.concat(list(stream_history(config, rows)))
        np.testing.assert_array_equal(cut.realised_variance[:, 0], whole)


def test_files_that_lack_are_named(tmp_path: Path) -> None:
    write_candles(tmp_path / "candles" / "bybit_spot_A_1h.parquet", hours(quarters(3)))
    sets = [f"data.root={tmp_path}", "market.venue=bybit_spot", "market.symbols=A"]
    config = load_config(None, [*sets, "market.finer_interval=5m"], {})
    with pytest.raises(DataError, match="bybit_spot_A_5m"):
        load_history(config)


def as_ends(finer: pd.DataFrame) -> pd.DataFrame:
    return finer.assign(timestamp=finer.timestamp + STEP)


@pytest.mark.parametrize("rows", [15, 40])
def test_times_that_are_ends_are_refused_by_file(tmp_path: Path, rows: int) -> None:
    finer = quarters(40)
    write_candles(tmp_path / "candles" / "bybit_spot_A_1h.parquet", hours(finer))
    path = tmp_path / "candles" / "bybit_spot_A_5m.parquet"
    write_candles(path, as_ends(finer))
    sets = [f"data.root={tmp_path}", "market.venue=bybit_spot", "market.symbols=A"]
    config = load_config(None, [*sets, "market.finer_interval=5m"], {})
    with pytest.raises(
        DataError, match=r"A_5m\.parquet: its times are those at which its candles end"
    ):
        list(stream_history(config, rows))
    write_candles(path, finer)
    assert list(stream_history(config, rows))


def test_prices_that_stand_and_candles_of_elsewhere_are_taken_for_no_ends() -> None:
    finer = quarters(30)
    bars = bars_of(hours(finer))
    still = bars_of(hours(finer.assign(open=5.0, high=5.0, low=5.0, close=5.0)))
    ends = Candles.of_frame(as_ends(finer))
    with pytest.raises(DataError, match=r"in 30 of 30 bars .*first 2024-01-01 01:00"):
        check_stamps(bars, 0, ends, STEP, HOUR_MS, "x")
    check_stamps(bars.rows(0, 9), 0, ends, STEP, HOUR_MS, "few bars say little")
    standing = Candles.of_frame(as_ends(finer.assign(close=5.0)))
    check_stamps(still, 0, standing, STEP, HOUR_MS, "either way the same")
    elsewhere = Candles.of_frame(as_ends(finer.assign(close=finer.close * 1.001)))
    check_stamps(bars, 0, elsewhere, STEP, HOUR_MS, "another market's")

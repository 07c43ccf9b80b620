from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.files.candles import COLUMNS, Candles, check_candles
from bot.blocks import F64
from bot.errors import DataError
from bot.timegrid import HOUR_MS


def sound_candles(n: int, seed: int = 0) -> Candles:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    opened = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(opened, close) * 1.01
    low = np.minimum(opened, close) * 0.99
    volume = rng.uniform(0, 10, n)
    values: F64 = np.stack([opened, high, low, close, volume, volume * close], axis=1)
    return Candles(np.arange(n, dtype=np.int64) * HOUR_MS, values)


def check(candles: Candles, after_ms: int | None = None) -> None:
    check_candles(candles, "1h", "FILE", lambda i: f"row {i + 1}", after_ms)


def test_sound_candles_pass_with_gaps_and_without_turnover() -> None:
    candles = sound_candles(50)
    candles.values[:, COLUMNS.index("turnover")] = np.nan
    check(candles)
    check(Candles(candles.time[[0, 7, 40]], candles.values[[0, 7, 40]]))
    check(candles.rows(0, 0))


def test_rounding_of_adjusted_prices_is_no_fault() -> None:
    candles = sound_candles(3)
    candles.values[1, 1] = max(candles.values[1, 0], candles.values[1, 3]) * (1 - 1e-15)
    check(candles)


@given(
    row=st.integers(0, 29),
    column=st.sampled_from(COLUMNS),
    bad=st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 0.0]),
)
def test_a_bad_number_is_named_with_its_row(row: int, column: str, bad: float) -> None:
    candles = sound_candles(30)
    candles.values[row, COLUMNS.index(column)] = bad
    if (column in {"volume", "turnover"} and bad == 0.0) or (
        column == "turnover" and np.isnan(bad)
    ):
        check(candles)
        return
    with pytest.raises(DataError, match=rf"FILE: 1 faulty row; row {row + 1}: {column} is"):
        check(candles)


@given(row=st.integers(0, 29), excess=st.floats(1e-6, 0.5), side=st.sampled_from(["high", "low"]))
def test_highs_and_lows_must_hold_the_bar(row: int, excess: float, side: str) -> None:
    candles = sound_candles(30)
    opened, close = candles.column("open")[row], candles.column("close")[row]
    if side == "high":
        candles.values[row, 1] = max(opened, close) * (1 - excess)
    else:
        candles.values[row, 2] = min(opened, close) * (1 + excess)
    with pytest.raises(DataError, match=rf"row {row + 1}: {side} .* is (below|above) the open"):
        check(candles)


@given(row=st.integers(1, 29), shift=st.integers(1, HOUR_MS - 1))
def test_times_off_the_grid_are_refused(row: int, shift: int) -> None:
    candles = sound_candles(30)
    candles.time[row] += shift
    with pytest.raises(
        DataError, match=rf"row {row + 1}: timestamp .* is not the open of a 1h bar"
    ):
        check(candles)


@given(row=st.integers(1, 29))
def test_duplicates_and_disorder_are_refused(row: int) -> None:
    candles = sound_candles(30)
    candles.time[row] = candles.time[row - 1]
    with pytest.raises(DataError, match=rf"row {row + 1}: a second candle at"):
        check(candles)
    candles = sound_candles(30)
    candles.time[[row - 1, row]] = candles.time[[row, row - 1]]
    with pytest.raises(DataError, match=rf"row {row + 1}: .* sort the rows"):
        check(candles)


def test_the_candle_before_a_batch_counts() -> None:
    candles = sound_candles(3)
    check(candles, after_ms=-HOUR_MS)
    with pytest.raises(DataError, match="row 1: a second candle"):
        check(candles, after_ms=0)
    with pytest.raises(DataError, match=r"row 1: .* sort the rows"):
        check(candles, after_ms=5 * HOUR_MS)


def test_many_faults_are_counted_and_the_first_shown() -> None:
    candles = sound_candles(30)
    candles.values[5:15, 3] = -1.0
    with pytest.raises(DataError, match=r"10 faulty rows; row 6: .*row 7: .*row 8: .*and 7 more"):
        check(candles)


def test_a_frame_keeps_every_bit() -> None:
    candles = sound_candles(10)
    again = Candles.of_frame(candles.frame())
    assert np.array_equal(again.values, candles.values)
    candles.values[:, 5] = np.nan
    assert "turnover" not in candles.frame()

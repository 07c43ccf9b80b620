"""Mark prices on bars: at the open, and the extremes where every piece of a bar is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.files.bar_marks import lay_marks
from bot.adapters.files.candles import Candles
from bot.timegrid import HOUR_MS

MINUTE_5 = HOUR_MS // 12


def candles(times: list[int], prices: list[float]) -> Candles:
    opened = np.array(prices, dtype=np.float64)
    values = np.column_stack(
        [opened, opened + 2.0, opened - 3.0, opened + 1.0, opened * 0.0, opened * math.nan]
    )
    return Candles(np.array(times, dtype=np.int64), values.reshape(len(times), 6))


@settings(max_examples=80, deadline=None)
@given(
    step=st.sampled_from([MINUTE_5, HOUR_MS // 2, HOUR_MS, 4 * HOUR_MS]),
    interval=st.sampled_from([MINUTE_5, HOUR_MS, 2 * HOUR_MS]),
    bars=st.lists(st.integers(0, 12), unique=True, min_size=1, max_size=12).map(sorted),
    there=st.lists(st.booleans(), min_size=300, max_size=300),
    seed=st.integers(0, 99),
)
def test_the_same_as_looked_up_one_by_one(
    step: int, interval: int, bars: list[int], there: list[bool], seed: int
) -> None:
    grid = np.array(bars, dtype=np.int64) * interval
    times = [t for k, t in enumerate(range(0, 14 * interval, step)) if there[k % 300] or k % 5]
    prices = np.random.default_rng(seed).uniform(50.0, 60.0, len(times)).tolist()
    opened, high, low = lay_marks(grid, candles(times, prices), step, interval)
    at = dict(zip(times, prices, strict=True))
    for i, open_time in enumerate(grid.tolist()):
        np.testing.assert_array_equal(opened[i], at.get(open_time, math.nan))
        pieces = range(open_time, open_time + interval, step)
        whole = interval % step == 0 and all(t in at for t in pieces)
        inside = [at[t] for t in pieces] if whole else [math.nan]
        np.testing.assert_array_equal(high[i], max(inside) + 2.0)
        np.testing.assert_array_equal(low[i], min(inside) - 3.0)


@pytest.mark.parametrize("column", [1, 2])
def test_an_extreme_that_was_not_believed_leaves_the_bar_without_it(column: int) -> None:
    marks = candles([0, HOUR_MS], [50.0, 51.0])
    marks.values[1, column] = math.nan
    _, high, low = lay_marks(np.array([0]), marks, HOUR_MS, 2 * HOUR_MS)
    assert np.isnan([high[0], low[0]]).tolist() == [column == 1, column == 2]


def test_without_mark_prices_nothing_is_known() -> None:
    for found in lay_marks(np.array([0, HOUR_MS]), Candles.empty(), HOUR_MS, HOUR_MS):
        assert np.isnan(found).all()

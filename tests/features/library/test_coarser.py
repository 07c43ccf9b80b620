"""Coarser bars against pandas' resample and an as-of join; and what is seen around their end."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app.parts.market import SYMBOLS
from bot.config.schema import Features
from bot.features.library.coarser import GROUPS
from bot.features.pipeline import FeaturePipeline
from bot.timegrid import DAY_MS, HOUR_MS, INTERVAL_MS, MINUTE_MS
from tests.features.library.conftest import Compute, market_of, own

NAMES = [name for group in GROUPS for name in group.names]


@pytest.mark.parametrize(
    ("interval_ms", "coarser", "n"),
    [
        (HOUR_MS, "4h", 300),
        (15 * MINUTE_MS, "4h", 700),
        (HOUR_MS, "1d", 700),
        (12 * HOUR_MS, "1d", 90),
    ],
)
def test_they_are_what_pandas_says(
    compute: Compute, interval_ms: int, coarser: str, n: int
) -> None:
    bars = market_of(n, interval_ms)
    gone = (bars.open_time // (2 * HOUR_MS) % 11 == 3)[
        :, None
    ]  # whole coarser bars, and ends of some
    bars = replace(bars, valid=bars.valid & ~gone)
    names = [f"{what}_{coarser}" for what in ("return", "log_range", "close_to_mean")]
    found = compute(bars, names, interval_ms, window=6)
    length = pd.Timedelta(milliseconds=INTERVAL_MS[coarser])
    interval = pd.Timedelta(milliseconds=interval_ms)
    for s in range(3):
        frame = own(bars, s)
        made = frame.resample(length).agg({"high": "max", "low": "min", "close": "last"}).dropna()
        made = made[made.index >= frame.index[0]]
        log_close = np.log(made.close)
        variance = np.log(made.high / made.low) ** 2 / (4 * np.log(2))
        made["return"] = log_close.diff()
        made["log_range"] = 0.5 * np.log(variance)
        made["close_to_mean"] = log_close - log_close.rolling(6).mean()
        made["at"] = made.index + length
        mine = pd.DataFrame({"at": pd.DatetimeIndex(frame.index) + interval})
        joined = pd.merge_asof(mine, made, on="at")
        for name, whole in zip(names, (2, 1, 6), strict=True):
            expected = joined[name.removesuffix(f"_{coarser}")].to_numpy().copy()
            needed = (whole + 1) * (length // interval) - 1
            expected[(frame.index - frame.index[0]) // interval + 1 < needed] = np.nan
            np.testing.assert_allclose(
                found[name][bars.valid[:, s], s], expected, rtol=1e-9, atol=1e-12, err_msg=name
            )
            assert np.isfinite(expected).any()


def test_a_bar_that_ends_with_the_coarser_one_sees_it_and_the_one_before_does_not(
    compute: Compute,
) -> None:
    made = market_of(110)
    whole = {
        name: np.nan_to_num(getattr(made, name), nan=99.0) for name in ("high", "low", "close")
    }
    bars = replace(made, **whole, valid=np.ones_like(made.valid))
    [last] = np.flatnonzero((bars.open_time + HOUR_MS) % DAY_MS == 0)[3:4]
    assert bars.open_time[last] % DAY_MS == 23 * HOUR_MS
    close = bars.close.copy()
    close[last] *= 1.1
    [a] = compute(bars, ["return_1d"]).values()
    [b] = compute(replace(bars, close=close), ["return_1d"]).values()
    np.testing.assert_array_equal(a[:last], b[:last])
    np.testing.assert_allclose(b[last] - a[last], np.log(1.1))
    np.testing.assert_array_equal(b[last], b[last + 23])


@settings(max_examples=30, deadline=None)
@given(st.integers(80, 199), st.lists(st.integers(0, 200), max_size=8), st.booleans())
def test_no_bar_sees_a_later_one_across_a_boundary(
    after: int, cuts: list[int], missing: bool
) -> None:
    bars, other = market_of(200), market_of(260).rows(60, 260)
    future = np.arange(200)[:, None] > after
    changed = {
        name: np.where(future, getattr(other, name), getattr(bars, name))
        for name in ("open", "high", "low", "close", "volume")
    }
    valid = np.where(future, other.valid & ~missing, bars.valid)
    pipeline = FeaturePipeline(Features(names=tuple(NAMES), window=2), SYMBOLS, HOUR_MS)
    rows = []
    for given_bars, edges in (
        (bars, [0, 200]), (replace(bars, **changed, valid=valid), [0, *sorted(cuts), 200]),
    ):  # fmt: skip
        state, parts = pipeline.initial(), []
        for start, stop in pairwise(edges):
            state, block = pipeline.advance(state, given_bars.rows(start, stop))
            parts.append(block.x)
        rows.append(np.concatenate(parts)[: after + 1])
    assert rows[0].tobytes() == rows[1].tobytes()
    assert np.isfinite(rows[0]).any()


def test_they_are_left_out_where_a_bar_lasts_as_long(compute: Compute) -> None:
    names = FeaturePipeline(Features(names=("rsi", *NAMES)), SYMBOLS, 4 * HOUR_MS).names
    assert names == ("rsi", *GROUPS[1].names)
    assert FeaturePipeline(Features(names=("rsi", *NAMES)), SYMBOLS, DAY_MS).names == ("rsi",)

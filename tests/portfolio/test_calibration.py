"""Calibration: the stream against a batch calculation in pandas, and its error under no skill."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import F64, BarBlock
from bot.portfolio.calibration import (
    Calibrated,
    CalibrationState,
    block_days,
    calibrate,
    from_arrays,
    new_calibration,
    slope_of,
    to_arrays,
    uncalibrated,
)
from bot.timegrid import DAY_MS, HOUR_MS

START_MS = 1_672_531_200_000


def world(
    n: int, n_symbols: int, seed: int, *, skill: float = 0.0, gaps: float = 0.0
) -> tuple[BarBlock, F64, F64]:
    """Return bars of a random walk, with signals and volatilities."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0.0, 0.004, (n, 1))
    returns = common + rng.normal(0.0, 0.004, (n, n_symbols))
    close = 100.0 * np.exp(np.cumsum(returns, axis=0))
    signal = rng.normal(0.0, 0.002, (n, n_symbols))
    signal[:-1] += skill * returns[1:]
    signal[rng.random(signal.shape) < gaps] = np.nan
    volatility = rng.uniform(0.003, 0.009, signal.shape)
    hidden = rng.random(signal.shape) < gaps
    times = START_MS + HOUR_MS * np.arange(n, dtype=np.int64)
    shown = np.where(hidden, np.nan, close)
    bars = BarBlock.of_candles(times, shown, shown, shown, shown, np.ones_like(close))
    return bars, signal, volatility


def in_blocks(
    cuts: Sequence[int], state: CalibrationState, days: int, bars: BarBlock, *given: F64
) -> tuple[CalibrationState, list[Calibrated]]:
    edges = [0, *sorted(set(cuts) - {0, len(bars)}), len(bars)]
    found = []
    for a, b in itertools.pairwise(edges):
        signal, volatility = (array[a:b] for array in given)
        state, known = calibrate(
            state, bars.rows(a, b), signal, volatility, bound=np.abs(signal), days=days
        )
        state = from_arrays(to_arrays(state))
        found.append(known)
    return state, found


def batch(
    bars: BarBlock, signal: F64, volatility: F64, horizon: int, days: int, at: int
) -> tuple[float, float, int]:
    """Return slope, error and days as known at a bar's close, from all rows at once."""
    n = at + 1 - horizon
    realised = bars.close[horizon : at + 1] / bars.close[:n] - 1.0
    weight = 1.0 / (volatility[:n] ** 2 * horizon)
    rows = pd.DataFrame(
        {
            "day": np.repeat(bars.open_time[:n] // DAY_MS, signal.shape[1]),
            "a": (weight * signal[:n] * realised).ravel(),
            "q": (weight * signal[:n] ** 2 + 0.0 * realised).ravel(),
        }
    ).dropna()
    rows["block"] = rows.day // days
    rows = rows[rows.block < rows.block.max()]
    sums = rows.groupby("block")[["a", "q"]].sum()
    b, G = sums.a.sum() / sums.q.sum(), len(sums)
    error = np.sqrt(((sums.a - b * sums.q) ** 2).sum() * G / (G - 1)) / sums.q.sum()
    return b, error, rows.day.nunique()


@pytest.mark.parametrize("horizon", [1, 5, 24, 72])
def test_the_stream_is_the_batch(horizon: int) -> None:
    bars, signal, volatility = world(3000, 3, horizon, skill=0.2, gaps=0.05)
    days = block_days(horizon, HOUR_MS)
    _, [known] = in_blocks([], new_calibration(3, horizon), days, bars, signal, volatility)
    for at in (1500, 2222, 2999):
        slope, error, scored = batch(bars, signal, volatility, horizon, days, at)
        np.testing.assert_allclose(known.slope[at], slope, rtol=1e-12)
        np.testing.assert_allclose(known.error[at], error, rtol=1e-12)
        assert known.days[at] == scored


@given(cuts=st.lists(st.integers(1, 499), max_size=30), horizon=st.sampled_from([1, 5, 30]))
def test_any_cuts_give_the_same_bits(cuts: list[int], horizon: int) -> None:
    given_ = world(500, 2, 3, gaps=0.1)
    whole, [known] = in_blocks([], new_calibration(2, horizon), 1, *given_)
    after, parts = in_blocks(cuts, new_calibration(2, horizon), 1, *given_)
    for name in ("slope", "error", "days"):
        cut = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(cut, getattr(known, name))
    for mine, theirs in zip(to_arrays(after).values(), to_arrays(whole).values(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_slope_knows_no_later_close() -> None:
    bars, signal, volatility = world(900, 2, 4)
    close = bars.close.copy()
    close[600:] *= 1.5
    other = BarBlock.of_candles(bars.open_time, close, close, close, close, np.ones_like(close))
    _, [known] = in_blocks([], new_calibration(2, 5), 1, bars, signal, volatility)
    _, [changed] = in_blocks([], new_calibration(2, 5), 1, other, signal, volatility)
    np.testing.assert_array_equal(known.slope[:600], changed.slope[:600])
    assert known.slope[-1] != changed.slope[-1]


def test_a_block_is_of_five_horizons_and_a_day_at_least() -> None:
    asked = [(1, 60_000), (5, HOUR_MS), (24, HOUR_MS), (72, HOUR_MS), (5, DAY_MS)]
    assert [block_days(h, ms) for h, ms in asked] == [1, 1, 5, 15, 25]


def test_a_slope_is_known_once_two_blocks_are_over() -> None:
    """The first row of the third day is scored at the bar after it."""
    _, [known] = in_blocks([], new_calibration(2, 1), 1, *world(80, 2, 8))
    assert np.flatnonzero(np.isfinite(known.slope))[0] == 49
    assert [known.days[24], known.days[25], known.days[49]] == [0, 1, 2]


def test_a_pending_row_weighs_as_its_variance_over_the_horizon() -> None:
    bars, signal, volatility = world(6, 1, 8)
    state, _ = in_blocks([], new_calibration(1, 4), 1, bars, signal, volatility)
    assert state.place.tolist() == [2]
    latest_four = volatility[[4, 5, 2, 3], 0]
    np.testing.assert_allclose(state.weight[0], 1.0 / (latest_four**2 * 4.0), rtol=1e-12)


def test_the_date_changes_no_slope() -> None:
    """Block 0, of the first day that a clock of milliseconds knows, is a block as others are."""
    bars, signal, volatility = world(200, 2, 8)
    first = replace(bars, open_time=bars.open_time - START_MS)
    _, [known] = in_blocks([], new_calibration(2, 1), 1, bars, signal, volatility)
    _, [early] = in_blocks([], new_calibration(2, 1), 1, first, signal, volatility)
    for name in ("slope", "error", "days"):
        np.testing.assert_array_equal(getattr(early, name), getattr(known, name))


def test_a_state_comes_back_from_its_arrays_as_it_was() -> None:
    state, _ = calibrate(new_calibration(2, 3), *world(80, 2, 8), world(80, 2, 8)[1], days=1)
    back = from_arrays(to_arrays(state))
    for mine, theirs in zip(back, state, strict=True):
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
        assert mine.tobytes() == theirs.tobytes()


def test_signals_a_thousandth_as_large_have_a_slope_a_thousand_times_as_large() -> None:
    """Whatever their scale: of so small ones the sums are far below one."""
    bars, signal, volatility = world(200, 2, 8)
    _, [known] = in_blocks([], new_calibration(2, 3), 1, bars, signal, volatility)
    _, [small] = in_blocks([], new_calibration(2, 3), 1, bars, signal / 1000.0, volatility)
    np.testing.assert_allclose(small.slope, 1000.0 * known.slope, rtol=1e-9)
    np.testing.assert_allclose(small.error, 1000.0 * known.error, rtol=1e-9)


def test_the_slope_that_a_state_tells_is_that_of_its_last_bar() -> None:
    bars, signal, volatility = world(80, 2, 8)
    for n in (49, 50, 80):
        state, [known] = in_blocks(
            [], new_calibration(2, 1), 1, bars.rows(0, n), signal[:n], volatility[:n]
        )
        slope, error = slope_of(state)
        assert (slope is None) == (error is None) == (n < 50)
        if slope is not None:
            assert (slope, error) == (known.slope[-1], known.error[-1])


def test_a_symbol_out_of_session_keeps_the_others_scored() -> None:
    """The first symbol's venue is closed at odd bars; the second is as it is alone."""
    bars, signal, volatility = world(400, 2, 9)
    closed = bars.in_session.copy()
    closed[1::2, 0] = False
    both = replace(bars, in_session=closed, valid=bars.valid & closed)
    alone = {
        name: getattr(bars, name)[:, 1:] for name in ("open", "high", "low", "close", "volume")
    }
    second = BarBlock.of_candles(bars.open_time, **alone)
    one, _ = in_blocks([], new_calibration(1, 5), 1, second, signal[:, 1:], volatility[:, 1:])
    none = np.array([[np.nan, 1.0]]) * signal
    two, _ = in_blocks([], new_calibration(2, 5), 1, both, none, volatility)
    assert one.sums.tobytes() == two.sums.tobytes()


def test_without_a_calibration_nothing_is_known() -> None:
    known = uncalibrated(3)
    assert np.isnan(known.slope).all()
    assert np.isnan(known.error).all()
    assert known.days.tolist() == [0, 0, 0]


def test_signals_that_say_nothing_are_worth_nothing() -> None:
    bars, signal, volatility = world(200, 1, 5)
    _, [known] = in_blocks([], new_calibration(1, 5), 1, bars, 0.0 * signal, volatility)
    assert (known.slope[-1], known.error[-1]) == (0.0, 0.0)
    assert known.days[-1] > 5
    assert np.isnan(known.slope[:24]).all()


def test_what_has_no_volatility_is_not_scored() -> None:
    bars, signal, volatility = world(200, 1, 6)
    for odd in (0.0, np.nan, np.inf):
        _, [known] = in_blocks(
            [], new_calibration(1, 5), 1, bars, signal, np.full_like(volatility, odd)
        )
        assert known.days[-1] == 0


def test_bars_out_of_session_are_not_counted_by_the_horizon() -> None:
    """Closing hours in between change no figure, as targets do not count them."""
    bars, signal, volatility = world(48, 1, 7)
    day = np.arange(96) % 2 == 0
    times = START_MS + 12 * HOUR_MS * np.arange(96, dtype=np.int64)

    def spread(values: F64) -> F64:
        out = np.full((96, 1), np.nan)
        out[day] = values
        return out

    close = spread(bars.close)
    sparse = BarBlock.of_candles(times, close, close, close, close, np.ones_like(close))
    sparse.in_session[~day] = False
    daily = BarBlock.of_candles(
        times[day], bars.close, bars.close, bars.close, bars.close, np.ones_like(bars.close)
    )
    plain, [_] = in_blocks([], new_calibration(1, 5), 2, daily, signal, volatility)
    gaps, [_] = in_blocks([], new_calibration(1, 5), 2, sparse, spread(signal), spread(volatility))
    for name in ("a", "q", "aa", "aq", "qq", "days", "blocks"):
        assert plain.sums[name] == gaps.sums[name], name


@pytest.mark.parametrize("horizon", [1, 5, 24, 72])
def test_without_skill_the_slope_is_within_its_error(horizon: int) -> None:
    """b / SE of a martingale has a deviation of one: 300 worlds tell it to about 0.04."""
    days = block_days(horizon, HOUR_MS)
    scores = []
    for seed in range(300):
        bars, signal, volatility = world(6000, 3, 1000 + seed)
        smooth = pd.DataFrame(signal).ewm(span=2 * horizon).mean().to_numpy()
        _, [known] = in_blocks([], new_calibration(3, horizon), days, bars, smooth, volatility)
        scores.append(known.slope[-1] / known.error[-1])
    assert abs(np.mean(scores)) < 0.25
    assert 0.85 < np.std(scores) < 1.2, np.std(scores)

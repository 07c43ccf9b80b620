"""Seasonality against pandas, which looks the lags up by time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bot.errors import ConfigError
from bot.features.library.seasons import RANGE, VOLUME
from bot.timegrid import DAY_MS, HOUR_MS
from tests.features.library.conftest import Compute, market_of, own

DAYS = {"7d": range(1, 8), "28d": range(1, 29), "week": (7, 14, 21, 28)}


def oracle(y: pd.Series, ahead: int, window: int, power: float) -> dict[str, pd.Series]:
    """Return the six features of one symbol's series, by name less what it is of."""
    level = y.rolling(window).mean()
    after = y.rolling(ahead).mean().shift(-ahead)
    known_at = pd.Series(y.index, index=y.index).shift(-ahead)
    found = {}
    for span, days in DAYS.items():
        usual, coming = [], []
        for lag in (pd.Timedelta(days=day) for day in days):
            then = pd.DatetimeIndex(y.index) - lag
            usual.append(y.reindex(then).to_numpy())
            known = (known_at.reindex(then) <= y.index).to_numpy()
            coming.append(np.where(known, after.reindex(then).to_numpy(), np.nan))
        logs = [
            pd.DataFrame(np.transpose(values), index=y.index)
            .div(level, axis=0)
            .pow(power)
            .clip(1e-3, 1e3)
            .map(np.log)
            .mean(axis=1)
            .fillna(0.0)
            for values in (usual, coming)
        ]
        old_enough = (y.index - y.index[0] >= pd.Timedelta(days=max(days))) & level.notna()
        now = np.log((y / level).pow(power).clip(1e-3, 1e3))
        found[f"adjusted_{span}"] = (now - logs[0]).where(old_enough)
        found[f"seasonal_{span}"] = logs[1].where(old_enough)
    return found


@pytest.mark.parametrize(
    ("interval_ms", "ahead", "n"),
    [(HOUR_MS, 5, 1500), (HOUR_MS, 40, 800), (4 * HOUR_MS, 1, 700), (DAY_MS, 3, 90)],
)
def test_they_are_what_pandas_says(compute: Compute, interval_ms: int, ahead: int, n: int) -> None:
    bars = market_of(n, interval_ms)
    found = compute(bars, [*VOLUME.names, *RANGE.names], interval_ms, seasonal_bars=ahead)
    for s in range(3):
        frame = own(bars, s)
        variance = np.log(frame.high / frame.low) ** 2 / (4 * np.log(2))
        of = {"volume": (frame.volume, 1.0), "range": (variance, 0.5)}
        for what, (series, power) in of.items():
            for name, expected in oracle(series, ahead, 20, power).items():
                mine = found[f"{what}_{name}"][bars.valid[:, s], s]
                np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-9, err_msg=name)
                assert np.isfinite(mine).any()


def test_a_day_of_the_week_that_is_busy_is_foretold(compute: Compute) -> None:
    bars = market_of(24 * 7 * 6)
    monday = pd.to_datetime(bars.open_time, unit="ms").day_of_week == 0
    volume = np.where(monday, 50.0, 10.0)[:, None] * np.ones((1, 3))
    there = replace(bars, volume=volume, valid=np.ones_like(bars.valid))
    found = compute(there, ["volume_seasonal_week", "volume_adjusted_week"], seasonal_bars=4)
    sunday_evening = np.flatnonzero(monday[1:] & ~monday[:-1])[-1]
    assert found["volume_seasonal_week"][sunday_evening, 0] == pytest.approx(np.log(5.0))
    np.testing.assert_allclose(found["volume_adjusted_week"][24 * 28 :], 0.0, atol=1e-12)


def test_to_look_further_ahead_than_a_lag_is_long_is_refused(compute: Compute) -> None:
    bars = market_of(50, DAY_MS)
    with pytest.raises(ConfigError, match=r"features\.seasonal_bars = 8: .* last 7 days .* 7 bars"):
        compute(bars, ["range_seasonal_7d"], DAY_MS, seasonal_bars=8)
    [found] = compute(bars, ["range_seasonal_28d"], DAY_MS, seasonal_bars=8).values()
    assert (found[40:][bars.valid[40:]] != 0.0).all()
    compute(bars, ["range_adjusted_7d"], DAY_MS, seasonal_bars=8)


def test_hours_that_a_symbol_never_traded_are_as_usual(compute: Compute) -> None:
    """A bar on Saturday, of a symbol that trades on weekdays."""
    bars = market_of(24 * 7 * 6)
    day = pd.to_datetime(bars.open_time, unit="ms").day_of_week
    saturdays = np.flatnonzero(day == 5)
    valid = np.repeat((day < 5)[:, None], 3, axis=1)
    valid[saturdays[-1]] = True
    quiet = replace(bars, valid=valid, volume=np.full(bars.volume.shape, 7.0))
    found = compute(quiet, ["volume_adjusted_week", "volume_seasonal_week"])
    assert found["volume_adjusted_week"][saturdays[-1], 0] == 0.0
    assert found["volume_seasonal_week"][saturdays[-1], 0] == 0.0

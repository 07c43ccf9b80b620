"""Funding and basis: against pandas, where all is known, and by example where not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bot.features.library.funding import GROUP
from bot.timegrid import DAY_MS, HOUR_MS
from tests.features.library.conftest import Compute, market_of

SETTLEMENTS = {HOUR_MS: 1, 4 * HOUR_MS: 1, 12 * HOUR_MS: 2, DAY_MS: 3}


@pytest.mark.parametrize("interval_ms", SETTLEMENTS)
def test_they_are_what_pandas_says(compute: Compute, interval_ms: int) -> None:
    bars = market_of(300, interval_ms)
    random = np.random.default_rng(1)
    settles = (bars.open_time % (8 * HOUR_MS) == 0)[:, None]
    rate = np.where(settles, random.normal(1e-4, 1e-4, bars.close.shape), 0.0)
    longer = interval_ms > 8 * HOUR_MS
    within = random.normal(1e-4, 1e-4, bars.close.shape) * longer
    there = np.ones_like(bars.valid)
    mark = bars.mark.copy()
    mark[:3] = 100.0
    price = np.nan_to_num(bars.open, nan=100.0)
    whole = replace(
        bars, open=price, close=price, high=price, low=price, funding_rate=rate,
        funding_inside=within * price, mark=mark, valid=there, volume=np.ones_like(price),
    )  # fmt: skip
    found = compute(whole, GROUP.names, interval_ms)
    paid = pd.DataFrame(rate + within)
    last = paid.where(paid != 0.0).ffill()
    three_days = paid.rolling(3 * DAY_MS // interval_ms).sum() / 3
    basis = pd.DataFrame(mark / price - 1.0).ffill()
    begun = max(8 * HOUR_MS // interval_ms, 1) - 1
    expected = {
        "funding_rate": last.where(last.index.to_series() >= begun),
        "funding_mean_3d": three_days,
        "basis": basis,
        "basis_24": basis.rolling(24).mean(),
    }
    for name, frame in expected.items():
        np.testing.assert_allclose(found[name], frame, rtol=1e-9, atol=1e-15, err_msg=name)


def test_what_is_not_known_is_the_last_known(compute: Compute) -> None:
    bars = market_of(100)
    rate = np.zeros_like(bars.close)
    rate[10], rate[18], rate[26] = 1e-4, np.nan, 2e-4
    mark = np.full_like(rate, np.nan)
    mark[5] = 1.01 * bars.open[5]
    gone = np.arange(100)[:, None] == 26
    some = replace(
        bars, funding_rate=rate, mark=mark,
        valid=~gone & (np.arange(100)[:, None] >= 0) & np.ones_like(bars.valid),
        open=np.nan_to_num(bars.open, nan=100.0),
    )  # fmt: skip
    found = compute(some, ["funding_rate", "funding_mean_3d", "basis"])
    of = found["funding_rate"][:, 0]
    assert np.isnan(of[:10]).all()
    assert (of[10:26] == 1e-4).all()
    assert np.isnan(of[26])
    assert (of[27:] == 2e-4).all()  # it settled in a bar that is missing
    assert found["funding_mean_3d"][75, 0] == pytest.approx((1e-4 + 1e-4 + 2e-4) / 3)
    basis = found["basis"][:, 1]
    assert np.isnan(basis[:5]).all()
    np.testing.assert_allclose(np.delete(basis[5:], 21), mark[5, 1] / some.open[5, 1] - 1.0)


def test_settlements_inside_that_are_not_known_count_as_the_last(compute: Compute) -> None:
    bars = market_of(20, DAY_MS)
    whole = np.ones_like(bars.valid)
    rate = np.full_like(bars.close, 1e-4)
    unknown = np.zeros_like(rate)
    unknown[10] = 2.0
    daily = replace(
        bars, valid=whole, funding_rate=rate, funding_inside_unknown=unknown, open=np.full_like(rate, 9.0)
    )  # fmt: skip
    found = compute(daily, ["funding_rate", "funding_mean_3d"], DAY_MS)
    assert found["funding_rate"][10, 0] == pytest.approx(3e-4)
    assert found["funding_mean_3d"][11, 0] == pytest.approx(5e-4 / 3)

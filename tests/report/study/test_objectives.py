"""What a search seeks, against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bot.report.study.endpoints import Endpoint
from bot.report.study.objectives import days_of, net_return_less_error, skill_of
from bot.timegrid import HOUR_MS


def test_days_and_the_return_less_its_error() -> None:
    random = np.random.default_rng(4)
    times = HOUR_MS * (7 + np.arange(500))
    returns = 0.01 * random.standard_normal(500) + 0.001
    series = pd.Series(returns, index=pd.to_datetime(times, unit="ms"))
    days = series.resample("D")
    assert days_of(returns, times) == pytest.approx((days.apply(lambda r: (1 + r).prod()) - 1).to_numpy())  # fmt: skip
    sums = days.sum()
    error = sums.std() * np.sqrt(len(sums)) / 500 * 8760
    wanted = returns.mean() * 8760 - error
    assert net_return_less_error(returns, times, 8760.0) == pytest.approx(wanted)
    assert net_return_less_error(returns[:5], times[:5], 8760.0) is None
    assert net_return_less_error(np.zeros(500), times, 8760.0) == 0.0


def endpoint(name: str, value: float) -> Endpoint:
    return Endpoint(name, False, True, sums=np.array([[value]]), statistic=lambda s: s[..., 0], min_block=1)  # fmt: skip


def test_skill_is_the_mean_over_horizons_and_heads() -> None:
    found = [
        endpoint("return rank IC", 9.0), endpoint("return MSE skill, 1 bar", 0.1),
        endpoint("return MSE skill, 5 bars", 0.3), endpoint("volatility QLIKE skill, 1 bar", 0.5),
        endpoint("volatility QLIKE skill against HAR", 7.0), endpoint("direction Brier skill", -0.2),
    ]  # fmt: skip
    assert skill_of(found, "return_skill") == pytest.approx(0.2)
    assert skill_of(found, "volatility_skill") == pytest.approx(0.5)
    assert skill_of(found, "volume_skill") is None
    assert skill_of(found, "skill") == pytest.approx((0.1 + 0.3 + 0.5 - 0.2) / 4)
    assert skill_of([endpoint("return MSE skill", np.nan)], "skill") is None

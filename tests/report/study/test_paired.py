"""Finished runs side by side: the same days, whatever their bars, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest

from bot.report.study.paired import Curve, common_span, compared, daily_returns
from bot.timegrid import DAY_MS, HOUR_MS


def curve(
    name: str, step: int, start: int, returns: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> Curve:
    equity = 100.0 * np.concatenate(([1.0], np.cumprod(1.0 + returns)))
    return Curve(name, start + step * np.arange(len(equity)), equity)


def test_days_are_those_that_all_traded_whatever_their_bars() -> None:
    hours = np.random.default_rng(1).normal(0.0, 0.001, 24 * 10)
    fine = curve("fine", HOUR_MS, 5 * HOUR_MS, hours)
    days = fine.equity[19::24][1:] / fine.equity[19::24][:-1] - 1.0  # midnights
    coarse = curve("coarse", DAY_MS, DAY_MS, days)
    assert common_span([fine, coarse]) == (DAY_MS, DAY_MS * (1 + len(days)))
    found = compared([fine, coarse], 200)
    np.testing.assert_allclose(found.days["fine"], days, rtol=1e-12)
    np.testing.assert_allclose(found.days["coarse"], days, rtol=1e-12)
    whole = daily_returns(fine, int(fine.time[0]), int(fine.time[-1]))
    assert np.prod(1.0 + whole) == pytest.approx(fine.equity[-1] / fine.equity[0])


def test_a_difference_is_paired_and_its_interval_covers() -> None:
    covered = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        market = random.normal(0.0, 0.03, 500)  # moves both alike, and cancels
        ours, theirs = market + random.normal(0.0005, 0.002, 500), market
        (told,) = compared(
            [curve("a", DAY_MS, 0, ours), curve("b", DAY_MS, 0, theirs)], 300
        ).differences
        assert told.net_return is not None
        assert told.net_return.low is not None
        assert told.net_return.high is not None
        assert told.net_return.value == pytest.approx(float((ours - theirs).mean()) * 365.25)
        assert told.net_return.high - told.net_return.low < 0.3  # unpaired: about 1.4
        covered += told.net_return.low <= 0.0005 * 365.25 <= told.net_return.high
    assert covered >= 52


def test_after_a_bankruptcy_a_run_earns_nothing() -> None:
    lost = Curve("lost", DAY_MS * np.arange(5), np.array([100.0, 50.0, -3.0, -3.0, 40.0]))
    np.testing.assert_array_equal(daily_returns(lost, 0, 4 * DAY_MS), [-0.5, -1.0, 0.0, 0.0])

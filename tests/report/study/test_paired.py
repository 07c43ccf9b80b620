"""Finished runs side by side: the same days, whatever their bars, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console

from bot.report.study.paired import (
    Curve,
    RunsCompared,
    common_span,
    compared,
    daily_returns,
    render,
)
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


def test_many_pairs_are_corrected_together() -> None:
    random = np.random.default_rng(7)
    days = random.normal(0.0, 0.01, (4, 400)) + np.array([[0.0014], [0.0], [0.0], [0.0]])
    curves = [curve(name, DAY_MS, 0, row) for name, row in zip("abcd", days, strict=True)]
    found = compared(curves, 999)
    p = [d.p for d in found.differences]
    assert all(x is not None for x in p)
    first, second, third = sorted(x for x in p if x is not None)
    adjusted = [min(1.0, 3 * first)]
    adjusted.append(max(adjusted[0], min(1.0, 2 * second)))
    adjusted.append(max(adjusted[1], third))
    assert sorted(d.p_holm for d in found.differences) == pytest.approx(adjusted)
    assert "corrected after Holm for all 3 pairs" in " ".join(shown(found).split())
    (alone,) = compared(curves[:2], 999).differences
    assert alone.p_holm == alone.p
    assert "Holm" not in shown(compared(curves[:2], 999))


def test_p_of_nothing_is_even_and_of_much_is_small() -> None:
    small = 0
    for seed in range(100):
        random = np.random.default_rng(1000 + seed)
        both = [curve(n, DAY_MS, 0, random.normal(0.0, 0.01, 300)) for n in "ab"]
        (d,) = compared(both, 199).differences
        assert d.p is not None
        small += d.p < 0.1
    assert 3 <= small <= 20
    random = np.random.default_rng(1)
    sure = curve("sure", DAY_MS, 0, random.normal(0.01, 0.001, 300))
    other = curve("other", DAY_MS, 0, random.normal(0.0, 0.01, 300))
    assert compared([sure, other], 199).differences[0].p == 1.0 / 200.0


@pytest.mark.parametrize("n", [5, 300])
def test_a_run_that_never_traded_is_said_to_be_without_variance(n: int) -> None:
    flat = curve("flat", DAY_MS, 0, np.zeros(n))
    moved = curve("moved", DAY_MS, 0, np.random.default_rng(3).normal(0.0, 0.01, n))
    found = compared([flat, moved], 200)
    (d,) = found.differences
    assert d.sharpe is None
    assert d.missing["sharpe"] == "no ratio: the equity of flat does not vary"
    assert ("net_return" in d.missing) == (n == 5)
    told = shown(found)
    assert "the equity of flat does not vary" in told
    assert ("too few days for an interval: 5, at least" in told) == (n == 5)
    (both,) = compared([flat, curve("idle", DAY_MS, 0, np.zeros(n))], 200).differences
    assert both.missing["sharpe"] == "no ratio: the equity of flat and idle does not vary"
    assert both.p == (None if n == 5 else 1.0)


def test_a_run_that_traded_on_few_days_has_no_interval_of_its_ratio_and_enough_days() -> None:
    seldom = np.zeros(400)
    seldom[100:102] = [0.01, -0.02]
    moved = np.random.default_rng(4).normal(0.0, 0.01, 400)
    found = compared([curve("a", DAY_MS, 0, seldom), curve("b", DAY_MS, 0, moved)], 400)
    (d,) = found.differences
    assert d.sharpe is not None
    assert d.sharpe.low is None
    assert d.missing == {"sharpe": "no interval: too few days on which equity moves, so that some "
                         "resamples have none"}  # fmt: skip


def shown(found: RunsCompared) -> str:
    console = Console(width=300)
    with console.capture() as captured:
        console.print(render(found))
    return captured.get()

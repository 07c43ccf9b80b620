"""Figures of equity curves against pandas and brute force."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bot.blocks import F64
from bot.report.money import metrics
from bot.report.money.trials import Tried

HOUR_MS = 3_600_000.0
A = 8760.0
CURVES = arrays(np.float64, st.integers(1, 40), elements=st.floats(0.01, 1e6))


def figures(curve: F64, trials: int = 1) -> metrics.Figures:
    n = len(curve) - 1
    tried = Tried(trials, trials, (), (), 0, 1, "")
    return metrics.equity_metrics(curve[1:], float(curve[0]), A, n * HOUR_MS, tried)


@pytest.fixture(scope="module")
def curve() -> F64:
    moves = np.random.default_rng(5).standard_t(4, 2000) * 0.01 + 0.0003
    return 1000.0 * np.concatenate(([1.0], np.cumprod(1.0 + moves)))


def test_against_pandas(curve: F64) -> None:
    equity = pd.Series(curve)
    r = equity.pct_change().dropna()
    got = figures(curve)
    total = equity.iloc[-1] / equity.iloc[0] - 1
    downside = math.sqrt((r.clip(upper=0.0) ** 2).mean())
    expected = {
        "bars": 2000,
        "total_return": total,
        "annualized_return": (1 + total) ** (A / 2000) - 1,
        "annualized_volatility": r.std() * math.sqrt(A),
        "sharpe_ratio": r.mean() / r.std() * math.sqrt(A),
        "sortino_ratio": r.mean() / downside * math.sqrt(A),
        "sortino_ratio_negative_std": r.mean() / r[r < 0].std() * math.sqrt(A),
        "max_drawdown": -(equity / equity.cummax() - 1).min(),
        "cagr": (1 + total) ** (365.25 * 24 / 2000) - 1,
    }
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, rel=1e-9), name
    annual, drawdown = expected["annualized_return"], expected["max_drawdown"]
    assert got["calmar_ratio"] == pytest.approx(annual / drawdown)
    assert got["deflated_sharpe"] is None


def test_trials_deflate(curve: F64) -> None:
    got = figures(curve, trials=50)
    deflated, sure = got["deflated_sharpe"], got["probabilistic_sharpe"]
    assert deflated is not None
    assert sure is not None
    assert deflated < sure


def test_two_trials_deflate_and_one_does_not(curve: F64) -> None:
    assert figures(curve, trials=2)["deflated_sharpe"] is not None
    n = len(curve) - 1
    alone = metrics.equity_metrics(curve[1:], float(curve[0]), A, n * HOUR_MS)
    assert alone["sharpe_ratio"] is not None
    assert alone["deflated_sharpe"] is None


def test_the_unit_of_the_account_changes_nothing(curve: F64) -> None:
    """A thousand in one currency is a thousandth in another."""
    got, other = figures(curve, trials=5), figures(curve * 1e-6, trials=5)
    assert got == {k: v if v is None else pytest.approx(v, rel=1e-9) for k, v in other.items()}


def test_bars_that_do_not_move_are_no_losses() -> None:
    r = np.array([0.01, -0.02, 0.0, 0.03, -0.01, 0.0, 0.0, -0.015])
    curve = (100.0 * np.cumprod(np.concatenate((np.ones(1), 1.0 + r)))).astype(np.float64)
    got = figures(curve)
    losses = np.array([-0.02, -0.01, -0.015])
    expected = math.sqrt(A) * r.mean() / losses.std(ddof=1)
    assert got["sortino_ratio_negative_std"] == pytest.approx(expected)


def test_what_is_not_finite_is_none() -> None:
    given_ = {"a": math.inf, "b": -math.inf, "c": math.nan, "d": None, "e": 1.5, "f": 0, "g": 0.0}
    nothing: metrics.Figures = dict.fromkeys("abcd")
    assert metrics.finite(given_) == {**nothing, "e": 1.5, "f": 0, "g": 0.0}


def test_a_pace_beyond_all_numbers_is_none() -> None:
    """e^60 within 30 days is e^730 a year, which is not a float; e^50 is."""
    for power, expected in (
        (60.0, None),
        (50.0, pytest.approx(math.exp(50.0 * A / 720), rel=1e-9)),
    ):
        got = figures(np.exp(np.linspace(0.0, power, 721)))
        assert got["annualized_return"] == expected


@given(CURVES)
def test_drawdown_by_brute_force(curve: F64) -> None:
    worst = max(1.0 - curve[j] / curve[i] for i in range(len(curve)) for j in range(i, len(curve)))
    assert metrics.max_drawdown(curve) == pytest.approx(worst, abs=1e-12)


@given(CURVES)
def test_time_under_water_by_brute_force(curve: F64) -> None:
    longest = current = 0
    for i in range(len(curve)):
        current = current + 1 if curve[i] < curve[: i + 1].max() else 0
        longest = max(longest, current)
    assert metrics.longest_under_water(curve) == longest


@given(arrays(np.float64, st.integers(2, 30), elements=st.floats(-1e6, 1e6)), st.integers(1, 9))
def test_a_figure_is_finite_or_none(moves: F64, trials: int) -> None:
    got = figures(np.concatenate(([1000.0], 1000.0 + np.cumsum(moves))), trials)
    assert all(v is None or math.isfinite(v) for v in got.values()), got


@pytest.mark.parametrize("growth", [1.0, 1.001])
def test_no_ratios_without_variance(growth: float) -> None:
    got = figures(1000.0 * growth ** np.arange(30.0))
    assert got["total_return"] == pytest.approx(growth**29 - 1)
    for name in ("sharpe_ratio", "sharpe_error", "calmar_ratio", "annualized_volatility"):
        assert got[name] is None
    assert got["sortino_ratio"] is got["sortino_ratio_negative_std"] is None


def test_losses_all_alike_have_no_deviation() -> None:
    got = figures(1000.0 * 0.999 ** np.arange(30.0))
    assert got["sortino_ratio"] == pytest.approx(-math.sqrt(A))
    assert got["sortino_ratio_negative_std"] is None


def test_one_bar_has_a_return_and_no_ratio() -> None:
    got = figures(np.array([100.0, 101.0]))
    assert got["total_return"] == pytest.approx(0.01)
    assert got["sharpe_ratio"] is None
    assert got["annualized_volatility"] is None


def test_ruin_leaves_only_what_has_meaning() -> None:
    got = figures(np.array([100.0, 50.0, -10.0, 20.0]))
    assert got["total_return"] == pytest.approx(-0.8)
    assert got["max_drawdown"] == 1.0
    assert got["longest_under_water_bars"] == 3
    given_all_the_same = {"bars", "total_return", "max_drawdown", "longest_under_water_bars"}
    assert {name for name, value in got.items() if value is not None} == given_all_the_same


@pytest.mark.parametrize("last", [0.0, -1e-9, -500.0])
def test_an_account_that_ends_with_nothing_is_ruined(last: float) -> None:
    got = figures(np.concatenate((np.linspace(100.0, 50.0, 800), [last])))
    assert got["max_drawdown"] == 1.0
    assert got["cagr"] is got["sharpe_ratio"] is None


def test_an_empty_curve_has_no_bars_and_made_nothing() -> None:
    got = metrics.equity_metrics(np.empty(0), 100.0, A, 0.0)
    assert got.pop("bars") == 0
    assert got.pop("total_return") == 0.0
    assert got.pop("max_drawdown") == 0.0
    assert got.pop("longest_under_water_bars") == 0
    assert set(got.values()) == {None}


@pytest.mark.parametrize(("bars", "given"), [(60, False), (719, False), (720, True), (2000, True)])
def test_a_return_of_less_than_thirty_days_is_not_compounded_to_a_year(
    bars: int, given: bool
) -> None:
    """Sixty bars that double the money would be some 10^44 a year."""
    got = figures(100.0 * np.exp(np.linspace(0.0, np.log(2.0), bars + 1) + 0.01 * _wave(bars + 1)))
    for name in ("annualized_return", "calmar_ratio"):
        assert (got[name] is not None) == given, name
    assert got["sharpe_ratio"] is not None
    if given:
        assert got["annualized_return"] == pytest.approx(2.0 ** (A / bars) - 1.0, rel=1e-9)


def test_cagr_goes_by_the_calendar() -> None:
    """A hundred daily sessions within 145 days: annualised by 252, CAGR by 365.25."""
    curve = 100.0 * 1.001 ** np.arange(101.0)
    got = metrics.equity_metrics(curve[1:], 100.0, 252.0, 145 * 24 * HOUR_MS)
    assert got["annualized_return"] == pytest.approx(1.001**252 - 1.0)
    assert got["cagr"] == pytest.approx(1.001 ** (100 * 365.25 / 145) - 1.0)
    short = metrics.equity_metrics(curve[1:], 100.0, 252.0, 29 * 24 * HOUR_MS)
    assert short["cagr"] is None


def _wave(n: int) -> F64:
    return np.where(np.arange(n) % 2 == 0, 0.0, 1.0) * (np.arange(n) < n - 1)


def test_two_returns_are_enough_for_a_ratio_and_one_is_not() -> None:
    got = figures(np.array([100.0, 102.0, 101.0]))
    r = np.array([0.02, 101.0 / 102.0 - 1.0])
    scale = math.sqrt(A) * r.mean()
    assert got["sharpe_ratio"] == pytest.approx(scale / r.std(ddof=1))
    assert got["annualized_volatility"] == pytest.approx(math.sqrt(A) * r.std(ddof=1))
    assert got["sortino_ratio"] == pytest.approx(scale / math.sqrt((r[1] ** 2) / 2))
    assert got["sortino_ratio_negative_std"] is None
    assert got["deflated_sharpe"] is None


def test_small_wins_and_losses_count() -> None:
    got = metrics.win_figures(np.array([0.5, -0.25, 0.125, 0.0]))
    assert got == {"win_rate": 0.5, "profit_factor": 2.5}


def test_wins_and_gains() -> None:
    assert metrics.win_figures(np.array([1.0, 0.0, -2.0]), "_x") == {
        "win_rate_x": pytest.approx(1 / 3),
        "profit_factor_x": 0.5,
    }
    assert metrics.win_figures(np.array([1.0]))["profit_factor"] is None
    assert metrics.win_figures(np.empty(0)) == {"win_rate": None, "profit_factor": None}


@pytest.mark.parametrize(
    ("opening", "closing", "returns"),
    [
        ([100.0, 110.0, 55.0], [110.0, 55.0, 66.0], [0.1, -0.5, 0.2]),
        ([100.0, 50.0, 0.0, 0.5], [50.0, 0.0, 0.5, 1.0], [-0.5, -1.0, 0.0, 0.0]),
        ([0.5, 0.25], [0.25, -3.0], [-0.5, -1.0]),
        ([100.0, -5.0, 20.0], [-5.0, 20.0, 40.0], [-1.0, 0.0, 0.0]),
    ],
)
def test_returns_end_with_the_account(
    opening: list[float], closing: list[float], returns: list[float]
) -> None:
    """An account that has nothing left earns nothing on it, whatever it is given later."""
    assert metrics.lived_returns(np.array(opening), np.array(closing)) == pytest.approx(
        returns, abs=1e-15
    )
    shares = metrics.lived_shares(np.full(len(opening), 5.0), np.array(opening))
    lived = int(np.logical_and.accumulate(np.array(opening) > 0.0).sum())
    expected = [5.0 / opening[i] if i < lived else 0.0 for i in range(len(opening))]
    assert shares == pytest.approx(expected)

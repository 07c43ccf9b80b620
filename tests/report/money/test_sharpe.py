"""The published examples, and what cannot be known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bot.report.money import sharpe


def test_the_worked_example_of_the_deflated_ratio() -> None:
    """Bailey & López de Prado 2014: 100 trials, annual ratio 2.5 over 1250 days."""
    variance = 0.5 / 250
    assert sharpe.expected_best_sharpe(100, variance) == pytest.approx(0.1132, abs=5e-5)
    value = sharpe.deflated_sharpe(
        2.5 / math.sqrt(250), 1250, 100, skew=-3.0, kurtosis=10.0, trial_variance=variance
    )
    assert value == pytest.approx(0.9004, abs=5e-5)


@pytest.mark.parametrize(
    ("skew", "kurtosis", "expected"), [(0.0, 3.0, 0.982), (-2.448, 10.164, 0.913)]
)
def test_the_worked_example_of_the_probabilistic_ratio(
    skew: float, kurtosis: float, expected: float
) -> None:
    """Bailey & López de Prado 2012: 24 months, a monthly ratio of 0.458."""
    value = sharpe.probabilistic_sharpe(0.458, 24, skew, kurtosis)
    assert value == pytest.approx(expected, abs=6e-4)
    normal = sharpe.probabilistic_sharpe(0.458, 24, 0.0, 3.0)
    assert sharpe.probabilistic_sharpe(0.458, 24) == normal
    assert sharpe.deflated_sharpe(0.458, 24, 2) == sharpe.deflated_sharpe(
        0.458, 24, 2, skew=0.0, kurtosis=3.0
    )
    error = sharpe.sharpe_error(0.458, 24, 0.0, 3.0)
    assert sharpe.sharpe_error(0.458, 24) == error


def test_the_error_is_that_of_lo_for_normal_returns() -> None:
    assert sharpe.sharpe_error(0.5, 101) == pytest.approx(math.sqrt((1 + 0.125) / 100))


def test_the_error_matches_the_spread_of_many_samples() -> None:
    draws = np.random.default_rng(3).standard_exponential((4000, 300)) - 0.9
    ratios = draws.mean(axis=1) / draws.std(axis=1, ddof=1)
    sr = float(ratios.mean())
    assert sharpe.sharpe_error(sr, 300, 2.0, 9.0) == pytest.approx(ratios.std(), rel=0.05)


def test_moments_are_those_of_scipy() -> None:
    x = np.random.default_rng(0).standard_exponential(500)
    skew, kurtosis = sharpe.skew_and_kurtosis(x)
    assert skew == pytest.approx(stats.skew(x))
    assert kurtosis == pytest.approx(stats.kurtosis(x, fisher=False))


@pytest.mark.parametrize("returns", [[], [0.1], [0.0, 0.0, 0.0], [0.01] * 50])
def test_no_ratio_without_variance(returns: list[float]) -> None:
    assert sharpe.sharpe_per_bar(np.array(returns)) is None


def test_what_moves_less_than_rounding_has_no_ratio() -> None:
    """The deviation of two values x apart is x / √2; below 1e-13 it counts as none."""
    assert sharpe.sharpe_per_bar(np.array([0.0, 1.2e-13])) is None
    assert sharpe.sharpe_per_bar(np.array([0.0, 2.1e-13])) == pytest.approx(math.sqrt(0.5))


def test_one_trial_has_no_luck() -> None:
    assert sharpe.expected_best_sharpe(1, 0.04) == 0.0
    assert sharpe.deflated_sharpe(0.1, 50, 1) == sharpe.probabilistic_sharpe(0.1, 50)


def test_no_error_where_there_is_none() -> None:
    assert sharpe.sharpe_error(1.0, 50, skew=1.0, kurtosis=1.0) is None, "a variance of nothing"
    assert sharpe.sharpe_error(0.1, 1) is None
    assert sharpe.deflated_sharpe(0.1, 1, 10) is None
    assert sharpe.probabilistic_sharpe(2.0, 50, skew=3.0, kurtosis=3.0) is None


@pytest.mark.parametrize("n", [2, 3, 5, 24])
@pytest.mark.parametrize("trials", [2, 10])
def test_the_deflated_ratio_of_few_returns(n: int, trials: int) -> None:
    """By the formulas of the paper with scipy's normal; the worthless ratio's variance is 1/(n - 1)."""
    sr, skew, kurtosis = 0.4, -0.5, 4.0
    quantile, euler = stats.norm.ppf, 0.577215664901532860606512
    best = (1 - euler) * quantile(1 - 1 / trials) + euler * quantile(1 - 1 / (trials * math.e))
    best *= math.sqrt(1 / (n - 1))
    error = math.sqrt((1 - skew * sr + (kurtosis - 1) / 4 * sr**2) / (n - 1))
    got = sharpe.deflated_sharpe(sr, n, trials, skew=skew, kurtosis=kurtosis)
    assert got == pytest.approx(stats.norm.cdf((sr - best) / error), rel=1e-9)
    assert sharpe.sharpe_error(sr, n, skew, kurtosis) == pytest.approx(error, rel=1e-12)


@given(st.integers(2, 100_000), st.floats(1e-6, 1.0))
def test_more_trials_ask_for_more(trials: int, variance: float) -> None:
    more = sharpe.expected_best_sharpe(trials + 1, variance)
    assert 0.0 <= sharpe.expected_best_sharpe(trials, variance) < more


def test_the_ratio_of_sums_is_that_of_the_returns_but_for_one_degree_of_freedom() -> None:
    r = np.random.default_rng(6).normal(0.001, 0.01, 400)
    sums = np.array([400.0, r.sum(), (r**2).sum()])
    per_bar = sharpe.sharpe_per_bar(r)
    assert per_bar is not None
    expected = per_bar * math.sqrt(8760.0 * 400 / 399)
    of_sums = sharpe.sharpe_of_sums(8760.0)
    assert float(of_sums(sums)) == pytest.approx(expected)
    assert float(of_sums(sums / 400)) == pytest.approx(expected)


@pytest.mark.parametrize("constant", [0.0, 1e-4, -0.37])
@pytest.mark.parametrize("n", [1, 3, 20_000])
def test_returns_that_do_not_vary_have_no_ratio_of_sums(constant: float, n: int) -> None:
    r = np.full(n, constant)
    flat = np.array([n, r.sum(), (r**2).sum()])
    rare = np.array([20_000.0, 1e-7, 1e-14])
    both = sharpe.sharpe_of_sums(8760.0)(np.stack([flat, rare]))
    assert np.isnan(both[0])
    assert both[1] == pytest.approx(math.sqrt(8760.0 / 20_000), rel=1e-4)

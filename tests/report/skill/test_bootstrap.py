"""Intervals: the right blocks, the right sums, and a coverage near what is promised."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from bot.blocks import F64
from bot.report.skill import bootstrap


def autoregressive(n: int, rho: float, random: np.random.Generator) -> F64:
    x = random.standard_normal(n)
    for i in range(1, n):
        x[i] += rho * x[i - 1]
    return x


def mean(sums: F64) -> F64:
    return sums[..., 0] / sums[..., 1]


@pytest.mark.parametrize("rho", [0.0, 0.4, 0.9])
@pytest.mark.parametrize("n", [60, 500, 5000])
def test_block_length_is_that_of_arch(rho: float, n: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from arch.bootstrap import optimal_block_length
    x = autoregressive(n, rho, np.random.default_rng(n))
    expected = float(optimal_block_length(x)["circular"].iloc[0])
    assert bootstrap.block_length(x) == pytest.approx(expected, rel=0.05, abs=1.0)


@pytest.mark.parametrize("x", [np.zeros(50), np.ones(3), np.empty(0)])
def test_nothing_to_correlate_needs_no_blocks(x: F64) -> None:
    assert bootstrap.block_length(x) == 1


def test_a_resample_is_made_of_whole_blocks() -> None:
    """With sums that name their date in binary, every resample is a sum of circular blocks."""
    n, block = 12, 4
    sums = np.exp2(np.arange(n, dtype=np.float64))[:, None]
    blocks = {sum(2.0 ** ((i + j) % n) for j in range(block)) for i in range(n)}
    three = {a + b + c for a in blocks for b in blocks for c in blocks}
    assert set(bootstrap.resampled_sums(sums, block, 300)[:, 0].tolist()) <= three


def test_influence_of_a_ratio_is_the_delta_method() -> None:
    sums = np.random.default_rng(0).random((200, 2)) + 1.0
    a, b = sums.mean(axis=0)
    expected = (sums[:, 0] - a) / b - a / b**2 * (sums[:, 1] - b)
    np.testing.assert_allclose(bootstrap.influence(sums, mean), expected, rtol=1e-5, atol=1e-8)


def test_the_interval_covers_about_as_often_as_it_says() -> None:
    """The mean of an overlapping sum, whose dates depend on one another, over 150 histories."""
    random, horizon, n, covered = np.random.default_rng(11), 5, 600, 0
    for _ in range(150):
        noise = random.standard_normal(n + horizon)
        x = np.convolve(noise, np.ones(horizon), mode="valid")[:n]
        got = bootstrap.interval(np.column_stack((x, np.ones(n))), mean, horizon, 200)
        assert got is not None
        assert got.low is not None
        assert got.high is not None
        covered += got.low <= 0.0 <= got.high
    assert 0.87 <= covered / 150 <= 0.99


def test_the_same_data_give_the_same_interval_and_long_enough_blocks() -> None:
    sums = np.random.default_rng(2).random((300, 2))
    first = bootstrap.interval(sums, mean, 40, 100)
    assert first == bootstrap.interval(sums.copy(), mean, 40, 100)
    assert first is not None
    assert first.block >= 40


def test_too_few_dates_have_a_value_and_no_bounds() -> None:
    got = bootstrap.interval(np.ones((6, 2)), mean, 5, 100)
    assert got == bootstrap.Interval(1.0, None, None, 5)
    assert bootstrap.interval(np.empty((0, 2)), mean, 5, 100) is None
    assert bootstrap.interval(np.zeros((50, 2)), mean, 5, 100) is None

"""The deflated Sharpe ratio after trials, against the formula of the paper written out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from bot.report.money.trials import Tried

RATIOS = st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=30)


def tried(ratios: list[float], lengths: list[int], count: int | None = None) -> Tried:
    scaled = tuple(sr * math.sqrt(n - 1) for sr, n in zip(ratios, lengths, strict=True))
    return Tried(count or len(ratios), len(ratios), scaled, ("v:A",), 0, 86_400_000, "trials.jsonl")


def by_the_paper(
    sr: float, n: int, count: int, variance: float, skew: float, kurtosis: float
) -> float:
    """Bailey & López de Prado 2014, equations 1 and 2."""
    euler = 0.577215664901532860606512090082
    best = math.sqrt(variance) * (
        (1 - euler) * norm.ppf(1 - 1 / count) + euler * norm.ppf(1 - 1 / (count * math.e))
    )
    spread = math.sqrt(1 - skew * sr + (kurtosis - 1) / 4 * sr**2)
    return float(norm.cdf((sr - best) * math.sqrt(n - 1) / spread))


@given(RATIOS, st.integers(30, 5000), st.floats(-1.0, 1.0), st.floats(3.0, 9.0))
def test_of_trials_as_long_as_the_run_it_is_the_papers(
    ratios: list[float], n: int, skew: float, kurtosis: float
) -> None:
    found = tried(ratios, [n] * len(ratios)).deflated(ratios[0], n, skew=skew, kurtosis=kurtosis)
    variance = float(np.var(ratios, ddof=1))
    expected = by_the_paper(ratios[0], n, len(ratios), variance, skew, kurtosis)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_trial_without_a_ratio_counts_all_the_same() -> None:
    some = tried([0.01, 0.03, -0.02], [500] * 3, count=9)
    variance = float(np.var([0.01, 0.03, -0.02], ddof=1))
    expected = by_the_paper(0.03, 500, 9, variance, 0.0, 3.0)
    assert some.deflated(0.03, 500, skew=0.0, kurtosis=3.0) == pytest.approx(expected)


def test_without_known_ratios_the_variance_is_that_of_a_worthless_one() -> None:
    found = tried([0.05], [500], count=20).deflated(0.05, 500, skew=0.0, kurtosis=3.0)
    assert found == pytest.approx(by_the_paper(0.05, 500, 20, 1 / 499, 0.0, 3.0))


def test_worthless_trials_of_any_length_deflate_as_much() -> None:
    """A week of luck is not taken for the deviation of a year's."""
    random = np.random.default_rng(3)
    lengths = random.integers(20, 20_000, 4000).tolist()
    ratios = [float(random.standard_normal()) / math.sqrt(n - 1) for n in lengths]
    variance = tried(ratios, lengths).variance(1000)
    assert variance == pytest.approx(1 / 999, rel=0.1)


def test_one_trial_deflates_nothing() -> None:
    alone = tried([0.05], [500])
    assert alone.deflated(0.05, 500, skew=0.0, kurtosis=3.0) is None
    told = alone.as_json(500, 8760.0, None)
    assert told["count"] == 1
    assert told["text"].startswith("Trials: this is the only one on its data (v:A, 1970-01-01")


def test_what_is_told_is_what_was_computed() -> None:
    some = tried([0.01, 0.03, -0.02], [500] * 3)
    deflated = some.deflated(0.03, 500, skew=0.0, kurtosis=3.0)
    assert deflated is not None
    told = some.as_json(500, 8760.0, deflated)
    deviation = float(np.std([0.01, 0.03, -0.02], ddof=1)) * math.sqrt(8760)
    assert told["sharpe_deviation"] == pytest.approx(deviation)
    assert f"Sharpe ratio of {told['expected_best_sharpe']:.2f};" in told["text"]
    assert f"probability of {100 * deflated:.2f} % (deflated" in told["text"]
    assert "3 settings in 3 entries of trials.jsonl" in told["text"]
    of_one = replace(some, entries=1).as_json(500, 8760.0, deflated)
    assert "3 settings in 1 entry of trials.jsonl" in of_one["text"]


@given(RATIOS, st.integers(0, 3))
def test_few_returns_give_no_figure(ratios: list[float], n: int) -> None:
    some = tried(ratios, [30] * len(ratios))
    assert all(
        v is None or isinstance(v, str | list) or math.isfinite(v)
        for v in some.as_json(n, 8760.0, None).values()
    )

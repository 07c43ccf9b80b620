"""Slopes beside scipy's regressions, and their errors beside how far estimates really scatter."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import optimize, stats

from bot.blocks import F64
from bot.report.inputs import RunData
from bot.report.skill.bootstrap import interval
from bot.report.skill.measures import Measure
from bot.report.skill.slopes import logit_slope, return_slope, slopes


def value(measure: Measure) -> float:
    return float(measure.statistic(measure.sums.sum(axis=0)))


def likelihood_slope(p: F64, y: F64) -> float:
    """Return the slope that makes what happened likeliest, by a general minimiser."""
    x = np.log(p / (1.0 - p))

    def unlikely(beta: F64) -> float:
        z = beta[0] + beta[1] * x
        return float(np.sum(np.logaddexp(0.0, z) - y * z))

    found = optimize.minimize(unlikely, np.zeros(2), method="BFGS", options={"gtol": 1e-9})
    return float(found.x[1])


def test_the_slope_of_a_return_is_that_of_a_regression() -> None:
    rng = np.random.default_rng(1)
    f = 0.01 * rng.standard_normal((400, 3)) + 0.02
    y = 0.3 * f + 0.02 * rng.standard_normal(f.shape) - 0.005
    rows = rng.random(f.shape) < 0.7
    f[~rows] = np.nan
    expected = stats.linregress(f[rows], y[rows]).slope
    assert value(return_slope(f, y, rows)) == pytest.approx(expected)


def test_the_slope_of_a_probability_is_that_of_a_likelihood() -> None:
    rng = np.random.default_rng(2)
    p = rng.uniform(0.1, 0.9, (500, 2))
    true = 1.0 / (1.0 + np.exp(-(0.2 + 0.4 * np.log(p / (1.0 - p)))))
    y = (rng.random(p.shape) < true).astype(float)
    rows = rng.random(p.shape) < 0.8
    p[~rows] = np.nan
    assert value(logit_slope(p, y, rows)) == pytest.approx(
        likelihood_slope(p[rows], y[rows]), abs=1e-5
    )


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.8), (0.6, 0.95), (0.05, 0.3)])
def test_one_step_of_a_resample_is_near_its_own_fit(low: float, high: float) -> None:
    rng = np.random.default_rng(3)
    p = rng.uniform(low, high, (2000, 1))
    y = (rng.random(p.shape) < p).astype(float)
    measure = logit_slope(p, y, np.ones(p.shape, dtype=np.bool_))
    for _ in range(5):
        dates = rng.integers(0, 2000, 2000)
        stepped = float(measure.statistic(measure.sums[dates].sum(axis=0)))
        assert stepped == pytest.approx(likelihood_slope(p[dates, 0], y[dates, 0]), abs=0.02)


def test_the_error_is_as_large_as_estimates_scatter() -> None:
    found, errors = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        f = rng.standard_normal((400, 1))
        p = 1.0 / (1.0 + np.exp(-0.5 * f))
        y = (rng.random(p.shape) < p).astype(float)
        measure = logit_slope(p, y, np.ones(p.shape, dtype=np.bool_))
        known = interval(measure.sums, measure.statistic, 1, 200)
        assert known is not None
        assert known.error is not None
        found.append(known.value)
        errors.append(known.error)
    assert np.mean(found) == pytest.approx(1.0, abs=0.1)
    assert np.mean(errors) == pytest.approx(np.std(found, ddof=1), rel=0.25)


@pytest.mark.parametrize("p", [[0.2, 0.3, 0.7, 0.8], [0.5, 0.5, 0.5, 0.5]])
def test_without_a_bound_there_is_no_slope(p: list[float]) -> None:
    column = np.array(p)[:, None]
    y = np.array([0.0, 0.0, 1.0, 1.0])[:, None]
    measure = logit_slope(column, y, np.ones(y.shape, dtype=np.bool_))
    assert interval(measure.sums, measure.statistic, 1, 100) is None


def test_a_run_has_those_of_its_return_and_direction_heads(run: RunData) -> None:
    got = slopes(run, 200)
    assert list(got) == ["return_3", "direction_3"]
    assert run.forecast is not None
    assert run.labels is not None
    f, y = run.forecast.value[:, :, 0], run.labels[:, :, 0]
    rows = np.isfinite(f) & np.isfinite(y)
    rows[: run.start_index] = False
    one = got["return_3"]
    assert one["value"] == pytest.approx(stats.linregress(f[rows], y[rows]).slope)
    assert one["low"] < one["value"] < one["high"]
    assert one["error"] == pytest.approx((one["high"] - one["low"]) / (2 * 1.959964), rel=1e-6)
    assert slopes(dataclasses.replace(run, forecast=None, labels=None), 200) == {}
    short = dataclasses.replace(run, start_index=395)
    assert slopes(short, 200)["return_3"]["error"] is None

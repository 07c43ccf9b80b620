"""The signal against the words of the reference, and that the unknown stays unknown."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import Forecast, Task
from bot.config.schema import Conviction
from bot.portfolio.conviction import Factor, signal_from, signal_of

returns = st.floats(-0.1, 0.1)
chances = st.floats(0.0, 1.0)


@given(returns, chances)
def test_the_two_factors(expected: float, p_up: float) -> None:
    r, p = np.array([[expected]]), np.array([[p_up]])
    assert signal_from(r, p, "probability")[0, 0] == expected * p_up
    sure = p_up if expected > 0 else 1.0 - p_up
    assert signal_from(r, p, "confidence")[0, 0] == expected * sure


@given(returns, chances)
def test_confidence_treats_long_and_short_alike(expected: float, p_up: float) -> None:
    r, p = np.array([[expected]]), np.array([[p_up]])
    mirrored = signal_from(-r, 1.0 - p, "confidence")
    assert mirrored == pytest.approx(-signal_from(r, p, "confidence"), abs=1e-15)


@pytest.mark.parametrize("factor", ["confidence", "probability"])
def test_the_unknown_stays_unknown(factor: Factor) -> None:
    r, p = np.array([[math.nan, 0.01, -0.01]]), np.array([[0.5, math.nan, math.nan]])
    assert np.isnan(signal_from(r, p, factor)).all()


def three_horizons(n: int, seed: int) -> Forecast:
    rng = np.random.default_rng(seed)
    tasks = tuple(
        Task(kind, h) for kind in ("return", "direction", "volatility") for h in (1, 4, 24)
    )
    value = rng.standard_normal((n, 2, 9)) * 0.01
    value[:, :, 3:6] = rng.random((n, 2, 3))
    value[:, :, 6:] = 0.001 + 0.01 * rng.random((n, 2, 3))
    return Forecast(tasks, value, np.zeros(n, dtype=np.int64))


def test_horizons_are_weighted_by_the_inverse_of_their_variance() -> None:
    forecast = three_horizons(50, 1)
    combined = signal_of(forecast, Conviction(horizons="inverse_variance"))
    # c4 as tabulated (Montgomery), and the mean of |N(0, 1)|
    usual = np.array([0.797885, 0.921318, 0.989188])
    # generalised least squares on the three estimates of the drift of a bar
    for i in range(50):
        for s in range(2):
            r, p, v = (forecast.value[i, s, k : k + 3] for k in (0, 3, 6))
            own = np.array([x * (q if x >= 0 else 1.0 - q) for x, q in zip(r, p, strict=True)])
            h = np.array([1.0, 4.0, 24.0])
            sigma = np.maximum(v / usual, 0.5 * (v / usual).max())
            inverse = np.linalg.inv(np.diag(sigma**2 / h))
            ones = np.ones(3)
            drift = ones @ inverse @ (own / h) / (ones @ inverse @ ones)
            assert combined[i, s] == pytest.approx(1.0 * drift, rel=1e-5, abs=1e-7)


def combined_of(deviations: dict[int, float], returns: dict[int, float]) -> float:
    tasks = [Task(kind, h) for kind in ("return", "direction", "volatility") for h in deviations]
    value = [*returns.values(), *[1.0] * len(deviations), *deviations.values()]
    forecast = Forecast(tuple(tasks), np.array([[value]]), np.zeros(1, dtype=np.int64))
    return float(signal_of(forecast, Conviction(horizons="inverse_variance"))[0, 0])


def test_what_each_horizon_weighs_where_all_bars_are_alike() -> None:
    """Labels as the targets make them, of one deviation: the weights are 1 : 2 : 5 : 24."""
    rng = np.random.default_rng(3)
    labels = {1: np.abs(0.01 * rng.standard_normal(200_000))}
    for h in (2, 5, 24):
        labels[h] = np.std(0.01 * rng.standard_normal((200_000, h)), axis=1, ddof=1)
    forecasts = {h: float(each.mean()) for h, each in labels.items()}
    total = sum(forecasts)
    for h in forecasts:
        alone = {other: h * 0.001 * (other == h) for other in forecasts}
        share = combined_of(forecasts, alone) / 0.001
        assert share == pytest.approx(h / total, rel=0.02)


def test_a_head_at_its_floor_does_not_take_all_weight() -> None:
    floored = combined_of({1: 1e-6, 5: 0.0094}, {1: 0.001, 5: 0.0})
    assert floored / 0.001 == pytest.approx(4.0 / (4.0 + 5.0), rel=1e-3)


def test_a_single_horizon_is_the_plain_signal() -> None:
    forecast = three_horizons(20, 2)
    first = Forecast(forecast.tasks[::3], forecast.value[:, :, ::3], forecast.model)
    plain = signal_from(forecast.value[:, :, 0], forecast.value[:, :, 3], "confidence")
    for rule in ("inverse_variance", "mean", "first"):
        assert np.array_equal(signal_of(first, Conviction(horizons=rule)), plain)
    assert np.array_equal(signal_of(forecast, Conviction(horizons="first")), plain)
    mean = signal_of(forecast, Conviction(horizons="mean"))
    parts = [
        signal_from(forecast.at("return", h), forecast.at("direction", h), "confidence") / h
        for h in (1, 4, 24)
    ]
    np.testing.assert_allclose(mean, np.mean(parts, axis=0), rtol=1e-12)


def test_a_decision_is_its_own_signal() -> None:
    value = np.array([[[0.4, 0.9]], [[-0.2, np.nan]]])
    forecast = Forecast(
        (Task("decision", 4), Task("return", 4)), value, np.zeros(2, dtype=np.int64)
    )
    assert signal_of(forecast, Conviction(source="decision"))[:, 0].tolist() == [0.4, -0.2]

"""From forecast to signal: the predicted return times the direction factor, over the horizons.

Rules: not known in, not known out (NaN propagates). Must not know thresholds, sizes or positions.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from bot.blocks import F64, Forecast
from bot.config.schema import Conviction

Factor = Literal["confidence", "probability"]

LEAST_DEVIATION = 0.5
"""A horizon's deviation of a bar counts as at least this share of the largest among the horizons.

The label at h = 1 is |r|, which is often near zero, and its head can fall to its floor; the horizons
tell of the same bars, so none of them is believed to be that much quieter than another.
"""


def signal_from(expected_return: F64, p_up: F64, factor: Factor) -> F64:
    """Return float64[n, S], the predicted return times how sure the direction head is of it.

    With "confidence" the factor is p_up for a positive predicted return and 1 - p_up for a negative
    one, so that long and short are treated alike; with "probability" it is p_up whatever the sign,
    which favours longs.

    Args:
        expected_return: float64[n, S], a fraction over the horizon.
        p_up: float64[n, S], the probability of a rise.
        factor: which of the two.

    >>> signal_from(np.array([[0.01, -0.01]]), np.array([[0.75, 0.25]]), "confidence")
    array([[ 0.0075, -0.0075]])
    >>> signal_from(np.array([[0.01, -0.01]]), np.array([[0.75, 0.25]]), "probability")
    array([[ 0.0075, -0.0025]])
    """
    if factor == "probability":
        return expected_return * p_up
    return expected_return * np.where(expected_return < 0.0, 1.0 - p_up, p_up)


def signal_of(forecast: Forecast, settings: Conviction) -> F64:
    """Return float64[n, S], the signal that the settings make of a forecast.

    With one horizon it is `signal_from`. With several, the signal s_h of horizon h tells a return a
    bar of s_h / h, whose variance is σ_h² / h with σ_h the deviation of a bar. Their mean weighted by
    the inverse variance (Bates & Granger 1969), brought to the first horizon h₀, is
    h₀ Σ(s_h / σ_h²) / Σ(h / σ_h²); "mean" weighs them equally. A decision head's own position is
    that of the first horizon.

    What a volatility head forecasts is the mean of a sample deviation over h bars, which is less
    than σ, the more so the fewer the bars: σ_h is the forecast over `usual_deviation(h)`. With σ =
    0.01 the heads of h = 1 and 5 forecast 0.00798 and 0.00940; taken as they are, h = 1 would weigh
    1/0.00798² : 5/0.00940² = 21.7 %, and it is 1 : 5 = 16.7 %.

    Raises:
        KeyError: a head that the settings ask for is not there.
    """
    if settings.source == "decision":
        return forecast.of("decision")
    return _over_horizons(forecast, settings, settings.factor)


def volatility_of(forecast: Forecast) -> F64:
    """Return float64[n, S], the deviation of a bar's return; NaN without a head for it."""
    if any(task.kind == "volatility" for task in forecast.tasks):
        return forecast.of("volatility")
    return np.full(forecast.value.shape[:2], np.nan)


def bound_of(forecast: Forecast, settings: Conviction) -> F64:
    """Return float64[n, S], the largest return over the first horizon that a forecast speaks of.

    It is the size of the predicted return itself, combined over the horizons as the signal is; of a
    decision head, which names no return, one deviation of the return over the horizon, σ √h.
    """
    if settings.source == "decision":
        horizon = next(task.horizon for task in forecast.tasks if task.kind == "volatility")
        return forecast.of("volatility") * math.sqrt(horizon)
    return np.abs(_over_horizons(forecast, settings, None))


def _over_horizons(forecast: Forecast, settings: Conviction, factor: Factor | None) -> F64:
    horizons = [task.horizon for task in forecast.tasks if task.kind == "return"]
    if len(horizons) <= 1 or settings.horizons == "first":
        return _at_horizon(forecast, horizons[0], factor)
    total = np.zeros(forecast.value.shape[:2])
    weights = np.zeros(total.shape)
    weighed = settings.horizons == "inverse_variance"
    precision = (
        _precision(forecast, horizons) if weighed else [np.ones(total.shape)] * len(horizons)
    )
    for h, weight in zip(horizons, precision, strict=True):
        total += weight * (_at_horizon(forecast, h, factor) / h)
        weights += weight
    return horizons[0] * (total / weights)


def _at_horizon(forecast: Forecast, horizon: int, factor: Factor | None) -> F64:
    """Return the signal of one horizon; the predicted return itself without a factor."""
    expected = forecast.at("return", horizon)
    if factor is None:
        return expected
    return signal_from(expected, forecast.at("direction", horizon), factor)


def usual_deviation(n: int) -> float:
    """Return what the sample deviation (ddof = 1) of n normal returns is on average, σ being 1.

    √(2/(n−1)) Γ(n/2) / Γ((n−1)/2), and √(2/π), the mean of |r|, for the one bar whose label that is.

    >>> [round(usual_deviation(n), 4) for n in (1, 2, 5, 24)]
    [0.7979, 0.7979, 0.94, 0.9892]
    """
    if n == 1:
        return math.sqrt(2.0 / math.pi)
    return math.sqrt(2.0 / (n - 1)) * math.exp(math.lgamma(n / 2) - math.lgamma((n - 1) / 2))


def _precision(forecast: Forecast, horizons: list[int]) -> list[F64]:
    """Return for each horizon the inverse variance of the return a bar that it tells."""
    deviation = [forecast.at("volatility", h) / usual_deviation(h) for h in horizons]
    least = LEAST_DEVIATION * np.max(deviation, axis=0)
    return [h / np.maximum(d, least) ** 2 for h, d in zip(horizons, deviation, strict=True)]

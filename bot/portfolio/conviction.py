"""From forecast to signal: the predicted return times the direction factor, over the horizons.

Rules: not known in, not known out (NaN propagates). Must not know thresholds, sizes or positions.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from bot.blocks import F64, Forecast
from bot.config.sections import Conviction

Factor = Literal["confidence", "probability"]


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
    bar of s_h / h, whose variance is σ_h² / h with σ_h the predicted volatility of a bar. Their mean
    weighted by the inverse variance (Bates & Granger 1969), brought to the first horizon h₀, is
    h₀ Σ(s_h / σ_h²) / Σ(h / σ_h²); "mean" weighs them equally. A decision head's own position is
    that of the first horizon.

    Raises:
        KeyError: a head that the settings ask for is not there.
    """
    if settings.source == "decision":
        return forecast.of("decision")
    horizons = [task.horizon for task in forecast.tasks if task.kind == "return"]
    if len(horizons) <= 1 or settings.horizons == "first":
        return signal_from(forecast.of("return"), forecast.of("direction"), settings.factor)
    total = np.zeros(forecast.value.shape[:2])
    weights = np.zeros(total.shape)
    for h in horizons:
        own = signal_from(forecast.at("return", h), forecast.at("direction", h), settings.factor)
        weight = np.ones(total.shape)
        if settings.horizons == "inverse_variance":
            weight = h / forecast.at("volatility", h) ** 2
        total += weight * (own / h)
        weights += weight
    return horizons[0] * (total / weights)

"""Where the model in force is not to be traded on: too old, divided, or out of its range.

Rules: what is not known is no reason to refuse; where several hold, the first of them is told. It
forbids to open and to increase (`kernel/blocking.py`), never to close.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bot.blocks import F64, I8, I64, Forecast
from bot.portfolio.limits import RiskLimits
from bot.portfolio.reasons import Refusal


def refused_by_model(
    limits: RiskLimits, age_bars: I64, forecast: Forecast, head: str, distance: Callable[[], F64]
) -> I8:
    """Return int8[n, S], a Refusal, 0 where there is none.

    Args:
        age_bars: int64[n], since the model has decided.
        head: the kind of task that the signal is made of.
        distance: returns float64[n, S], how far the features are, in times of the model's reach.
    """
    refused = np.zeros(forecast.value.shape[:2], dtype=np.int8)
    if limits.max_distance > 0.0:
        refused[distance() > limits.max_distance] = Refusal.OUT_OF_RANGE
    if limits.max_disagreement > 0.0:
        most = limits.max_disagreement * np.abs(forecast.of(head))
        refused[forecast.disagreement_of(head) > most] = Refusal.DIVIDED
    if limits.max_model_age_bars > 0:
        refused[age_bars > limits.max_model_age_bars] = Refusal.MODEL_TOO_OLD
    return refused

"""How far features are from those that a model has learned from.

d = √(mean over the features of ((x − mean) / std)²), by the model's own scaler, before anything is cut or
bent: 1 on average on the training rows, and large where one feature is far out or many are. What 99.9 %
of the training rows stay below is the model's reach; beyond it a network extrapolates, and what it says
there was never tested.

Rules: each row by itself, feature after feature, so that no cut of the history changes a bit.
"""

from __future__ import annotations

import math

import numpy as np

from bot.blocks import F64, Bool
from bot.compiled import njit
from bot.model.room import IN_MEMORY, RowRoom, filled
from bot.model.scaler import Scaler

REACH_QUANTILE = 0.999
"""Of the training rows: one in a thousand of them is further out."""


def distances(x: F64, ready: Bool, scaler: Scaler) -> F64:
    """Return float64[n, S], how far each bar's features float64[n, S, F] are; NaN where not ready."""
    found = np.full(ready.shape, np.nan)
    _measure(np.ascontiguousarray(x), ready, scaler.feature_mean, scaler.feature_std, found)
    return found


def reach_of(x: F64, scaler: Scaler, room: RowRoom = IN_MEMORY) -> float:
    """Return what REACH_QUANTILE of these rows float64[N, F] stay below."""

    def of(span: slice) -> F64:
        part = x[span, None, :]
        return distances(part, np.ones((len(part), 1), dtype=np.bool_), scaler)

    found = filled(room, (len(x), 1), np.float64, of)
    return float(np.quantile(found, REACH_QUANTILE, overwrite_input=True))


@njit(cache=True)
def _measure(x: F64, ready: Bool, mean: F64, std: F64, found: F64) -> None:
    for i in range(x.shape[0]):
        for s in range(x.shape[1]):
            if ready[i, s]:
                total = 0.0
                for j in range(len(mean)):
                    z = (x[i, s, j] - mean[j]) / std[j]
                    total += z * z
                found[i, s] = math.sqrt(total / len(mean))

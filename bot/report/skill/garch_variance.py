"""The variance that GARCH(1,1) expects, by its recursion. Must not fit, or know what a baseline is."""

from __future__ import annotations

import numpy as np

from bot.blocks import F64, Bool
from bot.compiled import njit


def mean_ahead(ahead: F64, omega: float, alpha: float, beta: float, horizon: int) -> F64:
    """Return the mean expected variance of the next `horizon` bars from that of the next one."""
    constant, factor, constants, factors = 0.0, 1.0, 0.0, 1.0
    for _ in range(horizon - 1):
        constant, factor = omega + (alpha + beta) * constant, (alpha + beta) * factor
        constants, factors = constants + constant, factors + factor
    mean: F64 = (constants + factors * ahead) / horizon
    return mean


def filtered(percent: F64, omega: float, alpha: float, beta: float) -> F64:
    """Return float64[n], the variance expected of the next bar at each bar's close; NaN before any.

    σ²[t+1] = ω + α r[t]² + β σ²[t]; a missing return counts as what was expected of it. It starts from
    the long-run variance, or from the first square where there is none.
    """
    ahead = np.full(len(percent), np.nan)
    _filter(np.ascontiguousarray(percent), np.isfinite(percent), omega, alpha, beta, ahead)
    return ahead


@njit(cache=True)
def _filter(percent: F64, known: Bool, omega: float, alpha: float, beta: float, ahead: F64) -> None:
    variance = np.nan
    for t in range(len(percent)):
        squared = percent[t] * percent[t]
        if np.isnan(variance):
            if not known[t]:
                continue
            variance = omega / (1.0 - alpha - beta) if alpha + beta < 1.0 else squared
        variance = omega + alpha * (squared if known[t] else variance) + beta * variance
        ahead[t] = variance

"""What a bad day costs: value at risk, what lies beyond it, and the distribution of daily returns.

Value at risk is the loss that a day exceeds with the probability given, and CVaR the mean of the days
that do (the expected shortfall); both are positive where they are losses. After Rockafellar & Uryasev,
"Optimization of Conditional Value-at-Risk" (2000).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from bot.blocks import F64
from bot.report.money.metrics import Figures
from bot.report.money.sharpe import ZERO_DEVIATION, skew_and_kurtosis

LEAST_DAYS = 20
"""Under so many days nothing is said of their tail."""

BINS = 41


def tail_figures(returns: F64) -> Figures:
    """Return value at risk and CVaR of a day at 95 and 99 %, and the shape of the distribution.

    `var_95_normal` is that of a normal distribution of the same mean and deviation; `kurtosis` is in
    excess of a normal's; the tail ratio is the 95 % quantile over the size of the 5 % one.
    """
    names = (
        "var_95", "cvar_95", "var_99", "cvar_99", "var_95_normal", "skew", "kurtosis", "tail_ratio",
        "outlier_win_ratio", "outlier_loss_ratio",
    )  # fmt: skip
    figures: Figures = dict.fromkeys(names)
    deviation = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    if len(returns) < LEAST_DAYS or deviation <= ZERO_DEVIATION:
        return figures
    for level in (95, 99):
        quantile = float(np.quantile(returns, 1.0 - level / 100.0))
        figures[f"var_{level}"] = -quantile
        figures[f"cvar_{level}"] = -float(returns[returns <= quantile].mean())
    figures["var_95_normal"] = -NormalDist(float(returns.mean()), deviation).inv_cdf(0.05)
    skew, kurtosis = skew_and_kurtosis(returns)
    high, low = (float(np.quantile(returns, q)) for q in (0.95, 0.05))
    figures |= {"skew": skew, "kurtosis": kurtosis - 3.0}
    if low < 0.0:
        figures["tail_ratio"] = abs(high / low)
    gains, losses = returns[returns > 0.0], returns[returns < 0.0]
    if len(gains):
        figures["outlier_win_ratio"] = float(np.quantile(returns, 0.99) / gains.mean())
    if len(losses):
        figures["outlier_loss_ratio"] = float(np.quantile(returns, 0.01) / losses.mean())
    return figures


def histogram(returns: F64, bins: int = BINS) -> dict[str, Any] | None:
    """Return counts of daily returns, and what a normal distribution would have.

    Returns:
        `edges` of the bins, symmetric about 0 and out to the 99.5 % quantile of the sizes; what lies
        beyond is in the outer bins. `counts` and `normal` by bin. None with too few days.
    """
    deviation = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    if len(returns) < LEAST_DAYS or deviation <= ZERO_DEVIATION:
        return None
    reach = float(np.quantile(np.abs(returns), 0.995))
    if reach <= 0.0:
        return None
    edges = np.linspace(-reach, reach, bins + 1)
    counts = np.histogram(np.clip(returns, -reach, reach), edges)[0]
    normal = NormalDist(float(returns.mean()), deviation)
    below = np.array([normal.cdf(edge) for edge in edges])
    below[0], below[-1] = 0.0, 1.0
    return {
        "edges": edges.tolist(),
        "counts": counts.tolist(),
        "normal": (np.diff(below) * len(returns)).tolist(),
    }


def autocorrelation_penalty(returns: F64) -> float | None:
    """Return by how much a Sharpe ratio of autocorrelated returns is too large.

    sqrt(1 + 2 Σ (1 - k / n) |ρ|^k) with ρ the correlation of neighbours (Lopez de Prado's "smart"
    ratio); None without variance.
    """
    n = len(returns)
    if (
        n < LEAST_DAYS
        or returns[:-1].std() <= ZERO_DEVIATION
        or returns[1:].std() <= ZERO_DEVIATION
    ):
        return None
    rho = abs(float(np.corrcoef(returns[:-1], returns[1:])[0, 1]))
    k = np.arange(1, n)
    return math.sqrt(1.0 + 2.0 * float(np.sum((n - k) / n * rho**k)))

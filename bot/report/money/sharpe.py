"""The Sharpe ratio and what it is worth: standard error, probabilistic and deflated.

Rules: `sr` is a ratio per bar, not annualised; moments are the population's, as in the papers.
After Bailey & López de Prado, "The Sharpe Ratio Efficient Frontier" (2012) and "The Deflated Sharpe
Ratio" (2014).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from bot.blocks import F64

_NORMAL = NormalDist()
_EULER = 0.5772156649015329

ZERO_DEVIATION = 1e-13
"""Below this a standard deviation of returns is rounding of a constant, and no ratio is made."""

ROUNDING = 1e-12
"""A variance that is less than this share of the mean square is rounding, where sums give both."""


def sharpe_per_bar(returns: F64) -> float | None:
    """Return mean over standard deviation (ddof 1), or None with under two returns or no variance.

    >>> round(sharpe_per_bar(np.array([0.01, 0.03])), 6)
    1.414214
    """
    if len(returns) < 2:
        return None
    deviation = float(np.std(returns, ddof=1))
    if not deviation > ZERO_DEVIATION:
        return None
    return float(np.mean(returns)) / deviation


def sharpe_of_sums(periods_per_year: float) -> Callable[[F64], F64]:
    """Return the annualised ratio as a function of the sums of 1, r and r², float64[..., 3].

    For resampling. Such a function may not depend on the sums' scale, so the deviation is the
    population's: √(n / (n − 1)) times `sharpe_per_bar` over n returns. NaN, no ratio, where the
    returns do not vary, as those of an account that never trades.
    """

    def statistic(s: F64) -> F64:
        mean, square = s[..., 1] / s[..., 0], s[..., 2] / s[..., 0]
        variance = square - mean**2
        varies = variance > np.maximum(ZERO_DEVIATION**2, ROUNDING * square)
        deviation = np.sqrt(np.where(varies, variance, np.nan))
        ratio: F64 = mean / deviation * np.sqrt(periods_per_year)
        return ratio

    return statistic


def skew_and_kurtosis(returns: F64) -> tuple[float, float]:
    """Return the third and fourth standardised population moments; a normal has 0 and 3."""
    z = returns - returns.mean()
    square = z * z  # products, since a power of a negative number takes a hundred times as long
    variance = float(np.mean(square))
    third, fourth = float(np.mean(square * z)), float(np.mean(square * square))
    return third / variance**1.5, fourth / variance**2


def sharpe_error(sr: float, n: int, skew: float = 0.0, kurtosis: float = 3.0) -> float | None:
    """Return the standard error of a Sharpe ratio per bar (2012, equation 6).

    Args:
        sr: the ratio per bar.
        n: number of returns.
        skew, kurtosis: of the returns; with the defaults it is Lo's (2002) for independent returns.

    Returns:
        None with under two returns, or where the moments allow no positive variance.
    """
    variance = 1.0 - skew * sr + (kurtosis - 1.0) / 4.0 * sr**2
    if n < 2 or variance <= 0.0:
        return None
    return math.sqrt(variance / (n - 1))


def probabilistic_sharpe(
    sr: float, n: int, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float | None:
    """Return the probability that the true ratio per bar exceeds `benchmark` (2012, equation 7).

    >>> round(probabilistic_sharpe(0.458, 24), 3)
    0.982
    """
    error = sharpe_error(sr, n, skew, kurtosis)
    return None if error is None else _NORMAL.cdf((sr - benchmark) / error)


def expected_best_sharpe(trials: int, variance: float) -> float:
    """Return the best ratio to expect of `trials` worthless configurations (2014, equation 1).

    Args:
        trials: independent configurations tried, at least one; one gives 0.
        variance: of their ratios per bar.

    >>> round(expected_best_sharpe(100, 0.5 / 250), 4)
    0.1132
    """
    if trials < 2:
        return 0.0
    first = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - _EULER) * first + _EULER * second)


def deflated_sharpe(
    sr: float,
    n: int,
    trials: int,
    *,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    trial_variance: float | None = None,
) -> float | None:
    """Return the probabilistic ratio against the best of `trials` by luck (2014, equation 2).

    Args:
        trial_variance: variance of the ratios per bar over the trials; where they were not kept it
            is the sampling variance of a worthless ratio, 1/(n - 1).
    """
    if n < 2:
        return None
    variance = 1.0 / (n - 1) if trial_variance is None else trial_variance
    return probabilistic_sharpe(sr, n, skew, kurtosis, expected_best_sharpe(trials, variance))

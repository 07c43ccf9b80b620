"""Intervals for a statistic of dependent data: a block bootstrap over dates.

A statistic is a function of sums over dates, so a resample is a sum of precomputed block sums. All
symbols of a date stay together, and no block is shorter than the labels' horizon: labels that
overlap are resampled as they come. Circular blocks of a fixed length (Politis & Romano 1992), their
length chosen from the data (Politis & White 2004, with the correction of Patton, Politis & White
2009). Deterministic: the same data and settings give the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np

from bot.blocks import F64, Bool

Statistic: TypeAlias = Callable[[F64], F64]
"""From sums float64[..., q] to values float64[...]; must not depend on the sums' scale."""

LEVEL = 0.95
"""Coverage of every interval in a report."""

_QUANTILE = NormalDist().inv_cdf((1.0 + LEVEL) / 2.0)
LEAST_BLOCKS = 4
"""Of dates, below which there is no interval."""

_SEED = 20_240_229
_CHUNK = 4_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the bounds of its interval; None for bounds that could not be had."""

    value: float
    low: float | None
    high: float | None
    block: int

    @property
    def error(self) -> float | None:
        """Return a standard error: the interval's width over twice the normal quantile."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / (2.0 * _QUANTILE)


def interval(sums: F64, statistic: Statistic, min_block: int, samples: int) -> Interval | None:
    """Return the statistic of all dates and its interval: the resamples' percentiles, widened for few blocks.

    Args:
        sums: float64[dates, q], per date, in the order of time.
        statistic: of the sums over dates.
        min_block: least dates in a block, the labels' horizon.
        samples: resamples.

    Returns:
        None where the statistic itself is not finite. The bounds are None with under four blocks'
        worth of dates, or where resamples are not finite.
    """
    n = len(sums)
    if n == 0:
        return None
    total = sums.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(total))
    if not math.isfinite(value):
        return None
    block = max(min_block, math.ceil(n ** (1 / 3)), block_length(influence(sums, statistic)))
    if n < LEAST_BLOCKS * block:
        return Interval(value, None, None, block)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = statistic(resampled_sums(sums, block, samples))
    if not np.all(np.isfinite(values)):
        return Interval(value, None, None, block)
    tail = (1.0 - LEVEL) / 2.0
    wider = widening(n / block)
    low, high = (value + wider * (float(q) - value) for q in np.quantile(values, [tail, 1 - tail]))
    return Interval(value, low, high, block)


def widening(blocks: float) -> float:
    """Return by how much an interval from few blocks must grow to keep its coverage.

    Resampling B blocks understates the deviation by √((B − 1) / B), and its tails are Student's, here
    to first order in 1 / (B − 1).

    >>> round(widening(20.0), 3), round(widening(1e9), 3)
    (1.091, 1.0)
    """
    z = _QUANTILE
    return math.sqrt(blocks / (blocks - 1.0)) * (1.0 + (z**2 + 1.0) / (4.0 * (blocks - 1.0)))


def resampled_sums(sums: F64, block: int, samples: int) -> F64:
    """Return float64[samples, q], the sums over resampled dates.

    The circle of dates is covered by ceil(n / block) blocks, each from a random date on.
    """
    n, q = sums.shape
    wrapped = np.concatenate((np.zeros((1, q)), sums, sums[: block - 1])).cumsum(axis=0)
    block_sums = wrapped[block:] - wrapped[:-block]
    draws = math.ceil(n / block)
    random = np.random.default_rng(_SEED)
    out = np.empty((samples, q))
    step = max(1, _CHUNK // draws)
    for first in range(0, samples, step):
        last = min(first + step, samples)
        starts = random.integers(0, n, size=(last - first, draws))
        for j in range(q):
            out[first:last, j] = block_sums[:, j][starts].sum(axis=1)
    return out


def influence(sums: F64, statistic: Statistic) -> F64:
    """Return float64[dates], to first order what each date adds to the statistic.

    The gradient at the mean is taken by central differences.
    """
    mean = sums.mean(axis=0)
    q = len(mean)
    step = 1e-5 * (np.abs(mean) + 1e-3 * sums.std(axis=0))
    moved = np.diag(step)
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = statistic(mean + moved) - statistic(mean - moved)
        gradient = np.divide(rise, 2.0 * step, out=np.zeros(q), where=step > 0.0)
    added: F64 = (sums - mean) @ np.nan_to_num(gradient)
    return added


def block_length(x: F64) -> int:
    """Return the block length that suits the autocorrelation of x, at least 1.

    For the circular bootstrap: (2 G² / D)^(1/3) n^(1/3) with a flat-top window out to twice the lag
    from which the autocorrelation stays insignificant (2004, section 3.2; 2009, equation 4).
    """
    n = len(x)
    if n < 8:
        return 1
    x = x - x.mean()
    run = max(5, math.ceil(math.sqrt(math.log10(n))))
    most = math.ceil(math.sqrt(n)) + run
    covariance = _autocovariance(x, min(most, n - 1))
    if not covariance[0] > 0.0:
        return 1
    significant = np.abs(covariance[1:] / covariance[0]) >= 2.0 * math.sqrt(math.log10(n) / n)
    lags = min(2 * _first_quiet_lag(significant, run), len(covariance) - 1)
    k = np.arange(1, lags + 1)
    window = np.minimum(1.0, 2.0 * (1.0 - k / lags))
    g = 2.0 * float(np.sum(window * k * covariance[1 : lags + 1]))
    spectrum = float(covariance[0] + 2.0 * np.sum(window * covariance[1 : lags + 1]))
    d = 4.0 / 3.0 * spectrum**2
    if d <= 0.0:
        return 1
    longest = min(3.0 * math.sqrt(n), n / 3.0)
    return max(1, math.ceil(min(longest, math.cbrt(2.0 * g**2 / d * n))))


def _first_quiet_lag(significant: Bool, run: int) -> int:
    """Return the first of `run` insignificant lags in a row; the last lag where there are none."""
    quiet = 0
    for lag in range(1, len(significant) + 1):
        quiet = 0 if significant[lag - 1] else quiet + 1
        if quiet == run:
            return lag - run + 1
    return len(significant)


def _autocovariance(x: F64, lags: int) -> F64:
    """Return float64[lags + 1], by way of the spectrum."""
    n = len(x)
    size = 1 << (n + lags).bit_length()
    spectrum = np.fft.rfft(x, size)
    return np.fft.irfft(spectrum * spectrum.conj(), size)[: lags + 1] / n

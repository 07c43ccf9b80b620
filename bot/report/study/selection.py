"""The probability of backtest overfitting: what choosing the best of many settings is worth.

Combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado & Zhu 2017, "The
probability of backtest overfitting"): the days are cut into 16 blocks; for each way of taking eight of
them, the setting with the best Sharpe ratio there is ranked on the other eight. The probability is the
share of ways in which it does no better than the median. Must not know what a setting is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.blocks import F64
from bot.report.money.sharpe import ZERO_DEVIATION
from bot.wording import counted

BLOCKS = 16
LEAST_DAYS = 2 * BLOCKS
_AT_ONCE = 4_000_000
"""Cells of a batch of ways, so that memory does not grow with the settings."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What choosing the best came to.

    Attributes:
        probability: of overfitting; None where the days or settings are too few to tell.
        ways: in which the days were halved.
        reason: why there is no probability.
    """

    probability: float | None
    ways: int
    reason: str = ""

    def __str__(self) -> str:
        """Return what it means in a sentence."""
        if self.probability is None:
            return f"The probability of backtest overfitting is not known: {self.reason}."
        return (
            f"Probability of backtest overfitting {self.probability:.0%}: of {self.ways:,} ways to choose "
            "on one half of the days and look at the other, in so many the setting that was best did no "
            "better than the median (near 50 % choosing is worth nothing)."
        )


def overfitting_of(traded: Sequence[F64], blocks: int = BLOCKS) -> Selection:
    """Return the probability that the best of these settings owes it to choosing.

    Args:
        traded: net returns a day, float64[T], of each setting that traded; only they are chosen from.
        blocks: that the days are cut into, an even number.
    """
    if not len(traded):
        return Selection(None, 0, "no setting traded")
    days = np.stack(list(traded), axis=1)
    if len(days) < 2 * blocks:
        few = counted(len(days), "day")
        return Selection(None, 0, f"{few}, at least {2 * blocks} are needed")
    if days.shape[1] < 2:
        return Selection(None, 0, "where one setting trades there is nothing to choose")
    if np.all(days == days[:, :1]):
        return Selection(None, 0, "all settings earned the same on every day")
    sums = _block_sums(days, blocks)
    # a way and its complement are two: each half is once chosen on and once looked at
    ways = np.array(list(itertools.combinations(range(blocks), blocks // 2)))
    chosen = np.zeros((len(ways), blocks))
    np.put_along_axis(chosen, ways, 1.0, axis=1)
    step = max(1, _AT_ONCE // days.shape[1])
    worse = sum(_not_above_median(chosen[k : k + step], sums) for k in range(0, len(ways), step))
    return Selection(worse / len(ways), len(ways))


def _block_sums(days: F64, blocks: int) -> F64:
    """Return float64[blocks, 3, N], of each block its days, sum and sum of squares."""
    parts = np.array_split(days, blocks)
    return np.stack(
        [
            np.stack([np.full(days.shape[1], len(p)), p.sum(axis=0), (p * p).sum(axis=0)])
            for p in parts
        ]
    )


def _not_above_median(chosen: F64, sums: F64) -> int:
    inside, outside = _ratios(chosen, sums), _ratios(1.0 - chosen, sums)
    row = np.arange(len(chosen))
    ours = outside[row, np.argmax(inside, axis=1)][:, None]
    below, equal = (outside < ours).sum(axis=1), (outside == ours).sum(axis=1)
    rank = below + 0.5 * (equal + 1)  # ties share their ranks
    return int((rank / (outside.shape[1] + 1) <= 0.5).sum())


def _ratios(chosen: F64, sums: F64) -> F64:
    """Return float64[ways, N], the Sharpe ratios a day; 0 of what never moves."""
    n, total, squares = (chosen @ sums[:, k] for k in range(3))
    mean = total / n
    deviation = np.sqrt(np.maximum(squares / n - mean * mean, 0.0))
    ratio: F64 = np.divide(
        mean, deviation, out=np.zeros_like(mean), where=deviation > ZERO_DEVIATION
    )
    return ratio

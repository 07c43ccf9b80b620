"""Overfitting: how much worse a contender does on a fold than on the rows it was trained on.

A fold gives one number a contender and task, the mean over seeds, so folds are the sample: paired
differences with Student's interval over them. Few folds, wide intervals; no verdict is given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from bot.blocks import F64


@dataclass(frozen=True, slots=True)
class OverfittingDifference:
    """The first contender's excess loss minus the second's on one task, with the 95 % interval over folds."""

    task: str
    first: str
    second: str
    value: float
    low: float | None
    high: float | None


def overfitting_differences(
    excess: Mapping[str, F64], tasks: Sequence[str]
) -> list[OverfittingDifference]:
    """Return the first contender less each of the others, task by task.

    Args:
        excess: float64[folds, K] by contender, test loss less training loss, each over the loss of
            the training mean.
    """
    (first, ours), *others = excess.items()
    out = []
    for k, task in enumerate(tasks):
        for second, theirs in others:
            each = ours[:, k] - theirs[:, k]
            mean, n = float(each.mean()), len(each)
            low = high = None
            if n > 1:
                half = student(0.975, n - 1) * float(np.std(each, ddof=1)) / math.sqrt(n)
                low, high = mean - half, mean + half
            out.append(OverfittingDifference(task, first, second, value=mean, low=low, high=high))
    return out


def student(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t (Hill 1970's expansion; Abramowitz & Stegun 26.7.5).

    Exact for one and two degrees of freedom, to about 0.5 % from three on.

    >>> [round(student(0.975, n), 2) for n in (1, 2, 5, 9, 100)]
    [12.71, 4.3, 2.57, 2.26, 1.98]
    """
    if freedom == 1:
        return math.tan(math.pi * (probability - 0.5))
    if freedom == 2:
        a = 2.0 * probability - 1.0
        return a * math.sqrt(2.0 / (1.0 - a * a))
    z, n = NormalDist().inv_cdf(probability), float(freedom)
    terms = (
        (z**3 + z) / 4.0,
        (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0,
        (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0,
    )
    return z + sum(term / n ** (k + 1) for k, term in enumerate(terms))

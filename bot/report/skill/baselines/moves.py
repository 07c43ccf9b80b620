"""Return and direction by linear models on a few regressors of the bars: ridge and logistic.

The regressors: the returns of the last 1, 5, 10 and 24 bars in units of EWMA volatility, each clipped,
the log of that volatility over the one of a week, and the hour of the day as a point on a circle. A
record of a run has no features of its model's; these stand for all runs, so that runs compare.
"""

from __future__ import annotations

import numpy as np

from bot.blocks import F64
from bot.parts.registry import shipped
from bot.report.inputs import Judged
from bot.report.skill.baselines.ewma import ewma_deviation
from bot.report.skill.baselines.least_squares import known_whole, ones, regression
from bot.report.skill.baselines.rows import Era, Fit, Fitted, Head
from bot.report.skill.baselines.terms import (
    HOURS_OF_DAY,
    bars_of,
    hour_of_day,
    mean_over,
    returns,
    squared_returns,
)
from bot.report.skill.chosen_rows import Empty, kept_of
from bot.report.skill.logistic_fit import LogisticFit
from bot.report.some_symbols import stacked

BARS = (1, 5, 10, 24)
CLIP = 5.0
"""Deviations beyond which a return counts as so many: one crash may not decide a regression."""
PENALTY = 10.0

_STEPS = 25
_TOLERANCE = 1e-6
"""A step below it is the last: the next would be about its square."""
_WEEK = 168.0


@shipped(
    "baseline", "return_ridge", heads=("return",), label="ridge",
    words="ridge on returns, volatility and hour of day, on the training rows",
)  # fmt: skip
def return_ridge(run: Judged, head: Head) -> Fit:
    """Ridge on returns of the last 1 to 24 bars, the volatility of late and the hour of the day."""
    return regression(head.label, regressors(run), PENALTY)


@shipped(
    "baseline", "logistic", heads=("direction", "regime"), label="logistic",
    words="logistic regression on returns, volatility and hour of day, on the training rows",
)  # fmt: skip
def logistic(run: Judged, head: Head) -> Fit:
    """Logistic regression on returns of the last 1 to 24 bars, the volatility of late and the hour."""
    x = regressors(run)

    def fit(era: Era) -> Fitted | None:
        fitted = logit_coefficients(era.training(x), era.training(head.label), PENALTY, era.empty)
        if fitted is None:
            return None
        level, coefficients = fitted
        return lambda bars: 1.0 / (1.0 + np.exp(-(level + x[bars] @ coefficients)))

    return fit


def regressors(run: Judged) -> F64:
    """Return float64[n, S, 7]."""
    return stacked(run, len(BARS) + 3, _regressors)


def _regressors(run: Judged) -> F64:
    deviation = ewma_deviation(run)
    week = np.sqrt(np.maximum(mean_over(squared_returns(run), bars_of(run, _WEEK)), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        moves = [returns(run, bars) / (deviation * np.sqrt(bars)) for bars in BARS]
        ratio = np.log(deviation / week)
    found = [np.clip(move, -CLIP, CLIP) for move in moves] + [np.clip(ratio, -CLIP, CLIP)]
    angle = (2.0 * np.pi / HOURS_OF_DAY) * hour_of_day(run)[:, None]
    found += [np.broadcast_to(side(angle), deviation.shape) for side in (np.sin, np.cos)]
    return np.stack(found, axis=-1)


def logit_coefficients(
    x: F64, y: F64, penalty: float, empty: Empty = np.empty
) -> tuple[float, F64] | None:
    """Return level and float64[m] coefficients of the logistic regression of y on x; None for no fit.

    By Newton's method on −log likelihood + λ/2 |b|² with x in standard deviations and the level free.

    Args:
        x: float64[rows, m]; rows with something missing do not take part.
        y: float64[rows], 0 or 1.
        penalty: λ.
        empty: makes arrays of so many rows.
    """
    m = x.shape[1]
    known = known_whole(x, y, empty)
    x, y = (kept_of(each, known, empty) for each in (x, y))
    if len(y) <= m + 1 or not 0.0 < y.sum() < len(y):
        return None
    centre = ones(len(x), empty) @ x / len(x)
    design: F64 = empty((len(x), m + 1))
    design[:, 0] = 1.0
    np.subtract(x, centre, out=design[:, 1:])
    width = np.sqrt(np.einsum("ij,ij->j", design, design)[1:] / len(x))
    width = np.where(width > 0.0, width, 1.0)
    design[:, 1:] /= width
    penalties = np.array([0.0] + m * [penalty])
    rate = float(y.mean())
    beta = np.array([np.log(rate / (1.0 - rate))] + m * [0.0])
    fit = LogisticFit(design, y, empty)
    for _ in range(_STEPS):
        fit.say(beta)
        information = fit.weighted().T @ design + np.diag(penalties)
        step = np.linalg.solve(information, fit.missed() @ design - penalties * beta)
        beta = beta + step
        if np.abs(step).max() < _TOLERANCE:
            b = beta[1:] / width
            return float(beta[0] - centre @ b), b
    return None

"""What each kind of head is measured by, on which rows and against which baseline.

One table for all who measure: a report puts intervals around some of it (`verdicts`), a study of
contenders compares on some of it (`bot.report.study.endpoints`). Rules: a measure is made only when
it is asked for; rows without a baseline do not count against it. Must not resample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from bot.blocks import F64
from bot.report.inputs import Judged
from bot.report.skill import baselines
from bot.report.skill.baselines import Head
from bot.report.skill.har import har_variance
from bot.report.skill.measures import (
    Measure,
    auc,
    calibration_error,
    clipped,
    hit_rate_gain,
    log_loss,
    loss_skill,
    mean_rank_ic,
    qlike,
    rank_ic,
    switches,
    variance_bias,
)

Measures = Mapping[str, Callable[[], Measure]]
"""By name, in the order of tables; made when called."""

_MEAN = "mean of the training rows"

BASELINES = {
    "return": "zero",
    "direction": "base rate of the training rows",
    "volatility": "EWMA (0.94), scaled on the training rows",
    "volume": "mean by hour of week of the training rows",
    "regime": "base rate of the training rows",
}


def baseline_of(kind: str) -> str:
    """Return in words what a kind of head is held against."""
    return BASELINES.get(kind, _MEAN)


def measures_of(run: Judged, head: Head) -> Measures:
    """Return all that a head is measured by."""
    match head.task.kind:
        case "return":
            return _of_return(head)
        case "direction" | "regime":
            return _of_direction(run, head)
        case "volatility":
            return _of_volatility(run, head)
        case "volume":
            return _of_volume(run, head)
        case _:
            return _of_another(run, head)


def _of_return(head: Head) -> Measures:
    y, f, rows = head.label, head.forecast, head.rows
    found: dict[str, Callable[[], Measure]] = {
        "mse_skill": partial(loss_skill, (y - f) ** 2, y**2, rows),
        "rank_ic": partial(rank_ic, f, y, rows),
    }
    if rows.any(axis=0).sum() > 1:
        found["rank_ic_by_symbol"] = partial(mean_rank_ic, f, y, rows)
    return found


def _of_direction(run: Judged, head: Head) -> Measures:
    y, rate = head.label, baselines.base_rate(run, head)
    rows = head.rows & np.isfinite(rate)
    hit, naive = ((side > 0.5) == (y > 0.5) for side in (head.forecast, rate))
    p = clipped(head.forecast)
    return {
        "auc": partial(auc, head.forecast, y, head.rows),
        "log_loss_skill": partial(loss_skill, log_loss(p, y), log_loss(rate, y), rows),
        "brier_skill": partial(loss_skill, (p - y) ** 2, (rate - y) ** 2, rows),
        "hit_rate_gain": partial(hit_rate_gain, hit, naive, rows),
        "calibration_error": partial(calibration_error, p, y, rows),
    }


def _of_volatility(run: Judged, head: Head) -> Measures:
    """Judge the forecast variance by QLIKE, and the forecast deviation by its squared error."""
    y, naive = head.label, baselines.volatility_forecasts(run, head)
    rows = head.rows & np.isfinite(naive.variance)
    moved = rows & (y > 0.0)
    squared = np.where(y > 0.0, y**2, np.nan)
    own = qlike(squared, naive.model_variance)

    def against_har() -> Measure:
        har = har_variance(run, head)
        return loss_skill(own, qlike(squared, har), moved & np.isfinite(har))

    return {
        "qlike_skill": partial(loss_skill, own, qlike(squared, naive.variance), moved),
        "mse_skill": partial(
            loss_skill, (y - head.forecast) ** 2, (y - naive.deviation) ** 2, rows
        ),
        "qlike_skill_against_har": against_har,
        "variance_bias": partial(variance_bias, squared, naive.model_variance, moved),
        "regime_switches": lambda: switches(_is_high(run, head), moved),
    }


def _is_high(run: Judged, head: Head) -> F64:
    """Return float64[n, S], whether the forecast is above the median training label; NaN unknown."""
    high = np.full(head.label.shape, np.nan)
    for era in baselines.eras(run, head):
        f = head.forecast[era.bars]
        median = np.median(era.training(head.label))
        high[era.bars] = np.where(np.isfinite(f), f > median, np.nan)
    return high


def _of_volume(run: Judged, head: Head) -> Measures:
    y, naive = head.label, baselines.hour_of_week_mean(run, head)
    rows = head.rows & np.isfinite(naive)
    return {"mse_skill": partial(loss_skill, (y - head.forecast) ** 2, (y - naive) ** 2, rows)}


def _of_another(run: Judged, head: Head) -> Measures:
    """Judge a regression by its squared error, and a decision as a position between −1 and 1."""
    y, f, naive = head.label, head.forecast, baselines.training_mean(run, head)
    rows = head.rows & np.isfinite(naive)
    return {
        "mse_skill": partial(loss_skill, (y - f) ** 2, (y - naive) ** 2, rows),
        "rank_ic": partial(rank_ic, f, y, head.rows),
    }

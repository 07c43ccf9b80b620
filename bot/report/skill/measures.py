"""Is a head worth having: its skill against a naive baseline, with an interval.

A skill is 1 − loss / baseline's loss: 0 is no better than naive, below 0 worse. Rank IC and AUC
stand beside it, at 0 and 0.5 without skill. Only out-of-sample forecasts from the run's start on
are judged. Where an interval covers the value without skill, no skill is shown, and it says so.

In resamples the ranks behind rank IC, and the placements behind AUC, are those of the whole sample:
exact to first order where there is no skill, and a sort less per resample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bot.blocks import F64, Bool
from bot.report.inputs import Judged
from bot.report.skill import baselines
from bot.report.skill.baselines import Head
from bot.report.skill.bootstrap import Interval, Statistic, interval

PROBABILITY_CLIP = 1e-6

SHOWN, NONE_SHOWN, WORSE = "skill shown", "no skill shown", "worse than the baseline"
UNKNOWN = "too few dates to tell"

_MEAN = "mean of the training rows"

BASELINES = {
    "return": "zero",
    "direction": "base rate of the training rows",
    "volatility": "EWMA (0.94), scaled on the training rows",
    "volume": "mean by hour of week of the training rows",
    "regime": "base rate of the training rows",
}


def skill(run: Judged, samples: int) -> dict[str, dict[str, Any]]:
    """Return each head's skill by the task's name.

    Each has its kind, horizon, baseline, rows, dates and `measures`; a measure has value,
    low and high (95 %), null (its value without skill), the model's and the baseline's score where
    it compares two, the length of the bootstrap's blocks, and a verdict in words.
    """
    result = {}
    for head in baselines.heads(run):
        task = head.task
        result[task.name] = {
            "kind": task.kind,
            "horizon": task.horizon,
            "baseline": BASELINES.get(task.kind, _MEAN),
            "rows": int(head.rows.sum()),
            "dates": int(head.rows.any(axis=1).sum()),
            "measures": _measures(run, head, samples),
        }
    return result


def _measures(run: Judged, head: Head, samples: int) -> dict[str, Any]:
    match head.task.kind:
        case "return":
            return _of_return(head, samples)
        case "direction" | "regime":
            return _of_direction(run, head, samples)
        case "volatility":
            return _of_volatility(run, head, samples)
        case "volume":
            return _of_volume(run, head, samples)
        case _:
            return _of_another(run, head, samples)


def _of_return(head: Head, samples: int) -> dict[str, Any]:
    y, f = head.label, head.forecast
    measures = {
        "mse_skill": loss_skill((y - f) ** 2, y**2, head.rows, head.task.horizon, samples),
        "rank_ic": rank_ic(f, y, head.rows, head.task.horizon, samples),
    }
    if head.rows.any(axis=0).sum() > 1:
        measures["rank_ic_by_symbol"] = mean_rank_ic(f, y, head.rows, head.task.horizon, samples)
    return measures


def _of_direction(run: Judged, head: Head, samples: int) -> dict[str, Any]:
    y, h = head.label, head.task.horizon
    rate = baselines.base_rate(run, head)
    rows = head.rows & np.isfinite(rate)
    hit, naive = ((side > 0.5) == (y > 0.5) for side in (head.forecast, rate))
    p = np.clip(head.forecast, PROBABILITY_CLIP, 1.0 - PROBABILITY_CLIP)
    return {
        "auc": auc(head.forecast, y, head.rows, h, samples),
        "log_loss_skill": loss_skill(log_loss(p, y), log_loss(rate, y), rows, h, samples),
        "brier_skill": loss_skill((p - y) ** 2, (rate - y) ** 2, rows, h, samples),
        "hit_rate_gain": hit_rate_gain(hit, naive, rows, h, samples),
    }


def _of_volatility(run: Judged, head: Head, samples: int) -> dict[str, Any]:
    y, h = head.label, head.task.horizon
    naive = baselines.volatility_forecasts(run, head)
    rows = head.rows & np.isfinite(naive.variance)
    squared = np.where(y > 0.0, y**2, np.nan)
    return {
        "qlike_skill": loss_skill(
            qlike(squared, naive.model_variance),
            qlike(squared, naive.variance),
            rows & (y > 0.0),
            h,
            samples,
        ),
        "mse_skill": loss_skill(
            (y - head.forecast) ** 2, (y - naive.deviation) ** 2, rows, h, samples
        ),
    }


def _of_volume(run: Judged, head: Head, samples: int) -> dict[str, Any]:
    y = head.label
    naive = baselines.hour_of_week_mean(run, head)
    rows = head.rows & np.isfinite(naive)
    losses = (y - head.forecast) ** 2, (y - naive) ** 2
    return {"mse_skill": loss_skill(*losses, rows, head.task.horizon, samples)}


def _of_another(run: Judged, head: Head, samples: int) -> dict[str, Any]:
    """Judge a regression by its squared error, and a decision as a position between −1 and 1."""
    y, f, h = head.label, head.forecast, head.task.horizon
    naive = baselines.training_mean(run, head)
    rows = head.rows & np.isfinite(naive)
    return {
        "mse_skill": loss_skill((y - f) ** 2, (y - naive) ** 2, rows, h, samples),
        "rank_ic": rank_ic(f, y, head.rows, h, samples),
    }


def log_loss(p: F64, y: F64) -> F64:
    """Return −log of the probability given to what happened."""
    return -np.log(np.where(y > 0.5, p, 1.0 - p))


def qlike(variance: F64, forecast: F64) -> F64:
    """Return v/f − log(v/f) − 1, zero where the forecast variance is right (Patton 2011).

    >>> float(qlike(np.array(4.0), np.array(4.0)))
    0.0
    """
    ratio = variance / forecast
    return ratio - np.log(ratio) - 1.0


def loss_skill(loss: F64, naive: F64, rows: Bool, horizon: int, samples: int) -> dict[str, Any]:
    """Return 1 − mean loss / mean naive loss, and both means; the arrays are float64[n, S]."""
    sums = by_date(rows, loss, naive)

    def statistic(s: F64) -> F64:
        return 1.0 - s[..., 0] / s[..., 1]

    return _measure(sums, statistic, 0.0, horizon, samples) | _scores(sums, rows)


def hit_rate_gain(hit: Bool, naive: Bool, rows: Bool, horizon: int, samples: int) -> dict[str, Any]:
    """Return the share of right directions less that of always following the base rate."""
    sums = by_date(rows, hit, naive, np.ones(rows.shape))

    def statistic(s: F64) -> F64:
        return (s[..., 0] - s[..., 1]) / s[..., 2]

    return _measure(sums, statistic, 0.0, horizon, samples) | _scores(sums, rows)


def rank_ic(f: F64, y: F64, rows: Bool, horizon: int, samples: int) -> dict[str, Any]:
    """Return Spearman's rank correlation over all rows, the symbols pooled."""
    a, b = (laid_over(centred_ranks(v[rows]), rows) for v in (f, y))
    sums = by_date(rows, np.ones(rows.shape), a, b, a * a, b * b, a * b)
    return _measure(sums, correlation, 0.0, horizon, samples)


def mean_rank_ic(f: F64, y: F64, rows: Bool, horizon: int, samples: int) -> dict[str, Any]:
    """Return the mean over symbols of Spearman's rank correlation, each symbol on its own."""
    product = np.zeros(rows.shape)
    counted = 0
    for s in range(rows.shape[1]):
        ours = rows[:, s]
        a, b = centred_ranks(f[ours, s]), centred_ranks(y[ours, s])
        size = float(np.sqrt((a @ a) * (b @ b)))
        if size > 0.0:
            product[ours, s] = a * b / size
            counted += 1
    dates = int(rows.any(axis=1).sum())
    sums = by_date(rows, product)
    sums = np.column_stack((sums * dates / max(counted, 1), np.ones(dates)))

    def statistic(s: F64) -> F64:
        return s[..., 0] / s[..., 1] if counted else s[..., 0] * np.nan

    return _measure(sums, statistic, 0.0, horizon, samples)


def auc(p: F64, y: F64, rows: Bool, horizon: int, samples: int) -> dict[str, Any]:
    """Return the probability that a rise was given a higher score than a fall, ties half.

    Resampled by its projection on placements (DeLong, DeLong & Clarke-Pearson 1988).
    """
    score, rose = p[rows], y[rows] > 0.5
    n_rises, n_falls = int(rose.sum()), int((~rose).sum())
    if n_rises == 0 or n_falls == 0:
        return _measure(np.zeros((0, 1)), lambda s: s[..., 0], 0.5, horizon, samples)
    rank = _ranks(score)
    placement = np.empty(len(score))
    placement[rose] = (rank[rose] - _ranks(score[rose])) / n_falls
    placement[~rose] = 1.0 - (rank[~rose] - _ranks(score[~rose])) / n_rises
    value = float(placement[rose].mean())
    up, of = laid_over(rose.astype(np.float64), rows), laid_over(placement, rows)
    sums = by_date(rows, up, up * of, 1.0 - up, (1.0 - up) * of)

    def statistic(s: F64) -> F64:
        return s[..., 1] / s[..., 0] + s[..., 3] / s[..., 2] - value

    return _measure(sums, statistic, 0.5, horizon, samples)


def by_date(rows: Bool, *values: F64 | Bool) -> F64:
    """Return float64[dates, q], the sums over symbols at each date that has a row."""
    dates = rows.any(axis=1)
    kept = rows[dates]
    return np.column_stack([np.where(kept, v[dates], 0.0).sum(axis=1) for v in values])


def correlation(s: F64) -> F64:
    """Return the correlation from the sums of 1, a, b, a², b² and ab, float64[..., 6]."""
    n, a, b, aa, bb, ab = (s[..., j] for j in range(6))
    return (ab - a * b / n) / np.sqrt((aa - a * a / n) * (bb - b * b / n))


def _ranks(values: F64) -> F64:
    return np.asarray(pd.Series(values).rank(), dtype=np.float64)


def centred_ranks(values: F64) -> F64:
    """Return ranks around 0, scaled to about ±1 so that sums of squares stay exact enough."""
    return (2.0 * _ranks(values) - (len(values) + 1.0)) / max(len(values), 1)


def laid_over(flat: F64, rows: Bool) -> F64:
    """Return float64[n, S] with the flat values at their rows, 0 elsewhere."""
    out = np.zeros(rows.shape)
    out[rows] = flat
    return out


def _scores(sums: F64, rows: Bool) -> dict[str, float | None]:
    count = int(rows.sum())
    if count == 0:
        return {"score": None, "baseline_score": None}
    total = sums.sum(axis=0) / count
    return {"score": float(total[0]), "baseline_score": float(total[1])}


def _measure(
    sums: F64, statistic: Statistic, null: float, horizon: int, samples: int
) -> dict[str, Any]:
    found = interval(sums, statistic, horizon, samples)
    entry: dict[str, Any] = {"value": None, "low": None, "high": None, "null": null, "block": None}
    if found is not None:
        entry |= {"value": found.value, "low": found.low, "high": found.high, "block": found.block}
    return entry | {"verdict": _verdict(found, null)}


def _verdict(found: Interval | None, null: float) -> str:
    if found is None or found.low is None or found.high is None:
        return UNKNOWN
    if found.low > null:
        return SHOWN
    return WORSE if found.high < null else NONE_SHOWN

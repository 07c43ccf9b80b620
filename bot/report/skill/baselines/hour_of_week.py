"""Volume by its mean at this hour of the week in the training rows."""

from __future__ import annotations

import numpy as np

from bot.parts.registry import shipped
from bot.report.inputs import Judged
from bot.report.skill.baselines.rows import Era, Fit, Fitted, Head
from bot.report.skill.baselines.terms import HOURS_OF_WEEK, hour_of_week


@shipped(
    "baseline", "hour_of_week_mean", heads=("volume",), label="hour-of-week mean",
    words="mean by hour of week of the training rows",
)  # fmt: skip
def hour_of_week_mean(run: Judged, head: Head) -> Fit:
    """The training rows' mean at this hour of the week; an hour without any gets the mean of all."""
    hour = hour_of_week(run)
    hours = np.broadcast_to(hour[:, None], (len(hour), run.n_symbols))

    def fit(era: Era) -> Fitted:
        labels = era.training(head.label)
        at = era.training(hours)
        count = np.bincount(at, minlength=HOURS_OF_WEEK)
        total = np.bincount(at, weights=labels, minlength=HOURS_OF_WEEK)
        mean = np.where(count > 0, total / np.maximum(count, 1), labels.mean())
        return lambda bars: mean[hour[bars]][:, None]

    return fit

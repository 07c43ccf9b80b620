"""Volatility by least squares on the logs of range volatilities, with the hour of the day."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bot import timegrid
from bot.blocks import F64
from bot.parts.registry import shipped
from bot.report.inputs import Judged
from bot.report.skill.baselines.least_squares import regression
from bot.report.skill.baselines.rows import Era, Fit, Fitted, Head, unknown
from bot.report.skill.baselines.terms import (
    HOURS_OF_DAY,
    hour_of_day,
    log_volatilities,
    spans,
    squared_ranges,
)
from bot.report.some_symbols import stacked


@shipped(
    "baseline", "log_har", heads=("volatility",), label="log-HAR",
    words="log-HAR on range volatilities over 1 to 720 hours with the hour of the day, on the training rows",
)  # fmt: skip
def log_har(run: Judged, head: Head) -> Fit:
    """exp(a + u[hour of day] + Σ b log σ_span): HAR in logs (Corsi 2009), on ranges (Parkinson 1980).

    Training rows without movement do not take part. That the mean of a log is not the log of the mean
    is made good by the scale of the variance.
    """
    return log_har_of(run, head, squared_ranges)


def log_har_of(run: Judged, head: Head, squared: Callable[[Judged], F64]) -> Fit:
    """Fit HAR in logs on the variances of a run's bars, float64[n, S]."""
    logs = unknown(run, head)
    for at in timegrid.spans(*logs.shape):
        logs[at] = np.log(np.where(head.label[at] > 0.0, head.label[at], np.nan))
    terms = stacked(run, len(spans(run)), lambda some: log_volatilities(some, squared(some)))
    in_logs = regression(logs, terms, 0.0, hour_of_day(run), HOURS_OF_DAY)

    def fit(era: Era) -> Fitted | None:
        fitted = in_logs(era)
        return None if fitted is None else lambda bars: np.exp(fitted(bars))

    return fit

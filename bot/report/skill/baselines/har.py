"""The HAR forecast of volatility (Corsi 2009): a day's, a week's and a month's volatility, by OLS."""

from __future__ import annotations

import numpy as np

from bot.blocks import F64
from bot.parts.registry import shipped
from bot.report.inputs import Judged
from bot.report.skill.baselines.least_squares import regression
from bot.report.skill.baselines.rows import Fit, Head
from bot.report.skill.baselines.terms import bars_of, mean_over, squared_returns
from bot.report.some_symbols import stacked

DAYS = (1, 7, 30)
"""Days of the calendar behind the three regressors; with sessions, 5 of them in a week, 21 a month."""


@shipped(
    "baseline", "har", heads=("volatility",), label="HAR",
    words="HAR (day, week, month; close to close) by least squares on the training rows",
)  # fmt: skip
def har(run: Judged, head: Head) -> Fit:
    """b₀ + b₁ σ_day + b₂ σ_week + b₃ σ_month (Corsi 2009, equation 10, on deviations)."""
    return regression(head.label, stacked(run, len(DAYS), _terms), 0.0)


def _terms(run: Judged) -> F64:
    """Return float64[n, S, 3], the volatility of the last day, week and month."""
    squared = squared_returns(run)
    means = [mean_over(squared, bars_of(run, 24.0 * days)) for days in DAYS]
    terms: F64 = np.sqrt(np.maximum(np.stack(means, axis=-1), 0.0))
    return terms

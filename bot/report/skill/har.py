"""The HAR forecast of volatility (Corsi 2009): a day's, a week's and a month's volatility, by OLS.

Rules: those of `baselines`: fitted on each model's training rows, all symbols pooled, and a
forecast of bar t uses bars up to t. Must not look at the models' own forecasts.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bot.blocks import F64
from bot.report.inputs import Judged
from bot.report.skill.baselines import FLOOR_SHARE, Head, eras

DAYS_A_YEAR = 365
DAYS = (1, 7, 30)
"""Days of the calendar behind the three regressors; with sessions, 5 of them in a week, 21 a month."""


def har_variance(run: Judged, head: Head) -> F64:
    """Return float64[n, S], the variance that HAR forecasts for the volatility head's target.

    y = b₀ + b₁ σ_day + b₂ σ_week + b₃ σ_month (Corsi 2009, equation 10, on deviations), lifted to
    the floor of the other forecasts, then scaled by the mean of (y / fit)² on the training rows, as
    theirs are.
    """
    regressors = _realised(run)
    out = np.full(head.label.shape, np.nan)
    for era in eras(run, head):
        y = era.training(head.label)
        x = np.column_stack([np.ones(len(y)), *(era.training(r) for r in regressors)])
        known = np.isfinite(x).all(axis=1)
        if known.sum() <= x.shape[1]:
            continue
        y, x = y[known], x[known]
        coefficients = np.linalg.lstsq(x, y, rcond=None)[0]
        floor = FLOOR_SHARE * float(y.mean())
        scale = float(np.mean((y / np.maximum(x @ coefficients, floor)) ** 2))
        now = np.stack([np.ones(out[era.bars].shape), *(r[era.bars] for r in regressors)], axis=-1)
        fit = now @ coefficients
        out[era.bars] = scale * np.where(np.isfinite(fit), np.maximum(fit, floor), np.nan) ** 2
    return out


def _realised(run: Judged) -> list[F64]:
    """Return for each span of DAYS float64[n, S], the root mean square return of a bar over it."""
    price = np.where(run.bars.valid, run.price, np.nan)
    before = np.vstack((np.full((1, run.n_symbols), np.nan), run.price[:-1]))
    squared = pd.DataFrame((price / before - 1.0) ** 2)
    spans = [max(1, round(days * run.periods_per_year / DAYS_A_YEAR)) for days in DAYS]
    return [
        np.sqrt(
            squared.rolling(span, min_periods=max(1, span // 2)).mean().to_numpy(dtype=np.float64)
        )
        for span in spans
    ]

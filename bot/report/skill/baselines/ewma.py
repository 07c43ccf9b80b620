"""Volatility by the exponentially weighted mean of squared returns (RiskMetrics 1996)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bot.blocks import F64
from bot.parts.registry import shipped
from bot.report.inputs import Judged
from bot.report.skill.baselines.rows import Era, Fit, Fitted, Head
from bot.report.skill.baselines.terms import squared_returns
from bot.report.skill.chosen_rows import kept_of
from bot.report.some_symbols import stacked

EWMA_DECAY = 0.94


@shipped(
    "baseline",
    "ewma",
    heads=("volatility",),
    label="EWMA",
    words="EWMA (0.94), scaled on the training rows",
)
def ewma(run: Judged, head: Head) -> Fit:
    """EWMA volatility with a decay of 0.94 a bar, times Σ target / Σ EWMA of the training rows."""
    deviation = stacked(run, 1, lambda some: ewma_deviation(some)[:, :, None])[:, :, 0]

    def fit(era: Era) -> Fitted | None:
        y, e = era.training(head.label), era.training(deviation)
        both = np.isfinite(e)
        y, e = (kept_of(each, both, era.empty) for each in (y, e))
        if not (len(y) and y.sum() > 0.0 and e.sum() > 0.0):
            return None
        level = float(y.sum() / e.sum())
        return lambda bars: level * deviation[bars]

    return fit


def ewma_deviation(run: Judged) -> F64:
    """Return float64[n, S], √ of the exponentially weighted mean of squared returns up to the bar.

    Weights decay by 0.94 a bar and are normalised, as in pandas; missing bars leave it as it was.
    """
    squared = pd.DataFrame(squared_returns(run))
    mean = squared.ewm(alpha=1.0 - EWMA_DECAY, ignore_na=True).mean()
    deviation: F64 = np.sqrt(mean.to_numpy(dtype=np.float64))
    return deviation

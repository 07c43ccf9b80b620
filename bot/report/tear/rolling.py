"""Sharpe ratio, volatility and beta over the last days, day by day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.blocks import F64, I64
from bot.report.money.sharpe import ZERO_DEVIATION
from bot.report.tear.daily import Daily

WINDOWS = (182, 91, 30, 14)
"""Days of a window; the longest that fits three times is taken."""


@dataclass(frozen=True, slots=True)
class Rolling:
    """Figures of the last `window` days at each day, annualised; NaN where there is none.

    Attributes:
        day: int64[m], the last day of each window, days since 1970 UTC.
        sharpe, volatility, beta: float64[m]; beta is to buy and hold.
        held_sharpe, held_volatility: float64[m], of buy and hold.
    """

    window: int
    day: I64
    sharpe: F64
    volatility: F64
    beta: F64
    held_sharpe: F64
    held_volatility: F64


def rolling(daily: Daily) -> Rolling | None:
    """Return the figures; None where there are too few days for any window."""
    window = next((w for w in WINDOWS if len(daily) >= 3 * w), None)
    if window is None:
        return None
    mine = np.lib.stride_tricks.sliding_window_view(daily.run, window)
    held = np.lib.stride_tricks.sliding_window_view(daily.held, window)
    a = mine - mine.mean(axis=1, keepdims=True)
    b = held - held.mean(axis=1, keepdims=True)
    mine_deviation, held_deviation = (_deviation(x) for x in (a, b))
    root = np.sqrt(daily.per_year)
    covariance = (a * b).sum(axis=1) / (window - 1)
    return Rolling(
        window,
        daily.day[window - 1 :],
        sharpe=mine.mean(axis=1) / mine_deviation * root,
        volatility=np.nan_to_num(mine_deviation) * root,
        beta=covariance / held_deviation**2,
        held_sharpe=held.mean(axis=1) / held_deviation * root,
        held_volatility=np.nan_to_num(held_deviation) * root,
    )


def _deviation(centred: F64) -> F64:
    """Return the deviation (ddof 1) of each row, NaN where it is rounding."""
    found = np.sqrt((centred**2).sum(axis=1) / (centred.shape[1] - 1))
    deviation: F64 = np.where(found > ZERO_DEVIATION, found, np.nan)
    return deviation

"""A run beside buy and hold of the same symbols: what of its returns is the market's."""

from __future__ import annotations

import math

import numpy as np

from bot.report.money.metrics import Figures
from bot.report.money.sharpe import ZERO_DEVIATION
from bot.report.tear.daily import Daily, compounded
from bot.report.tear.tails import LEAST_DAYS


def market_figures(daily: Daily) -> Figures:
    """Return beta, alpha and their like, from daily returns.

    Alpha is the mean return that beta does not explain, times the days of a year; the information
    ratio is the mean difference to buy and hold over its deviation (the tracking error), annualised;
    the Treynor ratio the mean return of a year over beta. Captures are the compounded return on the
    days on which the market rose (fell), over the market's.
    """
    names = (
        "beta", "alpha", "correlation", "r_squared", "information_ratio", "tracking_error", "treynor",
        "up_capture", "down_capture",
    )  # fmt: skip
    figures: Figures = dict.fromkeys(names)
    mine, held = daily.run, daily.held
    if len(daily) < LEAST_DAYS or held.std(ddof=1) <= ZERO_DEVIATION:
        return figures
    beta = float(np.cov(mine, held)[0, 1] / np.var(held, ddof=1))
    figures["beta"] = beta
    figures["alpha"] = float(mine.mean() - beta * held.mean()) * daily.per_year
    if mine.std(ddof=1) > ZERO_DEVIATION:
        correlation = float(np.corrcoef(mine, held)[0, 1])
        figures |= {"correlation": correlation, "r_squared": correlation**2}
        if beta != 0.0:
            figures["treynor"] = float(mine.mean()) * daily.per_year / beta
    gap = mine - held
    error = float(gap.std(ddof=1))
    if error > ZERO_DEVIATION:
        figures["tracking_error"] = error * math.sqrt(daily.per_year)
        figures["information_ratio"] = float(gap.mean()) / error * math.sqrt(daily.per_year)
    for name, days in (("up_capture", held > 0.0), ("down_capture", held < 0.0)):
        market = compounded(held[days])
        if days.any() and market != 0.0:
            figures[name] = compounded(mine[days]) / market
    return figures

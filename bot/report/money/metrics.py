"""The figures of an equity curve, all from net returns.

Rules: a figure that cannot be had (too few returns, no variance, no losses) is None, never an
infinity, a NaN or a made-up number. Fractions are fractions, not percent; a drawdown is positive.
Must not know about symbols or fills; what trades add is in `activity.py`.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from bot.blocks import F64, Bool
from bot.report.money import sharpe
from bot.report.money.trials import Tried

Figure: TypeAlias = float | int | None
Figures: TypeAlias = dict[str, Figure]

YEAR_MS = 365.25 * 86_400_000.0
"""The year of CAGR: calendar time, while annualised figures count bars."""

LEAST_YEARS = 30.0 / 365.0
"""A return over less than 30 days is not compounded to a year: it would be a number of fantasy."""


def equity_metrics(
    equity: F64,
    capital: float,
    periods_per_year: float,
    elapsed_ms: float,
    tried: Tried | None = None,
) -> Figures:
    """Return the figures of an equity curve.

    Args:
        equity: float64[n], at the close of each bar that counts.
        capital: equity before the first of them.
        periods_per_year: A, bars a year.
        elapsed_ms: calendar time from the first bar's open to the last one's close, for CAGR.
        tried: the trials on the same data, for the deflated Sharpe ratio; without them it has none.

    Once equity is not positive, returns have no meaning: only total return, drawdown (which is at
    most 1) and time under water are given then. Over less than 30 days there is no annualised
    return, CAGR or Calmar ratio.
    """
    curve = np.concatenate(([capital], equity))
    n = len(equity)
    total = float(curve[-1] / capital - 1.0)
    drawdown = max_drawdown(curve)
    alive = bool(np.all(curve > 0.0))
    returns = bar_returns(curve) if alive else np.empty(0)
    annual = _compound(total, n / periods_per_year) if alive else None
    deviation = _deviation(returns)
    figures: Figures = {
        "bars": n,
        "total_return": total,
        "annualized_return": annual,
        "annualized_volatility": _times(deviation, math.sqrt(periods_per_year)),
        **sharpe_figures(returns, periods_per_year, tried),
        **_sortino_figures(returns, periods_per_year),
        "max_drawdown": drawdown,
        "calmar_ratio": _ratio(annual, drawdown),
        "longest_under_water_bars": longest_under_water(curve),
        "cagr": _compound(total, elapsed_ms / YEAR_MS) if alive else None,
    }
    return finite(figures)


def bar_returns(curve: F64) -> F64:
    """Return float64[n] of a curve float64[n + 1] of positive values.

    >>> bar_returns(np.array([100.0, 110.0, 99.0])).round(3).tolist()
    [0.1, -0.1]
    """
    return curve[1:] / curve[:-1] - 1.0


def lived_shares(amounts: F64, opening: F64) -> F64:
    """Return what amounts are of the equity that their periods opened with; 0 after a bankruptcy.

    >>> lived_shares(np.array([5.0, 5.0, 5.0]), np.array([100.0, 0.0, 50.0])).tolist()
    [0.05, 0.0, 0.0]
    """
    lived = np.logical_and.accumulate(opening > 0.0)
    shares: F64 = np.where(lived, amounts / np.where(lived, opening, 1.0), 0.0)
    return shares


def lived_returns(opening: F64, closing: F64) -> F64:
    """Return the returns of periods: -1 at a bankruptcy, and 0 from then on.

    >>> lived_returns(np.array([100.0, 110.0, -5.0]), np.array([110.0, -5.0, 20.0])).round(3).tolist()
    [0.1, -1.0, 0.0]
    """
    lived = np.logical_and.accumulate(opening > 0.0)
    grown = np.maximum(closing, 0.0) / np.where(lived, opening, 1.0)
    returns: F64 = np.where(lived, grown - 1.0, 0.0)
    return returns


def max_drawdown(curve: F64) -> float:
    """Return the deepest fall from a peak, as a positive fraction of the peak.

    >>> max_drawdown(np.array([100.0, 120.0, 90.0, 130.0]))
    0.25
    """
    return float(np.max(drawdowns(curve)))


def drawdowns(curve: F64) -> F64:
    """Return float64[n], at each point the fall from the highest value so far; 1 if all is lost.

    >>> drawdowns(np.array([100.0, 80.0, -30.0])).round(3).tolist()
    [0.0, 0.2, 1.0]
    """
    return np.minimum(1.0 - curve / np.maximum.accumulate(curve), 1.0)


def longest_under_water(curve: F64) -> int:
    """Return the most successive bars below the highest value so far.

    >>> longest_under_water(np.array([3.0, 2.0, 2.5, 3.0, 1.0]))
    2
    """
    return longest_true(curve < np.maximum.accumulate(curve))


def longest_true(flags: Bool) -> int:
    """Return the length of the longest unbroken stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return int(np.max(edges[1::2] - edges[::2])) if len(edges) else 0


def sharpe_figures(returns: F64, periods_per_year: float, tried: Tried | None) -> Figures:
    """Return the annualised Sharpe ratio, its standard error, and how sure it is.

    The deflated ratio is None unless several settings were tried on the same data.
    """
    sr = sharpe.sharpe_per_bar(returns)
    names = ("sharpe_ratio", "sharpe_error", "probabilistic_sharpe", "deflated_sharpe")
    if sr is None:
        return dict.fromkeys(names)
    n = len(returns)
    skew, kurtosis = sharpe.skew_and_kurtosis(returns)
    scale = math.sqrt(periods_per_year)
    deflated = None if tried is None else tried.deflated(sr, n, skew=skew, kurtosis=kurtosis)
    values = (
        sr * scale,
        _times(sharpe.sharpe_error(sr, n, skew, kurtosis), scale),
        sharpe.probabilistic_sharpe(sr, n, skew, kurtosis),
        deflated,
    )
    return dict(zip(names, values, strict=True))


def _sortino_figures(returns: F64, periods_per_year: float) -> Figures:
    """Return Sortino by downside deviation over all bars, and by the negative returns' std."""
    figures: Figures = {"sortino_ratio": None, "sortino_ratio_negative_std": None}
    if len(returns) < 2:
        return figures
    scaled = math.sqrt(periods_per_year) * float(np.mean(returns))
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    if downside > sharpe.ZERO_DEVIATION:
        figures["sortino_ratio"] = scaled / downside
    figures["sortino_ratio_negative_std"] = _ratio(scaled, _deviation(returns[returns < 0.0]))
    return figures


def win_figures(results: F64, suffix: str = "") -> Figures:
    """Return the share of positive results, and gains over losses, of bars or of trades.

    >>> win_figures(np.array([2.0, -1.0, 1.0]))
    {'win_rate': 0.6666666666666666, 'profit_factor': 3.0}
    """
    gains = float(results[results > 0.0].sum())
    losses = -float(results[results < 0.0].sum())
    return {
        "win_rate" + suffix: float(np.mean(results > 0.0)) if len(results) else None,
        "profit_factor" + suffix: _ratio(gains, losses),
    }


def finite(figures: Figures) -> Figures:
    """Return the figures with None where one is infinite or not a number."""
    return {k: v if v is None or math.isfinite(v) else None for k, v in figures.items()}


def _compound(total: float, years: float) -> float | None:
    """Return the return of a year at the pace of `total` in so many; None over too short a time."""
    if years < LEAST_YEARS:
        return None
    exponent = math.log1p(total) / years
    return math.expm1(exponent) if exponent < 700.0 else None


def _deviation(returns: F64) -> float | None:
    if len(returns) < 2:
        return None
    deviation = float(np.std(returns, ddof=1))
    return deviation if deviation > sharpe.ZERO_DEVIATION else None


def _ratio(top: float | None, bottom: float | None) -> float | None:
    if top is None or bottom is None or bottom <= 0.0:
        return None
    return top / bottom


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor

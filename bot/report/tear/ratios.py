"""What tear sheets count beside the Sharpe ratio, all from daily returns.

The definitions are those that QuantStats made common, so that its users find their figures; where a
quotient has nothing below, there is none.
"""

from __future__ import annotations

import math

import numpy as np

from bot.blocks import F64
from bot.report.money.metrics import Figures, finite
from bot.report.money.sharpe import ZERO_DEVIATION
from bot.report.tear.daily import compounded
from bot.report.tear.periods import longest_streak
from bot.report.tear.tails import LEAST_DAYS, autocorrelation_penalty, tail_figures

MOST_GROWTH = 100.0
"""The logarithm beyond which a growth is not told."""


def ratio_figures(returns: F64, per_year: float) -> Figures:
    """Return the ratios of daily returns.

    Args:
        returns: float64[d].
        per_year: days a year.
    """
    gains, losses = returns[returns > 0.0], returns[returns < 0.0]
    active = len(gains) + len(losses)
    won = len(gains) / active if active else None
    profit_factor = _over(float(gains.sum()), -float(losses.sum()))
    payoff = _over(_mean(gains), None if not len(losses) else -float(losses.mean()))
    curve = np.concatenate(([1.0], np.cumprod(1.0 + returns)))
    under = 1.0 - curve / np.maximum.accumulate(curve)
    ulcer = math.sqrt(float(np.mean(under[1:] ** 2)))
    total = compounded(returns)
    sharpe, sortino = _sharpe(returns, per_year), _sortino(returns, per_year)
    penalty = autocorrelation_penalty(returns)
    tail = tail_figures(returns)["tail_ratio"]
    losing = _shortfall(-under[1:])
    return finite(
        {
            "daily_sharpe": sharpe,
            "smart_sharpe": _over(sharpe, penalty),
            "daily_sortino": sortino,
            "smart_sortino": _over(sortino, penalty),
            "adjusted_sortino": None if sortino is None else sortino / math.sqrt(2.0),
            "omega": profit_factor,
            "gain_to_pain": _over(float(returns.sum()), -float(losses.sum())),
            "payoff_ratio": payoff,
            "common_sense_ratio": _times(profit_factor, tail),
            "cpc_index": _times(_times(profit_factor, won), payoff),
            "kelly": None if won is None or not payoff else (payoff * won - (1.0 - won)) / payoff,
            "ulcer_index": ulcer,
            "ulcer_performance": _over(total, ulcer),
            "recovery_factor": _over(abs(float(returns.sum())), float(under.max())),
            "serenity": _serenity(returns, ulcer, losing),
            "expected_day": _geometric(returns, 1.0),
            "expected_month": _geometric(returns, per_year / 12.0),
            "expected_year": _geometric(returns, per_year),
            "won_days": won,
            "mean_winning_day": _mean(gains),
            "mean_losing_day": _mean(losses),
            "most_winning_days": longest_streak(returns > 0.0),
            "most_losing_days": longest_streak(returns < 0.0),
        }
    )


def _sharpe(returns: F64, per_year: float) -> float | None:
    if len(returns) < 2 or returns.std(ddof=1) <= ZERO_DEVIATION:
        return None
    return float(returns.mean() / returns.std(ddof=1)) * math.sqrt(per_year)


def _sortino(returns: F64, per_year: float) -> float | None:
    if not len(returns):
        return None
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    if downside <= ZERO_DEVIATION:
        return None
    return float(returns.mean()) / downside * math.sqrt(per_year)


def _serenity(returns: F64, ulcer: float, losing: float | None) -> float | None:
    """Return the sum of returns over ulcer index times pitfall, the drawdowns' CVaR in deviations."""
    if losing is None or len(returns) < 2 or returns.std(ddof=1) <= ZERO_DEVIATION:
        return None
    return _over(float(returns.sum()), ulcer * losing / float(returns.std(ddof=1)))


def _shortfall(values: F64) -> float | None:
    """Return the size of the mean beyond the 5 % quantile."""
    if not len(values):
        return None
    return -float(values[values <= np.quantile(values, 0.05)].mean())


def _geometric(returns: F64, days: float) -> float | None:
    """Return the growth of so many days at the pace of all; None where it would be one of fantasy."""
    growth = float(np.prod(1.0 + returns))
    if growth <= 0.0 or len(returns) < LEAST_DAYS:
        return None
    exponent = math.log(growth) * days / len(returns)
    return math.expm1(exponent) if exponent < MOST_GROWTH else None


def _mean(values: F64) -> float | None:
    return float(values.mean()) if len(values) else None


def _over(top: float | None, bottom: float | None) -> float | None:
    return None if top is None or not bottom or bottom <= 0.0 else top / bottom


def _times(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a * b

"""How figures are written: percent, amounts, ratios and intervals, the same in tables and page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np

Format = Callable[[float], str]

DASH = "–"


def percent(value: float) -> str:
    """Return a fraction as percent.

    >>> percent(-0.1234), percent(1.5e12)
    ('-12.34 %', '1.5e+14 %')
    """
    return f"{100 * value:.2f} %" if abs(value) < 1e6 else f"{100 * value:.3g} %"


def amount(value: float) -> str:
    """Return an amount of the quote currency.

    >>> amount(-1234567.891)
    '-1,234,567.89'
    """
    return f"{value:,.2f}"


def ratio(value: float) -> str:
    """Return a ratio, exact enough to compare."""
    return f"{value:.3f}"


def iso_time(time_ms: int) -> str:
    """Return a UTC time as text.

    >>> iso_time(0)
    '1970-01-01T00:00:00Z'
    """
    return f"{np.datetime64(time_ms, 'ms').astype('datetime64[s]')}Z"


def count(value: float) -> str:
    """Return a whole number."""
    return f"{value:,.0f}"


def price(value: float) -> str:
    """Return a price with all its digits, whatever its tick.

    >>> price(102429.5), price(0.0000025), price(10_243_000.0)
    ('102,429.5', '0.0000025', '10,243,000')
    """
    return _plain(f"{value:.12g}")


def quantity(value: float) -> str:
    """Return a quantity of the base currency: six digits, and all of those before the point.

    >>> quantity(13_080_945_123.25), quantity(-0.13047561), quantity(0.00001)
    ('13,080,945,123', '-0.130476', '0.00001')
    """
    return f"{value:,.0f}" if abs(value) >= 1e6 else _plain(f"{value:.6g}")


def _plain(digits: str) -> str:
    """Return a number without an exponent."""
    return f"{Decimal(digits):,f}"


def small(value: float) -> str:
    """Return a score, whatever its size.

    >>> small(0.00035928969)
    '0.0003593'
    """
    return f"{value:.4g}"


def basis_points(value: float) -> str:
    """Return a small fraction in basis points.

    >>> basis_points(-0.00012)
    '-1.20 bp'
    """
    return f"{10_000 * value:.2f} bp"


def bps(value: float) -> str:
    """Return a number of basis points.

    >>> bps(7.5)
    '7.50 bp'
    """
    return f"{value:.2f} bp"


def skill_value(null: float) -> Format:
    """Return the form of a measure: with a sign where its value without skill is zero."""
    return (lambda v: f"{v:+.4f}") if null == 0.0 else (lambda v: f"{v:.4f}")


def written(value: Any, form: Format) -> str:
    """Return the value in its form, a dash where there is none."""
    return DASH if value is None else form(value)


def with_deviation(value: Mapping[str, Any], form: Format) -> str:
    """Return a mean with its deviation over the models, where there are two or more.

    >>> with_deviation({"mean": 0.5, "deviation": 0.25}, two_digits)
    '0.50 ± 0.25'
    """
    mean = written(value["mean"], form)
    return mean if value["deviation"] is None else f"{mean} ± {form(value['deviation'])}"


METRICS: tuple[tuple[str, str, Format], ...] = (
    ("total_return", "Total return", percent),
    ("annualized_return", "Annualised return (by bars)", percent),
    ("cagr", "CAGR (by calendar)", percent),
    ("annualized_volatility", "Annualised volatility", percent),
    ("sharpe_ratio", "Sharpe ratio", ratio),
    ("sharpe_error", "  standard error", ratio),
    ("probabilistic_sharpe", "  P(true Sharpe > 0)", percent),
    ("deflated_sharpe", "  deflated for the trials", percent),
    ("sortino_ratio", "Sortino ratio (downside over all bars)", ratio),
    ("sortino_ratio_negative_std", "  by std of negative returns", ratio),
    ("max_drawdown", "Maximum drawdown", percent),
    ("calmar_ratio", "Calmar ratio", ratio),
    ("longest_under_water_bars", "Longest under water, bars", count),
    ("win_rate", "Win rate by bar", percent),
    ("profit_factor", "Profit factor by bar", ratio),
    ("trades", "Round trips", count),
    ("win_rate_by_trade", "Win rate by trade", percent),
    ("profit_factor_by_trade", "Profit factor by trade", ratio),
    ("expectancy", "Expectancy, a trade", amount),
    ("expectancy_fraction", "  as a fraction of equity", basis_points),
    ("sqn", "SQN", ratio),
    ("mean_bars_held", "Mean bars held", ratio),
    ("num_trades", "Bars with a position", count),
    ("fills", "Fills", count),
    ("exposure", "Exposure, share of bars", percent),
    ("mean_gross_exposure", "Mean gross exposure", percent),
    ("turnover", "Turnover, times equity", ratio),
    ("turnover_annual", "  a year", ratio),
)
"""The metrics in the order of print: key, label and form; an indent belongs to the line above."""

SYMBOLS: tuple[tuple[str, str, Format], ...] = (
    ("bars", "bars", count),
    ("missing", "missing", count),
    ("fills", "fills", count),
    ("settled", "settled", count),
    ("trades", "trips", count),
    ("win_rate_by_trade", "won", percent),
    ("turnover", "turnover", ratio),
    ("pnl", "net P&L", amount),
    ("fees", "fees", amount),
    ("funding", "funding", amount),
    ("funding_unknown", "funding unknown", count),
    ("position", "final position", quantity),
    ("weight", "weight", percent),
)
"""The columns of the per-symbol table."""

COSTS = (
    ("gross", "Gross profit"),
    ("fees", "− fees"),
    ("spread", "− half spread"),
    ("slippage", "− slippage"),
    ("funding", "− funding"),
    ("net", "Net profit"),
)
"""The waterfall from gross to net: key and label."""

MEASURES = {
    "mse_skill": "MSE skill",
    "rank_ic": "rank IC",
    "rank_ic_by_symbol": "rank IC, mean by symbol",
    "auc": "AUC",
    "log_loss_skill": "log-loss skill",
    "brier_skill": "Brier skill",
    "hit_rate_gain": "hit-rate gain",
    "qlike_skill": "QLIKE skill",
}

SCORE_FORMS: dict[str, Format] = {"hit_rate_gain": percent}

TARGETS_NOTE = "Point values, for orientation: nothing enforces them. Tuned on the same data they mean nothing."


def bound(target: Mapping[str, Any]) -> str:
    """Return a target as '> 1.0' or '< 20 %'."""
    share = target["name"] in ("max_drawdown", "win_rate")
    text = f"{100 * target['bound']:.0f} %" if share else f"{target['bound']:.1f}"
    return f"{target['side']} {text}"


def target_value(target: Mapping[str, Any]) -> str:
    """Return the value of a target in the form of its metric."""
    forms = {key: form for key, _, form in METRICS}
    return written(target["value"], forms[target["name"]])


def span(measure: Mapping[str, Any]) -> str:
    """Return the interval of a measure.

    >>> span({"low": -0.01, "high": 0.02, "null": 0.0})
    '[-0.0100, +0.0200]'
    """
    if measure["low"] is None:
        return DASH
    form = skill_value(measure["null"])
    return f"[{form(measure['low'])}, {form(measure['high'])}]"


def fact(value: Any) -> str:
    """Return a fact as text: lists with commas, mappings as 'name: value'."""
    if value is None or value in ({}, []):
        return DASH
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {fact(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(fact(v) for v in value)
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1e5 else amount(value)
    return str(value)


def short_time(time: str) -> str:
    """Return an ISO time to the minute.

    >>> short_time("2024-01-01T00:30:00Z")
    '2024-01-01 00:30'
    """
    return time[:16].replace("T", " ")


def two_digits(value: float) -> str:
    """Return a ratio for reading at a glance."""
    return f"{value:.2f}"

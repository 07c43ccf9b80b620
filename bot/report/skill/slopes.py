"""Are forecasts as large as what they forecast: the slope of what happened on what was said.

A slope of one is right; below one the forecasts are too loud, at zero they say nothing. That of a
return is by least squares with an intercept (Mincer & Zarnowitz 1969), that of a probability by
logistic regression on its own logit (Cox 1958), each over the rows that a head is judged on. In
resamples the logistic fit is one Newton step from that of all rows, exact to first order.
Must not correct a forecast.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bot.blocks import F64, Bool
from bot.report.inputs import Judged
from bot.report.skill.baselines.rows import heads
from bot.report.skill.bootstrap import interval
from bot.report.skill.chosen_rows import Empty, gathered, put_in_turn
from bot.report.skill.logistic_fit import LogisticFit
from bot.report.skill.measures import Measure, by_date, clipped

_FLAT = 1e-12
"""A forecast varies if its scatter is more than this share of its squares."""

_STEPS = 50
_TOLERANCE = 1e-10


def slopes(run: Judged, samples: int) -> dict[str, dict[str, Any]]:
    """Return the slope of each return and direction head by its task's name.

    Each has its kind, value, `error` (a standard error), low and high (95 %); None where there is
    none.
    """
    found: dict[str, dict[str, Any]] = {}
    for head in heads(run):
        if head.task.kind not in ("return", "direction"):
            continue
        slope = (
            return_slope if head.task.kind == "return" else partial(logit_slope, empty=run.empty)
        )
        measure = slope(head.forecast, head.label, head.rows)
        known = interval(measure.sums, measure.statistic, head.task.horizon, samples)
        figures = {name: getattr(known, name, None) for name in ("value", "error", "low", "high")}
        found[head.task.name] = {"kind": head.task.kind, **figures}
    return found


def return_slope(f: F64, y: F64, rows: Bool) -> Measure:
    """Return the least-squares slope of y on f with an intercept, the symbols pooled."""

    def statistic(s: F64) -> F64:
        n, a, b, aa, ab = (s[..., j] for j in range(5))
        spread = aa - a * a / n
        slope: F64 = np.where(
            spread > _FLAT * aa, (ab - a * b / n) / np.where(spread > 0, spread, 1.0), np.nan
        )
        return slope

    def products(at: slice) -> list[F64]:
        return [np.ones(rows[at].shape), f[at], y[at], f[at] * f[at], f[at] * y[at]]

    sums = by_date(rows, products)
    return Measure(sums, statistic, None)


def logit_slope(p: F64, y: F64, rows: Bool, empty: Empty = np.empty) -> Measure:
    """Return the slope of the logit of y on that of p with an intercept, the symbols pooled."""
    x: F64 = put_in_turn(empty((int(rows.sum()),)), rows.shape, lambda at: _logit(p[at][rows[at]]))
    fitted = _fit(x, gathered(y, rows, empty), empty)
    if fitted is None:
        return Measure(np.zeros((0, 5)), lambda s: s[..., 0], None)
    level, slope = fitted

    def products(at: slice) -> list[F64]:
        x = np.where(rows[at], _logit(np.where(rows[at], p[at], 0.5)), 0.0)
        q = 1.0 / (1.0 + np.exp(-(level + slope * x)))
        missed, weight = np.where(rows[at], y[at] - q, 0.0), q * (1.0 - q)
        return [missed, missed * x, weight, weight * x, weight * x * x]

    def statistic(s: F64) -> F64:
        """Return the slope after a Newton step: the score over the information."""
        score, score_x, n, nx, nxx = (s[..., j] for j in range(5))
        step: F64 = (n * score_x - nx * score) / (n * nxx - nx * nx)
        return slope + step

    return Measure(by_date(rows, products), statistic, None)


def _logit(p: F64) -> F64:
    safe = clipped(p)
    return np.log(safe / (1.0 - safe))


def _fit(x: F64, y: F64, empty: Empty) -> tuple[float, float] | None:
    """Return level and slope of the logistic regression; None where there is no finite fit."""
    if len(x) < 3 or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return None
    design: F64 = empty((len(x), 2))
    design[:, 0], design[:, 1] = 1.0, x
    fit, beta = LogisticFit(design, y, empty), np.zeros(2)
    for _ in range(_STEPS):
        fit.say(beta)
        information = fit.weighted().T @ design
        if not np.linalg.cond(information) < 1e12:
            return None  # the two outcomes lie apart: the slope has no bound
        step = np.linalg.solve(information, design.T @ fit.missed())
        beta += step
        if np.max(np.abs(step)) < _TOLERANCE * (1.0 + np.max(np.abs(beta))):
            return float(beta[0]), float(beta[1])
    return None

"""Intervals around forecasts that keep their coverage as the world moves: adaptive conformal inference.

An interval of bar t reaches as far as the 1 − α[t] quantile of the last scores, and α moves with what came
of it, α[t+1] = α[t] + γ (α − err[t]) (Gibbs & Candès 2021, equation 2), so that in the long run the
share α is missed whatever the scores do. Each symbol is a stream of its own. Rules: at bar t only
labels that were known at its close have been scored; what was forecast before the first of `LEAST`
scores has no interval. Must not change a forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.blocks import F64, I64, Bool
from bot.compiled import njit

MISSED = 0.1
"""α, the share of outcomes that may lie outside: intervals are nominally 90 %."""
RATE = 0.005
"""γ, how fast α moves, as in the paper's experiments."""
WINDOW, LEAST = 500, 50
"""Scores of a symbol that a quantile is of, at most and at least."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Bounds float64[n, S], and bool[n, S] where there are any; unbounded ones are infinite."""

    low: F64
    high: F64
    issued: Bool


def intervals(f: F64, y: F64, rows: Bool, known: I64, *, positive: bool) -> Intervals:
    """Return an interval for each forecast.

    Args:
        f, y: float64[n, S], forecasts and labels.
        rows: bool[n, S], those that count.
        known: int64[n, S], the bar at whose close each label is known; -1 for never.
        positive: of a number above zero, whose scores are |log(y / f)|; else they are |y − f|.
    """
    rows = rows & (f > 0.0) if positive else rows
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.abs(np.log(y / f)) if positive else np.abs(y - f)
    score = np.where(rows, score, np.nan)
    reach = np.full(f.shape, np.nan)
    for s in range(f.shape[1]):
        column = np.full(len(f), np.nan)
        _stream(np.ascontiguousarray(score[:, s]), np.ascontiguousarray(known[:, s]), column)
        reach[:, s] = column
    issued = ~(np.isnan(score) | np.isnan(reach))
    empty = reach < 0.0
    reach = np.where(issued & ~empty, reach, 0.0)
    low, high = (f * np.exp(-reach), f * np.exp(reach)) if positive else (f - reach, f + reach)
    nowhere = issued & empty
    return Intervals(np.where(nowhere, np.inf, low), np.where(nowhere, -np.inf, high), issued)


@njit(cache=True)
def _stream(score: F64, known: I64, reach: F64) -> None:
    """Write into `reach` how far each bar's interval goes: -1 for nowhere, infinite for everywhere."""
    ring, ordered = np.empty(WINDOW), np.empty(WINDOW)
    count, oldest, following = 0, 0, 0
    missed = MISSED
    for t in range(len(score)):
        while following < len(score) and known[following] <= t:
            u = following
            following += 1
            if known[u] < 0 or np.isnan(score[u]):
                continue
            if not np.isnan(reach[u]):
                missed += RATE * (MISSED - (1.0 if score[u] > reach[u] else 0.0))
            if count == WINDOW:
                at = np.searchsorted(ordered, ring[oldest])
                ordered[at : count - 1] = ordered[at + 1 : count].copy()
                count -= 1
            at = np.searchsorted(ordered[:count], score[u])
            ordered[at + 1 : count + 1] = ordered[at:count].copy()
            ordered[at] = score[u]
            ring[oldest] = score[u]
            oldest = (oldest + 1) % WINDOW
            count += 1
        if np.isnan(score[t]) or count < LEAST:
            continue
        rank = int(np.ceil((1.0 - missed) * (count + 1)))
        if missed >= 1.0:
            reach[t] = -1.0
        elif missed <= 0.0 or rank > count:
            reach[t] = np.inf
        else:
            reach[t] = ordered[rank - 1]

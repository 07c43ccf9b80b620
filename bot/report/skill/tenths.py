"""What came of each size of edge: bars by tenths of |E|, with the realised return beside its cost.

The rows are the bars and symbols that had an expected return and a label over its horizon, traded or
not; a tenth has as many as any other, give or take one. Realised is the return over the horizon on
the side that was expected, so it is what a position would have earned before costs. Where no bar of
a run has a calibrated edge, the signal stands in for it, and it is said so; where none was asked, a
round trip at the run's own costs stands in for what an edge had to exceed. Must not judge a policy: rows overlap, and most are not traded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.blocks import F64, Bool
from bot.report.inputs import RunData
from bot.report.money.retraced import cost_shares
from bot.report.skill.baselines.rows import heads
from bot.report.skill.bootstrap import interval
from bot.report.skill.measures import by_date

TENTHS = 10
BPS = 10_000.0


def tenths(run: RunData, samples: int) -> dict[str, Any]:
    """Return the rows of the table, the smallest edges first; none without a label of the horizon.

    Returns:
        `by`, "edge" or "signal", and `rows`: `tenth` from 1, `count`, `expected_bps` (the mean size),
        `realised_bps` with `low_bps` and `high_bps` (95 %, over dates in blocks of at least the
        horizon), and `cost_bps`, what it was held against.
    """
    edge = np.zeros_like(run.signal) if run.edge is None else np.nan_to_num(run.edge)
    by, expected = ("edge", edge) if edge.any() else ("signal", run.signal)
    label = _label(run)
    if label is None:
        return {"by": by, "rows": []}
    rows = np.isfinite(expected) & np.isfinite(label) & (expected != 0.0)
    rows[: run.start_index] = False
    cost = _cost(run)
    earned = np.sign(expected) * label
    found = []
    for tenth, inside in enumerate(_by_size(np.abs(expected), rows), start=1):
        known = interval(by_date(inside, earned, inside), _mean, run.horizon, samples)
        low, high = (known.low, known.high) if known else (None, None)
        found.append({
            "tenth": tenth,
            "count": int(inside.sum()),
            "expected_bps": float(BPS * np.abs(expected[inside]).mean()),
            "realised_bps": float(BPS * earned[inside].mean()),
            "low_bps": None if low is None else BPS * low,
            "high_bps": None if high is None else BPS * high,
            "cost_bps": float(BPS * cost[inside].mean()),
        })  # fmt: skip
    return {"by": by, "rows": found}


def _label(run: RunData) -> F64 | None:
    """Return float64[n, S], the realised return over the signal's horizon; None where not known."""
    for head in heads(run):
        if head.task.kind == "return" and head.task.horizon == run.horizon:
            return head.label
    return None


def _cost(run: RunData) -> F64:
    """Return float64[n, S], what a round trip was to cost, as a fraction."""
    usual = np.broadcast_to(2.0 * cost_shares(run, run.start_index), run.signal.shape)
    return usual if run.hurdle is None else np.where(np.isfinite(run.hurdle), run.hurdle, usual)


def _by_size(size: F64, rows: Bool) -> list[Bool]:
    """Return bool[n, S] for each tenth of the rows by size; nothing with fewer rows than tenths."""
    flat = np.flatnonzero(rows)
    if len(flat) < TENTHS:
        return []
    ordered = flat[np.argsort(size.ravel()[flat], kind="stable")]
    masks = []
    for part in np.array_split(ordered, TENTHS):
        mask = np.zeros(rows.size, dtype=np.bool_)
        mask[part] = True
        masks.append(mask.reshape(rows.shape))
    return masks


def _mean(s: F64) -> F64:
    return s[..., 0] / s[..., 1]

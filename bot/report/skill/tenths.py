"""What came of each size of edge: bars by tenths of |E|, with the realised return beside its cost.

The rows are the bars and symbols that had an expected return and a label over its horizon, traded or
not; a tenth has as many as any other, give or take one. Realised is the return over the horizon on
the side that was expected, so it is what a position would have earned before costs. Where no bar of
a run has a calibrated edge, the signal stands in for it, and it is said so; where none was asked, a
round trip at the run's own costs stands in for what an edge had to exceed. Must not judge a policy: rows overlap, and most are not traded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from bot.blocks import F64, I64, Bool
from bot.report.inputs import RunData
from bot.report.money.retraced import cost_shares
from bot.report.skill.baselines.rows import heads
from bot.report.skill.bootstrap import interval
from bot.report.skill.chosen_rows import Empty, EqualParts, put_in_turn, those_of
from bot.report.skill.measures import by_date
from bot.timegrid import spans

TENTHS = 10
BPS = 10_000.0


def tenths(run: RunData, samples: int) -> dict[str, Any]:
    """Return the rows of the table, the smallest edges first; none without a label of the horizon.

    Returns:
        `by`, "edge" or "signal", and `rows`: `tenth` from 1, `count`, `expected_bps` (the mean size),
        `realised_bps` with `low_bps` and `high_bps` (95 %, over dates in blocks of at least the
        horizon), and `cost_bps`, what it was held against.
    """
    by, expected = _expected(run)
    label = _label(run)
    if label is None:
        return {"by": by, "rows": []}
    rows = those_of(
        label.shape,
        lambda at: np.isfinite(expected(at)) & np.isfinite(label[at]) & (expected(at) != 0.0),
        run.empty,
    )
    rows[: run.start_index] = False
    cost, tenth = _cost(run), _by_size(expected, rows, run.empty)
    if tenth is None:
        return {"by": by, "rows": []}

    def earned(at: slice) -> F64:
        return np.sign(expected(at)) * label[at]

    found = []
    for k in range(TENTHS):
        inside = those_of(rows.shape, lambda at, k=k: tenth[at] == k, run.empty)  # type: ignore[misc]
        known = interval(by_date(inside, earned, inside), _mean, run.horizon, samples)
        low, high = (known.low, known.high) if known else (None, None)
        expected_size, realised, cost_of = (
            _mean_of(made, inside, run.empty)
            for made in (lambda at: np.abs(expected(at)), earned, cost)
        )
        found.append({
            "tenth": k + 1,
            "count": int(inside.sum()),
            "expected_bps": float(BPS * expected_size),
            "realised_bps": float(BPS * realised),
            "low_bps": None if low is None else BPS * low,
            "high_bps": None if high is None else BPS * high,
            "cost_bps": float(BPS * cost_of),
        })  # fmt: skip
    return {"by": by, "rows": found}


OfSpan: TypeAlias = Callable[[slice], F64]
"""Makes float64[m, S] of a span of m bars."""


def _expected(run: RunData) -> tuple[str, OfSpan]:
    """Return which number is the edge, and what makes it of a span."""
    edge = run.edge
    if edge is None or not any(np.nan_to_num(edge[at]).any() for at in spans(*edge.shape)):
        return "signal", lambda at: run.signal[at]
    return "edge", lambda at: np.nan_to_num(edge[at])


def _label(run: RunData) -> F64 | None:
    """Return float64[n, S], the realised return over the signal's horizon; None where not known."""
    for head in heads(run):
        if head.task.kind == "return" and head.task.horizon == run.horizon:
            return head.label
    return None


def _cost(run: RunData) -> OfSpan:
    """Return what makes of a span what a round trip was to cost, as a fraction."""
    usual = 2.0 * cost_shares(run, run.start_index)

    def cost(at: slice) -> F64:
        whole = np.broadcast_to(usual, run.signal[at].shape)
        if run.hurdle is None:
            return whole
        return np.where(np.isfinite(run.hurdle[at]), run.hurdle[at], whole)

    return cost


def _by_size(expected: OfSpan, rows: Bool, empty: Empty) -> I64 | None:
    """Return int8[n, S], the tenth of each row by its size, from 0, and -1 of none; None with fewer rows than tenths."""
    count = int(rows.sum())
    if count < TENTHS:
        return None

    def sizes(at: slice) -> F64:
        return np.abs(expected(at)[rows[at]])

    ordered = put_in_turn(empty((count,)), rows.shape, sizes)
    ordered.sort()
    parts = EqualParts(ordered, TENTHS)
    tenth: I64 = empty(rows.shape, np.int8)
    for at in spans(*rows.shape):
        here = np.full(rows[at].shape, -1, dtype=np.int8)
        here[rows[at]] = parts.of_next(sizes(at))
        tenth[at] = here
    return tenth


def _mean_of(made: OfSpan, rows: Bool, empty: Empty) -> float:
    flat = put_in_turn(empty((int(rows.sum()),)), rows.shape, lambda at: made(at)[rows[at]])
    return float(flat.mean())


def _mean(s: F64) -> F64:
    return s[..., 0] / s[..., 1]

"""Does what was said come true as often as it was said: reliability, coverage, and the slopes beside.

A probability is held against the share of rises in tenths of the probabilities; a regression by how
often its adaptive conformal interval held (`conformal.py`) and how wide that was; and each return
and direction has its slope (`slopes.py`). Must not correct a forecast.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.blocks import F64, Bool
from bot.features.targets import known_at
from bot.model.tasks import output_of
from bot.report.inputs import Judged
from bot.report.skill.baselines.rows import Head, heads
from bot.report.skill.bootstrap import interval
from bot.report.skill.chosen_rows import Empty, gathered, those_of
from bot.report.skill.conformal import MISSED, intervals
from bot.report.skill.measures import by_date
from bot.report.some_symbols import groups_of

TENTHS = 10


def calibration(
    run: Judged, samples: int, slopes: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the calibration of each head by its task's name.

    Each has its kind; `slope` where it is a return or a direction; `reliability` of a probability,
    rows of `tenth`, `count`, `said` (the mean probability), `rose` (the share) with low and high (95 %);
    `coverage` of any other number: `nominal`, `value` with low and high, `mean_width` of the bounded
    intervals, the share that was `unbounded`, and `rows`. Sides have neither.

    Args:
        samples: resamples.
        slopes: those of the run.
    """
    found: dict[str, dict[str, Any]] = {}
    for head in heads(run):
        task = head.task
        entry: dict[str, Any] = {"kind": task.kind}
        if task.name in slopes:
            entry["slope"] = {key: slopes[task.name][key] for key in ("value", "low", "high")}
        output = output_of(task.kind)
        if output == "probability":
            entry["reliability"] = reliability(head, samples, run.empty)
        elif output != "side":
            entry["coverage"] = coverage(run, head, samples, positive=output == "positive")
        found[task.name] = entry
    return found


def reliability(head: Head, samples: int, empty: Empty = np.empty) -> list[dict[str, Any]]:
    """Return a row for each tenth of the probabilities, the lowest first; nothing with fewer rows.

    Equal probabilities are never parted, so a tenth may be larger than another, or missing.
    """
    p, y, rows = head.forecast, head.label, head.rows
    if rows.sum() < TENTHS:
        return []
    bounds = np.linspace(0.0, 1.0, TENTHS + 1)[1:-1]
    edges = np.quantile(gathered(p, rows, empty), bounds, overwrite_input=True)
    found = []
    for tenth in range(TENTHS):
        here = _of_tenth(tenth, edges, p, rows, empty)
        if not here.any():
            continue
        known = interval(by_date(here, y, here), _mean, head.task.horizon, samples)
        found.append({
            "tenth": tenth + 1,
            "count": int(here.sum()),
            "said": float(gathered(p, here, empty).mean()),
            "rose": float(gathered(y, here, empty).mean()),
            "low": known.low if known else None,
            "high": known.high if known else None,
        })  # fmt: skip
    return found


def _of_tenth(tenth: int, edges: F64, p: F64, rows: Bool, empty: Empty) -> Bool:
    """Return bool[n, S], the rows whose probability lies between two edges."""
    return those_of(rows.shape, lambda at: rows[at] & (np.digitize(p[at], edges) == tenth), empty)


def coverage(run: Judged, head: Head, samples: int, *, positive: bool) -> dict[str, Any]:
    """Return how often the head's intervals held, and how wide they were."""
    shape = head.label.shape
    issued, held, bounded = (run.empty(shape, np.bool_) for _ in range(3))
    wide: F64 = run.empty(shape)
    for of in groups_of(shape):
        label = head.label[:, of]
        known_by = known_at(run.bars.in_session[:, of], head.task.horizon)
        said = intervals(head.forecast[:, of], label, head.rows[:, of], known_by, positive=positive)
        with np.errstate(invalid="ignore"):
            held[:, of] = said.issued & (label >= said.low) & (label <= said.high)
        width = np.where(said.issued, np.maximum(said.high - said.low, 0.0), np.nan)
        issued[:, of], wide[:, of], bounded[:, of] = said.issued, width, np.isfinite(width)
    known = interval(by_date(issued, held, issued), _mean, head.task.horizon, samples)
    n, n_bounded = int(issued.sum()), int(bounded.sum())
    return {
        "nominal": 1.0 - MISSED,
        "value": known.value if known else None,
        "low": known.low if known else None,
        "high": known.high if known else None,
        "mean_width": float(gathered(wide, bounded, run.empty).mean()) if n_bounded else None,
        "unbounded": 1.0 - float(n_bounded) / n if n else None,
        "rows": n,
    }


def _mean(s: F64) -> F64:
    return s[..., 0] / s[..., 1]

"""Does what was said come true as often as it was said: reliability, coverage, and the slopes beside.

A probability is held against the share of rises in tenths of the probabilities; a regression by how
often its adaptive conformal interval held (`conformal.py`) and how wide that was; and each return
and direction has its slope (`slopes.py`). Must not correct a forecast.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.blocks import F64
from bot.features.targets import known_at
from bot.model.tasks import output_of
from bot.report.inputs import Judged
from bot.report.skill.baselines.rows import Head, heads
from bot.report.skill.bootstrap import interval
from bot.report.skill.conformal import MISSED, intervals
from bot.report.skill.measures import by_date

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
            entry["reliability"] = reliability(head, samples)
        elif output != "side":
            entry["coverage"] = coverage(run, head, samples, positive=output == "positive")
        found[task.name] = entry
    return found


def reliability(head: Head, samples: int) -> list[dict[str, Any]]:
    """Return a row for each tenth of the probabilities, the lowest first; nothing with fewer rows.

    Equal probabilities are never parted, so a tenth may be larger than another, or missing.
    """
    p, y, rows = head.forecast, head.label, head.rows
    if rows.sum() < TENTHS:
        return []
    edges = np.quantile(p[rows], np.linspace(0.0, 1.0, TENTHS + 1)[1:-1])
    inside = np.digitize(np.where(rows, p, np.nan), edges)
    found = []
    for tenth in range(TENTHS):
        here = rows & (inside == tenth)
        if not here.any():
            continue
        known = interval(by_date(here, y, here), _mean, head.task.horizon, samples)
        found.append({
            "tenth": tenth + 1,
            "count": int(here.sum()),
            "said": float(p[here].mean()),
            "rose": float(y[here].mean()),
            "low": known.low if known else None,
            "high": known.high if known else None,
        })  # fmt: skip
    return found


def coverage(run: Judged, head: Head, samples: int, *, positive: bool) -> dict[str, Any]:
    """Return how often the head's intervals held, and how wide they were."""
    known_by = known_at(run.bars.in_session, head.task.horizon)
    said = intervals(head.forecast, head.label, head.rows, known_by, positive=positive)
    with np.errstate(invalid="ignore"):
        held = said.issued & (head.label >= said.low) & (head.label <= said.high)
    known = interval(by_date(said.issued, held, said.issued), _mean, head.task.horizon, samples)
    wide = np.where(said.issued, np.maximum(said.high - said.low, 0.0), np.nan)
    bounded, n = np.isfinite(wide), int(said.issued.sum())
    return {
        "nominal": 1.0 - MISSED,
        "value": known.value if known else None,
        "low": known.low if known else None,
        "high": known.high if known else None,
        "mean_width": float(wide[bounded].mean()) if bounded.any() else None,
        "unbounded": 1.0 - float(bounded.sum()) / n if n else None,
        "rows": n,
    }


def _mean(s: F64) -> F64:
    return s[..., 0] / s[..., 1]

"""Is a head worth having: its measures with intervals, and a verdict in words.

Only out-of-sample forecasts from the run's start on are judged. A head has skill where it beats the
baseline that was the strongest on its training rows. Where an interval covers the value
without skill, no skill is shown, and it says so. Must not compute a measure.
"""

from __future__ import annotations

from typing import Any

from bot.config.schema import Report
from bot.report.inputs import Judged
from bot.report.skill.baselines.rows import Head, heads
from bot.report.skill.bootstrap import Interval, interval
from bot.report.skill.by_head import headline_of, measures_against, measures_of
from bot.report.skill.measures import Measure
from bot.report.skill.rivals import STRONGEST, Rivals, plain

SHOWN, NONE_SHOWN, WORSE = "skill shown", "no skill shown", "worse than the baseline"
UNKNOWN = "too few dates to tell"

_IN_STUDIES_ONLY = frozenset(("calibration_error", "variance_bias", "regime_switches"))


def skill(run: Judged, config: Report) -> dict[str, dict[str, Any]]:
    """Return each head's skill by the task's name.

    Each has its kind, horizon, baseline (the plain one of its kind, in words), rows, dates, `measures`
    beside that baseline, and `against`, its headline measure beside the strongest and each other one. A
    measure has value, low and high (95 %), null (its value without skill), the model's and the
    baseline's score where it compares two, the length of the bootstrap's blocks, and a verdict in words.
    """
    result = {}
    for head in heads(run):
        task, rivals = head.task, Rivals(config.baselines)
        result[task.name] = {
            "kind": task.kind,
            "horizon": task.horizon,
            "baseline": plain(task.kind).facts["words"],
            "rows": int(head.rows.sum()),
            "dates": int(head.rows.any(axis=1).sum()),
            "measures": {
                name: judged(make(), task.horizon, config.bootstrap_samples)
                for name, make in measures_of(run, head, rivals).items()
                if name not in _IN_STUDIES_ONLY
            },
            "against": _against(run, head, rivals, config.bootstrap_samples),
        }
    return result


def _against(run: Judged, head: Head, rivals: Rivals, samples: int) -> dict[str, Any]:
    """Return the headline measure beside the strongest baseline and beside each.

    `chosen` says by name for how many models a baseline was the strongest on the training rows.
    """
    found = {
        name: judged(make(), head.task.horizon, samples)
        for name, make in measures_against(run, head, rivals).items()
    }
    return {
        "measure": headline_of(head.task.kind),
        "chosen": dict(rivals.of(run, head).chosen),
        STRONGEST: found.pop(STRONGEST),
        "each": found,
    }


def judged(measure: Measure, horizon: int, samples: int) -> dict[str, Any]:
    """Return a measure with its interval and verdict."""
    found = interval(measure.sums, measure.statistic, horizon, samples)
    entry: dict[str, Any] = {
        "value": None, "low": None, "high": None, "null": measure.null, "block": None,
    }  # fmt: skip
    if found is not None:
        entry |= {"value": found.value, "low": found.low, "high": found.high, "block": found.block}
    entry["verdict"] = _verdict(found, measure.null)
    if measure.scored is not None:
        entry["score"], entry["baseline_score"] = measure.scores or (None, None)
    return entry


def _verdict(found: Interval | None, null: float | None) -> str:
    if null is None or found is None or found.low is None or found.high is None:
        return UNKNOWN
    if found.low > null:
        return SHOWN
    return WORSE if found.high < null else NONE_SHOWN

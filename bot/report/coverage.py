"""How much of its span a run really covers: bars, forecasts, models, and what was asked for.

Rules: shares are of the bars in session from the run's start on, so a closed market is no gap; what
falls below LEAST_SHARE is said in a sentence, because all other figures are of the whole span.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bot.blocks import Bool
from bot.report.formats import iso_time, percent, short_time
from bot.report.inputs import RunData

LEAST_SHARE = 0.95
"""Below this share a run is warned of."""

_NAMED = 5


def coverage(run: RunData) -> dict[str, Any]:
    """Return the coverage of a run.

    `symbols` has a row each: the shares `bars` and `forecasts` of its bars in session, and the
    first and last of each; `all` is over all of them; `model` is the share of bars in which one was
    in force. None is what was not recorded or does not apply.
    """
    start, bars = run.start_index, run.bars
    in_session, times = bars.in_session[start:], run.open_time[start:]
    valid = run.flags(lambda at: bars.valid[at] & bars.in_session[at], start)
    applies = run.facts.get("record", "full") == "full" and run.facts.get("needs_model", True)
    known = None
    if applies:
        known = run.flags(lambda at: np.isfinite(run.signal[at]) & bars.in_session[at], start)
    rows = []
    for s, name in enumerate(run.symbols):
        column = None if known is None else known[:, s]
        rows.append(
            {
                "symbol": name,
                "bars": share(valid[:, s], in_session[:, s]),
                "bars_from_to": _ends(valid[:, s], times),
                "forecasts": None if column is None else share(column, in_session[:, s]),
                "forecasts_from_to": None if column is None else _ends(column, times),
            }
        )
    found: dict[str, Any] = {
        "from_to": [iso_time(int(times[0])), iso_time(int(times[-1]))],
        "asked": _asked(run),
        "all": {
            "bars": share(valid, in_session),
            "forecasts": None if known is None else share(known, in_session),
            "forecasts_from_to": None if known is None else _ends(_any(known), times),
        },
        "model": _model_share(run),
        "trainings": _trainings(run),
        "calibration": _calibration(run),
        "symbols": rows,
        "least_share": LEAST_SHARE,
    }
    return {**found, "warnings": _warnings(found)}


def share(part: Bool, whole: Bool) -> float | None:
    """Return how much of the whole the part is; None where there is no whole."""
    total = int(whole.sum())
    return int(part.sum()) / total if total else None


def _any(flags: Bool) -> Bool:
    """Return bool[n], where it holds of any symbol."""
    return np.asarray(flags.any(axis=1))


def _ends(flags: Bool, times: np.ndarray[Any, np.dtype[np.int64]]) -> list[str] | None:
    at = np.flatnonzero(flags)
    return [iso_time(int(times[at[k]])) for k in (0, -1)] if len(at) else None


def _asked(run: RunData) -> dict[str, Any] | None:
    """Return the span that was asked for, and the share of it between the first and last bar."""
    first, last = int(run.open_time[run.start_index]), int(run.open_time[-1])
    start, end = run.asked_ms
    if start is None and end is None:
        return None
    start, end = first if start is None else start, last if end is None else end
    asked = max(end - start + run.interval_ms, run.interval_ms)
    had = min(last, end) - max(first, start) + run.interval_ms
    return {"from_to": [iso_time(start), iso_time(end)], "share": min(max(had / asked, 0.0), 1.0)}


def _model_share(run: RunData) -> float | None:
    """Return the share of bars with a model in force; None where forecasts came from a file or none is needed."""
    if (run.forecast is None and not run.models) or not run.facts.get("needs_model", True):
        return None
    first = run.first_model_index()
    span = len(run.open_time) - run.start_index
    return 0.0 if first is None else (len(run.open_time) - first) / span


def _trainings(run: RunData) -> dict[str, Any] | None:
    """Return how many trainings were due, which gave no model, and what was made beside them.

    `rehearsed` counts the models that decided before the start, to have signals scored, and `beyond`
    those of all models whose training was not due in the run: for a rehearsal alone, or where none was
    due before the start, so that there is a first one.
    """
    if run.trainings_due is None:
        return None
    due = set(run.trainings_due.tolist())
    start = int(run.open_time[run.start_index])
    rehearsed = [m for m in run.models if run.rehearsed and m.effective_from_ms < start]
    return {
        "due": len(due),
        "without_model": [iso_time(each) for each in sorted(due - {m.due_ms for m in run.models})],
        "rehearsed": len(rehearsed),
        "rehearsed_from": iso_time(rehearsed[0].effective_from_ms) if rehearsed else None,
        "beyond": sum(m.due_ms not in due for m in run.models),
    }


def _calibration(run: RunData) -> dict[str, Any] | None:
    """Return the days scored and needed, and in a phrase whether signals were traded on them."""
    known = run.calibration
    if known is None:
        return None
    until = None if known.until_ms is None else iso_time(known.until_ms)
    if known.days < known.needed:
        text = f"calibrating: {known.days} of {known.needed} days"
    elif until is None:
        text = f"Calibrated from the first bar on ({known.days} days of signals scored by the end)."
    else:
        text = f"Calibrating until {short_time(until)}: {known.needed} days of signals had to be scored."
    return {"days": known.days, "needed": known.needed, "until": until, "text": text}


def _warnings(found: dict[str, Any]) -> list[str]:
    sentences = []
    asked, whole = found["asked"], found["all"]
    if asked is not None and asked["share"] < LEAST_SHARE:
        sentences.append(
            f"Asked for was {_span(asked['from_to'])}; there are bars from "
            f"{_span(found['from_to'])} only, {percent(asked['share'])} of it."
        )
    few = [row for row in found["symbols"] if row["bars"] is None or row["bars"] < LEAST_SHARE]
    if few:
        parts = [f"{row['symbol']} {_of(row, 'bars')}" for row in few[:_NAMED]]
        more = f" and {len(few) - _NAMED} more" if len(few) > _NAMED else ""
        sentences.append(f"Bars are missing: {'; '.join(parts)}{more}.")
    if whole["forecasts"] is not None and whole["forecasts"] < LEAST_SHARE:
        sentences.append(
            f"Only {percent(whole['forecasts'])} of the bars had a forecast"
            + (f" ({_span(whole['forecasts_from_to'])})" if whole["forecasts_from_to"] else "")
            + "; without one nothing is decided. All figures are of the whole span."
        )
    elif found["model"] is not None and found["model"] < LEAST_SHARE:
        sentences.append(f"A model was in force in {percent(found['model'])} of the bars only.")
    trainings = found["trainings"]
    if trainings is not None and trainings["without_model"]:
        without: Sequence[str] = trainings["without_model"]
        days = ", ".join(map(short_time, without[:_NAMED]))
        more = f" and {len(without) - _NAMED} more" if len(without) > _NAMED else ""
        sentences.append(
            f"{len(without)} of {trainings['due']} scheduled trainings gave no model ({days}"
            f"{more}); the log says why ('bot logs')."
        )
    calibration = found["calibration"]
    if calibration is not None and calibration["days"] < calibration["needed"]:
        sentences.append(
            f"{calibration['text']} (days of signals scored by the last bar); before that nothing is "
            "traded on them."
        )
    return sentences


def _of(row: dict[str, Any], what: str) -> str:
    ends = row[f"{what}_from_to"]
    if row[what] is None or ends is None:
        return "has none"
    return f"has {percent(row[what])} of them, {_span(ends)}"


def _span(ends: Sequence[str]) -> str:
    return " to ".join(map(short_time, ends))

"""Whether what was said came true as often as it was said, as sheets. Must not compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.report import formats as w
from bot.report.page.sheet import Sheet, SheetRow, Tone, from_column
from bot.report.skill.verdicts import UNKNOWN
from bot.report.summary import Summary

AS_SAID, TOO_FEW, TOO_MANY = "as said", "held too seldom", "held too often"
_TONES: dict[str, Tone] = {AS_SAID: "good", TOO_FEW: "bad", TOO_MANY: "doubt"}
_RATHER, _LESS, _MORE = "as said", "rose less than said", "rose more than said"


def intervals_sheet(summary: Summary) -> Sheet:
    """Return how often each regression's interval held."""
    rows = []
    for task, head in summary["calibration"].items():
        if "coverage" not in head or not head["coverage"]["rows"]:
            continue
        c = head["coverage"]
        reads = _reads(c, c["nominal"], AS_SAID, TOO_FEW, TOO_MANY)
        cells = (
            task, w.percent(c["nominal"]), w.written(c["value"], w.percent), _span(c),
            w.written(c["mean_width"], w.small), w.written(c["unbounded"], w.percent), reads,
        )  # fmt: skip
        rows.append(SheetRow(cells, _TONES.get(reads, "")))
    columns = ("head", "nominal", "held", "95 % interval", "mean width", "unbounded", "reads")
    note = (
        "Adaptive conformal intervals around the forecasts, from labels known by then, a stream a symbol; "
        "the width is in the head's units."
    )
    return Sheet(
        "intervals", "How often intervals held", columns,
        numbers=frozenset(range(1, 6)), rows=tuple(rows), note=note,
    )  # fmt: skip


def reliability_sheet(summary: Summary) -> Sheet:
    """Return the share of rises in each tenth of the probabilities."""
    rows = []
    for task, head in summary["calibration"].items():
        tenths = head.get("reliability", [])
        for i, tenth in enumerate(tenths):
            reads = _reads({**tenth, "value": tenth["rose"]}, tenth["said"], _RATHER, _LESS, _MORE)
            cells = (
                "" if i else task, str(tenth["tenth"]), w.count(tenth["count"]),
                w.percent(tenth["said"]), w.percent(tenth["rose"]), _span(tenth), reads,
            )  # fmt: skip
            tone: Tone = "good" if reads == _RATHER else "" if reads == UNKNOWN else "bad"
            rows.append(SheetRow(cells, tone, ends=i == len(tenths) - 1))
    columns = ("head", "tenth", "rows", "said", "happened", "95 % interval", "reads")
    return Sheet(
        "reliability", "Reliability of the probabilities", columns,
        numbers=from_column(1, columns[:-1]), rows=tuple(rows),
        note="Rows by their probability, lowest first: its mean beside how often it came true.",
    )  # fmt: skip


def _reads(known: Mapping[str, Any], said: float, right: str, below: str, above: str) -> str:
    if known["low"] is None or known["high"] is None:
        return UNKNOWN
    return below if known["high"] < said else above if known["low"] > said else right


def _span(known: Mapping[str, Any]) -> str:
    if known["low"] is None or known["high"] is None:
        return w.DASH
    return f"[{w.percent(known['low'])}, {w.percent(known['high'])}]"

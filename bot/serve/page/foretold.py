"""What was forecast of a symbol, with the interval that was kept around it, and what came.

Rules: forecasts are shrunk as their models say and intervals are those of the report
(`bot/report/skill/conformal.py`), begun anew some bars before the span; an interval is what could be
said at its bar's close, also where what came is not known yet. Only heads whose targets came with the bot.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.adapters.record.reading import Record
from bot.app.loop.table_id import TABLE_ID
from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.shrunk import shrunk_forecasts
from bot.blocks import F64, I64
from bot.features.targets import known_at, labels_by
from bot.model.tasks import output_of
from bot.parts.registry import find
from bot.report.skill.conformal import intervals
from bot.timegrid import INTERVAL_MS

BEFORE = 600
"""Bars before the span from which intervals learn how far they must reach."""
MOST_BARS = 1500

NOTHING: dict[str, Any] = {"head": None, "time": [], "value": [], "low": [], "high": [], "came": []}


def foretold(folder: RunFolder, record: Record, s: int, first: int, last: int) -> dict[str, Any]:
    """Return the head that the signal is of, bar by bar of a span; nothing where the span is long.

    Args:
        record: of the run, opened.
        s: the symbol, by its place in the run.
        first, last: open times of the span's first and last bar.
    """
    config = config_of(folder)
    bar_ms = INTERVAL_MS[config.market.interval]
    task = next((task for task in record.tasks if task.kind == "return"), record.tasks[0])
    judged = config.run.record == "full" and TABLE_ID not in record.meta
    if not judged or (last - first) // bar_ms > MOST_BARS or find("target", task.kind) is None:
        return NOTHING
    before = max(config.features.window, BEFORE) * bar_ms
    bars = record.bars(first - before - 1, last)
    k = record.tasks.index(task)
    value = shrunk_forecasts(folder, record, *record.forecasts(bars.open_time))[:, s : s + 1, k]
    came = labels_by(config, bars, (task,))[0][:, s : s + 1, 0]
    known = known_at(bars.in_session, task.horizon)[:, s : s + 1]
    low, high = _bounds(value, came, known, positive=output_of(task.kind) == "positive")
    shown = (bars.open_time >= first) & np.isfinite(value[:, 0])
    return {
        "head": task.name,
        "time": bars.open_time[shown].tolist(),
        "value": _finite(value[shown, 0]),
        "low": _finite(low[shown, 0]),
        "high": _finite(high[shown, 0]),
        "came": _finite(came[shown, 0]),
    }


def _bounds(value: F64, came: F64, known: I64, *, positive: bool) -> tuple[F64, F64]:
    """Return bounds, NaN where none could be given; also of bars whose label is not known yet."""
    open_yet = ~np.isfinite(came)
    said = intervals(
        value, np.where(open_yet, value, came), np.isfinite(value), np.where(open_yet, -1, known),
        positive=positive,
    )  # fmt: skip
    bounded = said.issued & np.isfinite(said.low) & np.isfinite(said.high)
    return np.where(bounded, said.low, np.nan), np.where(bounded, said.high, np.nan)


def _finite(values: F64) -> list[float | None]:
    return [number if np.isfinite(number) else None for number in values.tolist()]

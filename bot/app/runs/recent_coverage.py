"""How often the intervals around a run's forecasts held of late, for `bot status`.

Rules: it reads the newest `BARS` bars only, so that a run of years answers at once; the intervals begin
anew with them. Only heads whose targets came with the bot: a reader loads no parts of a user's own.
"""

from __future__ import annotations

import numpy as np

from bot.adapters.record.reading import Record
from bot.app.loop.table_id import TABLE_ID
from bot.app.runs.folder import RunFolder
from bot.app.runs.shrunk import shrunk_forecasts
from bot.config import Config
from bot.features.targets import known_at, labels_by
from bot.model.tasks import output_of
from bot.parts.registry import find
from bot.report.skill.conformal import intervals
from bot.timegrid import INTERVAL_MS

BARS = 2000


def recent_coverage(
    folder: RunFolder, record: Record, config: Config, newest: int | None
) -> dict[str, float]:
    """Return by task the share of labels inside their intervals; none where there was no interval.

    Args:
        newest: open time of the newest bar, None before the first.
    """
    if newest is None or config.run.record != "full" or TABLE_ID in record.meta:
        return {}
    bar_ms = INTERVAL_MS[config.market.interval]
    times, _ = record.ledger(after=newest - BARS * bar_ms)
    if not len(times):
        return {}
    before = config.features.window * bar_ms  # what a label of volume is relative to
    bars = record.bars(after=int(times[0]) - before - 1, to=int(times[-1]))
    judged = (bars.open_time >= times[0])[:, None]
    value = shrunk_forecasts(folder, record, *record.forecasts(bars.open_time))
    found = {}
    for k, task in enumerate(record.tasks):
        output = output_of(task.kind)
        if find("target", task.kind) is None or output not in ("number", "positive"):
            continue
        y = labels_by(config, bars, (task,))[0][:, :, 0]
        f, known = value[:, :, k], known_at(bars.in_session, task.horizon)
        rows = judged & np.isfinite(f) & np.isfinite(y)
        said = intervals(f, y, rows, known, positive=output == "positive")
        if said.issued.any():
            held = (y >= said.low) & (y <= said.high)
            found[task.name] = float(held[said.issued].mean())
    return found

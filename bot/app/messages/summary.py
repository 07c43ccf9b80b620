"""The daily summary of a run: the newest day of its bars in a few lines, and a picture of a month.

Rule: it is due once a day of the settings' time zone; a day in which `bot notify` did not run is
summed up at its next start. Money is the record's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bot.app.messages.message import Message, message_id
from bot.app.messages.outbox import local_time
from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.app.runs.sentences import holds, model_aged, percent, signed
from bot.app.runs.status import read_status
from bot.config.notify import Notify
from bot.errors import JournalError
from bot.report.page.small_picture import equity_png
from bot.report.spark import spark
from bot.timegrid import DAY_MS, INTERVAL_MS
from bot.wording import counted

CURVE_MS = 30 * DAY_MS
LETTERS = 24


def due_day(settings: Notify, now_ms: int) -> str:
    """Return the day whose summary is due by now; empty where none is wanted."""
    if not settings.summary_at:
        return ""
    now = local_time(settings, now_ms)
    day = now.date()
    if f"{now:%H:%M}" < settings.summary_at:
        day = day.fromordinal(day.toordinal() - 1)
    return day.isoformat()


def summary(run: str, folder: RunFolder, day: str, now_ms: int) -> Message | None:
    """Return the summary of a run; None where it has no bar yet.

    Raises:
        JournalError: its record is damaged.
    """
    status = read_status(folder, now_ms, coverage=False)
    if status.last_bar is None:
        return None
    with open_record(folder, follow=True) as record:
        times, ledger = record.ledger(status.last_bar - CURVE_MS)
        fills = record.fills(status.last_bar - DAY_MS, status.last_bar)
    if len(times) == 0:
        return None
    before = np.searchsorted(times, times[-1] - DAY_MS, "right") - 1
    equity = ledger["equity"]
    # on its first day a run's return of the day is that in all
    day_return = (
        f"{percent(status.equity / equity[before] - 1.0)} in a day, " if before >= 0 else ""
    )
    costs = sum(float(fills[name].sum()) for name in ("fee", "spread", "slippage"))
    model = status.model
    lines = [
        f"equity {status.equity:,.2f} ({day_return}{percent(status.total_return)} in all), drawdown {status.drawdown * 100:.2f} %",
        spark(equity.tolist(), LETTERS),
        f"{counted(len(fills), 'fill')} in a day, costs {signed(costs, ',.2f')}",
        f"holds {holds((p.symbol, p.weight) for p in status.positions)}",
        f"model {model_aged(model.model_id, model.age_ms)}" if model else "no model yet",
    ]  # fmt: skip
    if status.halted != "none" or status.paused != "no":
        lines.append(f"not trading as usual: halt {status.halted}, by hand {status.paused}")
    last = status.last_bar + INTERVAL_MS[status.interval]
    return Message(
        message_id(run, "summary", day), run, "summary", last, "\n".join(lines), picture=True
    )


def picture(folder: RunFolder, into: Path) -> Path:
    """Draw the newest month of a run's equity; return the file.

    Raises:
        JournalError: its record is damaged, or has no bar.
    """
    with open_record(folder, follow=True) as record:
        extent = record.extent()
        if extent is None:
            raise JournalError(f"{folder.path}: the run has closed no bar yet")
        times, ledger = record.ledger(extent.last - CURVE_MS)
    path = into / f"{folder.path.name}.png"
    path.write_bytes(equity_png(folder.path.name, times, ledger["equity"]))
    return path

"""A run in a few figures, as an overview shows it; read again only when the run has changed.

Rules: figures are those of `bot status`; a run that cannot be read is shown with its fault, and hides
no other.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.app.runs.status import Status, read_status
from bot.errors import BotError
from bot.report.page.downsample import thinned
from bot.serve.feed.curves import Curves, EquityCurve
from bot.serve.feed.events import ended_in_order, newest_news
from bot.serve.feed.runs import Mark, marks_of
from bot.serve.feed.state import RunState, state_of
from bot.timegrid import DAY_MS

SPARK_POINTS = 90
STALE_S = 5.0
"""How long the words of a daemon that says nothing new are taken as they are: they age."""
MOST_CARDS = 500


@dataclass(frozen=True)
class RunCard:
    """A run as the overview shows it.

    Attributes:
        status: without the coverage of intervals; None where the run cannot be read.
        day_return: since the last close of the day before, by bar time; a fraction.
        spark: equity over the whole run, a few points of it.
        news: the newest event that is not of every bar.
        fault: why it cannot be read, "" where it can.
    """

    run_id: str
    state: RunState
    why: str
    status: Status | None
    symbols: tuple[str, ...]
    first_bar: int | None
    day_return: float | None
    spark: tuple[float, ...]
    news: dict[str, Any] | None
    fault: str = ""


class Cards:
    """The cards of runs, as they were last read."""

    def __init__(self, curves: Curves, clock: Callable[[], float] = time.time) -> None:
        self._curves = curves
        self._clock = clock
        self._kept: OrderedDict[str, tuple[dict[str, Mark], float, RunCard]] = OrderedDict()
        self._lock = Lock()

    def of(self, folder: RunFolder) -> RunCard:
        """Return a run's card; its status is at most `STALE_S` old."""
        marks, now = marks_of(folder), self._clock()
        key = folder.path.name
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and kept[0] == marks:
            running = kept[2].status is not None and kept[2].status.pid is not None
            if not running or now - kept[1] < STALE_S:
                return kept[2]
        card = self._read(folder)
        with self._lock:
            self._kept[key] = marks, now, card
            self._kept.move_to_end(key)
            while len(self._kept) > MOST_CARDS:
                self._kept.popitem(last=False)
        return card

    def _read(self, folder: RunFolder) -> RunCard:
        name = folder.path.name
        text = name.encode("utf-8", "replace").decode()
        if text != name:  # no address or JSON can name it
            return _unreadable(text, "its name is no UTF-8 text; rename the folder")
        try:
            status = read_status(folder, int(self._clock() * 1000), coverage=False)
            with open_record(folder, follow=True) as record:
                meta, symbols = dict(record.meta), record.symbols
            state, why = state_of(status, meta, in_order=ended_in_order(folder))
            curve = self._curves.of(folder)
        except (BotError, OSError) as error:  # the latter: its log, or a folder removed meanwhile
            return _unreadable(name, str(error).replace(f"{folder.path}/", ""))
        return RunCard(
            run_id=name, state=state, why=why, status=status, symbols=symbols,
            first_bar=int(curve.time[0]) if len(curve.time) else None,
            day_return=day_return(curve), spark=_spark(curve), news=newest_news(folder),
        )  # fmt: skip


def _unreadable(name: str, fault: str) -> RunCard:
    return RunCard(
        name, RunState.DEAD, why="", status=None, symbols=(), first_bar=None, day_return=None, spark=(),
        news=None, fault=fault,
    )  # fmt: skip


def day_return(curve: EquityCurve) -> float | None:
    """Return the return of the newest bar's UTC day so far, None before the first bar."""
    if not len(curve.time):
        return None
    midnight = int(curve.time[-1]) // DAY_MS * DAY_MS
    before = int(np.searchsorted(curve.time, midnight)) - 1
    base = float(curve.equity[before]) if before >= 0 else curve.capital
    return float(curve.equity[-1]) / base - 1.0 if base else None


def _spark(curve: EquityCurve) -> tuple[float, ...]:
    kept = thinned(curve.equity, SPARK_POINTS)
    return (curve.capital, *curve.equity[kept].tolist())

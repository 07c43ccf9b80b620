"""How often the intervals around forecasts held of late, by run: most of what a status costs.

Rule: it moves slowly, so it is worked out anew once a minute at most, and without a snapshot held.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

import numpy as np

from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.recent_coverage import recent_coverage
from bot.app.runs.record import open_record
from bot.blocks import Task
from bot.compiled import compiled_before
from bot.config.schema import Synthetic
from bot.features.targets import compute_targets, known_at
from bot.practice.synthetic import synthetic_bars
from bot.report.skill.conformal import intervals
from bot.serve.feed.runs import Mark, marks_of
from bot.timegrid import HOUR_MS

OFTEN_S = 60.0


def get_ready() -> None:
    """Load the kernels that a status needs, so that the first one need not wait for them.

    What is not compiled yet is left alone: that is a daemon's or a backtest's to do.
    """
    if not compiled_before():
        return
    bars = synthetic_bars(Synthetic(symbols=1, bars=200), HOUR_MS)
    value = np.zeros((len(bars), 1))
    for kind, positive in (("return", False), ("volatility", True)):
        task = Task(kind, 5)
        y = compute_targets(bars, (task,), 24)[0][:, :, 0]
        known = known_at(bars.in_session, task.horizon)
        intervals(value, y, np.isfinite(y), known, positive=positive)


class Coverages:
    """The shares of the runs that were asked for, by head."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[Mark, float, dict[str, float]]] = {}
        self._lock = Lock()

    def of(self, folder: RunFolder) -> dict[str, float]:
        """Return a run's shares by head.

        Raises:
            JournalError, ConfigError, ModelError: the run cannot be read.
        """
        name, mark = folder.path.name, marks_of(folder)["journal"]
        with self._lock:
            kept = self._kept.get(name)
        if kept is not None and (kept[0] == mark or self._clock() - kept[1] < OFTEN_S):
            return kept[2]
        with open_record(folder, follow=True) as record:
            extent = record.extent()
            newest = None if extent is None else extent.last
            found = recent_coverage(folder, record, config_of(folder), newest)
        with self._lock:
            self._kept[name] = mark, self._clock(), found
        return found

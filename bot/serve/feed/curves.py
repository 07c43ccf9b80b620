"""Equity of whole runs, read once and then by what is new.

Rules: a ledger is only ever added to, so what was read stays true; another journal in the same folder
begins anew. Only as many runs are kept as are looked at. Must not thin or draw.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import numpy as np

from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.record import open_record
from bot.blocks import F64, I64

MOST_RUNS = 24


@dataclass(frozen=True)
class EquityCurve:
    """A run's equity.

    Attributes:
        time: int64[n], open times of the bars, ms UTC.
        equity: float64[n], at their closes.
        drawdown: float64[n], of the highest equity until then, the capital included; a fraction.
        capital: the equity before the first bar.
    """

    time: I64
    equity: F64
    drawdown: F64
    capital: float


class Curves:
    """The curves of the runs that were asked for last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], EquityCurve] = OrderedDict()
        self._lock = Lock()

    def of(self, folder: RunFolder) -> EquityCurve:
        """Return a run's equity up to its newest closed bar.

        Raises:
            JournalError, ConfigError: the run cannot be read.
        """
        key = str(folder.path), folder.journal.stat().st_ino
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            capital = config_of(folder).portfolio.initial_capital
            kept = EquityCurve(np.empty(0, np.int64), np.empty(0), np.empty(0), capital)
        found = _grown(kept, folder)
        with self._lock:
            self._kept[key] = found
            self._kept.move_to_end(key)
            while len(self._kept) > MOST_RUNS:
                self._kept.popitem(last=False)
        return found


def _grown(kept: EquityCurve, folder: RunFolder) -> EquityCurve:
    with open_record(folder, follow=True) as record:
        newer = {"after": int(kept.time[-1])} if len(kept.time) else {}
        time, ledger = record.ledger(**newer)
    if not len(time):
        return kept
    equity = np.concatenate((kept.equity, ledger["equity"]))
    peak = np.maximum.accumulate(np.maximum(equity, kept.capital))
    return EquityCurve(np.concatenate((kept.time, time)), equity, 1.0 - equity / peak, kept.capital)

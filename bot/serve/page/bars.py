"""Bars of whole runs, read once for drawing them from afar; what is near is read from the record.

Rules: only prices and volume are kept, of the runs looked at last; bars are only ever added, but the
newest may still change until it is closed, and is read again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import numpy as np

from bot.adapters.record.reading import Record
from bot.adapters.record.tables import EARLIEST, LATEST
from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.blocks import F64, I64, BarBlock

MOST_RUNS = 3
COLUMNS = ("open", "high", "low", "close", "volume")
SLICE_ROWS = 20_000
_NONE = (None,) * len(COLUMNS)


@dataclass(frozen=True)
class BarPrices:
    """Bars of a run: open times int64[n], and float64[n, S, 5] in the order of COLUMNS, NaN where none."""

    time: I64
    values: F64


class WholeBars:
    """The bars of the runs that were looked at last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], BarPrices] = OrderedDict()
        self._lock = Lock()

    def of(self, folder: RunFolder) -> BarPrices:
        """Return a run's bars.

        Raises:
            JournalError: the run cannot be read.
        """
        key = str(folder.path), folder.journal.stat().st_ino
        with self._lock:  # one reader at a time: the others then find it read
            kept = self._kept.get(key)
            found = self._kept[key] = _grown(kept, folder)
            self._kept.move_to_end(key)
            while len(self._kept) > MOST_RUNS:
                self._kept.popitem(last=False)
        return found


def prices_of(bars: BarBlock) -> BarPrices:
    """Return the prices of bars, NaN where a symbol has none."""
    stacked = np.stack([getattr(bars, name) for name in COLUMNS], axis=2)
    return BarPrices(bars.open_time, np.where(bars.valid[:, :, None], stacked, np.nan))


def _grown(kept: BarPrices | None, folder: RunFolder) -> BarPrices:
    old = kept if kept is not None and len(kept.time) > 1 else None
    with open_record(folder, follow=True) as record:
        new = _read(record, EARLIEST if old is None else int(old.time[-2]))
    if old is None:
        return new
    return BarPrices(
        np.concatenate((old.time[:-1], new.time)), np.concatenate((old.values[:-1], new.values))
    )


def _read(record: Record, after: int) -> BarPrices:
    """Return the bars after one, of the columns that are drawn alone."""
    names = ("open_time", "symbol", *COLUMNS, "valid")
    place = {symbol: s for s, symbol in enumerate(record.symbols)}
    times, cells, rows = [], [], []
    while part := record.first_rows("bars", after, LATEST, SLICE_ROWS, names):
        times += [row[0] for row in part]
        cells += [place[row[1]] for row in part]
        rows += [row[2:7] if row[7] else _NONE for row in part]
        after = part[-1][0]
    grid, at = np.unique(np.array(times, dtype=np.int64), return_inverse=True)
    values = np.full((len(grid), len(record.symbols), len(COLUMNS)), np.nan)
    values[at, cells] = np.array(rows, dtype=np.float64).reshape(-1, len(COLUMNS))
    return BarPrices(grid, values)

"""The files of one symbol: its candles, its funding, its mark price, and shorter candles inside its bars.

Rules: what is optional is looked for and may be absent; what the settings ask for must be there. Must not
know a grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bot.adapters.files.candle_files import BATCH_ROWS, CandleCursor, CandleFile, FileSpan
from bot.adapters.files.data_root import DataRoot, Series
from bot.adapters.files.funding import Funding, read_funding_table, settlements_between
from bot.adapters.files.jumps import Jumps
from bot.adapters.files.tables import read_table
from bot.timegrid import INTERVAL_MS
from bot.venues import is_contract


class SymbolFiles:
    """A symbol's files, opened.

    Args:
        finer: interval of the shorter candles; "" for none.
        low, high: open times of the first and last candle that count; None is open.

    Raises:
        DataError: a file is missing, unreadable or has a faulty row.
    """

    def __init__(
        self, root: DataRoot, series: Series, finer: str, low: int | None, high: int | None,
        jumps: Jumps,
    ) -> None:  # fmt: skip
        self.series, self.jumps = series, jumps
        self.contract = is_contract(series.venue)
        self.candles = CandleFile(root.find_candles(series), series.interval, jumps)
        self.span = self.candles.span(low, high)
        self.funding = Funding(np.empty(0, np.int64), np.empty(0))
        self._repairs: list[tuple[Path, str]] = []
        if self.contract:
            path = root.find_funding(series.venue, series.symbol)
            known, notes = read_funding_table(read_table(path)) if path else (None, ())
            self._repairs = [(path, note) for note in notes if path]
            span, step = self.span or FileSpan(0, 0, 0), INTERVAL_MS[series.interval]
            stop_ms = span.last_ms + step if span.rows else span.first_ms
            self.funding = settlements_between(known, span.first_ms, stop_ms)
        mark = root.find_mark(series) if self.contract else None
        self.mark = CandleFile(*mark, jumps) if mark else None
        inside = replace(series, interval=finer) if finer else None
        self.finer = CandleFile(root.find_candles(inside), finer, jumps) if inside else None

    @property
    def repairs(self) -> Iterator[tuple[Path, str]]:
        """Yield what reading the files put in order, with the file."""
        for file in (self.candles, self.mark, self.finer):
            if file is not None:
                yield from ((file.path, note) for note in file.notes)
        yield from self._repairs


def cursor_of(
    file: CandleFile | None, first_ms: int, batch: int = BATCH_ROWS
) -> CandleCursor | None:
    """Return a cursor over a file's candles from a time on, None where there is no file.

    Args:
        batch: rows that are read at a time, at most.
    """
    return None if file is None else CandleCursor(file.batches(batch), first_ms)

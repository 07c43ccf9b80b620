"""Candles out of a table of any layout: which columns are read, and the open times that they mean.

Rules: a file holds one symbol. Mark prices need no volume. A daily bar of a venue that keeps
sessions opens at midnight UTC of its date, also where the file has the session's opening instead.
Must not judge prices: `candles.py` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from bot.adapters.files.candles import COLUMNS, Candles
from bot.adapters.files.data_root import Series
from bot.adapters.files.layouts import SeriesKind
from bot.adapters.files.tables import FileTable, split_ending
from bot.blocks import F64, I64
from bot.errors import DataError
from bot.timegrid import DAY_MS, INTERVAL_MS
from bot.timestamps import TimeReader
from bot.venues import has_sessions


@dataclass(frozen=True, slots=True)
class BarKind:
    """What the bars of a file are: their interval, mark prices or traded ones, and sessions."""

    interval: str
    kind: SeriesKind = "candles"
    sessions: bool = False

    @classmethod
    def of_file(cls, path: Path, interval: str) -> Self:
        """Return what a file's name says; one that is none of ours holds candles, without sessions."""
        split = split_ending(path.name)
        stem = split[0] if split else path.stem
        series = Series.parse(stem.removesuffix("_mark"))
        return cls(
            interval,
            "mark" if stem.endswith("_mark") else "candles",
            series is not None and has_sessions(series.venue),
        )

    @property
    def daily(self) -> bool:
        """Return whether a bar's time is a date."""
        return INTERVAL_MS[self.interval] >= DAY_MS

    def time_reader(self, *, mixed: bool = False) -> TimeReader:
        """Return a reader of a column of open times."""
        return TimeReader(daily=self.daily, mixed=mixed)

    def open_times(self, times_ms: I64) -> I64:
        """Return the open times that a file's times mean."""
        return times_ms - times_ms % DAY_MS if self.daily and self.sessions else times_ms


def candles_of(
    table: FileTable, columns: Mapping[str, str], bars: BarKind, reader: TimeReader | None = None
) -> Candles:
    """Return a table's candles in the order of its rows, unchecked.

    Args:
        table: the rows.
        columns: the table's own name of each plain column.
        bars: what they are.
        reader: of the times; by default a strict one.

    Raises:
        DataError: a cell is no time or no number, or the rows are of several symbols.
    """
    one_symbol(table, columns)
    times = table.times(columns["timestamp"], reader or bars.time_reader())
    values = np.full((len(table.frame), len(COLUMNS)), np.nan)
    for k, name in enumerate(COLUMNS):
        if name in columns:
            values[:, k] = table.numbers(columns[name])
    return Candles(bars.open_times(times), without_volume(values, columns, bars))


def one_symbol(table: FileTable, columns: Mapping[str, str]) -> str:
    """Return the symbol that a table's rows name, empty where they name none.

    Raises:
        DataError: they name several.
    """
    if "symbol" not in columns:
        return ""
    symbols = sorted({str(s) for s in table.frame[columns["symbol"]].unique()})
    if len(symbols) > 1:
        raise DataError(
            f"{table.path}: holds several symbols ({', '.join(symbols[:8])}); make a file of each"
        )
    return symbols[0]


def without_volume(values: F64, columns: Mapping[str, Any], bars: BarKind) -> F64:
    """Return the values, of mark prices with a volume of zero where the file has none."""
    if bars.kind == "mark" and "volume" not in columns:
        values[:, COLUMNS.index("volume")] = 0.0
    return values


def as_series(column: Any) -> pd.Series[Any]:
    """Return a column that arrow holds, keeping its unit and time zone."""
    series: pd.Series[Any] = column.to_pandas(date_as_object=False)
    return series

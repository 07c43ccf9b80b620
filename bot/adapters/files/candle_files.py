"""Read candle files of every ending and layout; write Parquet and CSV.

Owns how a file becomes `Candles`, whole or in batches of bounded memory. A file holds one symbol:
`timestamp` is the bar's OPEN time; `open high low close volume` and optionally `turnover`; other
columns are left unread. Every row that is handed on was checked, and comes in order of time.
Parquet is streamed where its rows are in that order; everything else is read at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bot.adapters.files.candle_tables import BarKind, as_series, candles_of, without_volume
from bot.adapters.files.candles import COLUMNS, Candles, check_candles
from bot.adapters.files.data_root import Series
from bot.adapters.files.jumps import Jumps
from bot.adapters.files.layouts import TableShape, columns_of
from bot.adapters.files.row_order import order_rows
from bot.adapters.files.tables import read_table
from bot.adapters.system.atomic_file import replacing
from bot.blocks import F64, I64
from bot.errors import DataError
from bot.timestamps import EARLIEST_MS, UnreadableTimeError, format_utc
from bot.venues import has_sessions

BATCH_ROWS = 65_536
GROUP_ROWS = 16_384
"""Of a Parquet file that lie together: a reader holds as many of each column, with what they are packed in."""

_BUFFER_BYTES = 2**16
"""That are read at a time of a column, of which all symbols together have thousands."""


@dataclass(frozen=True, slots=True)
class FileSpan:
    """How many candles there are, and the open times of the first and the last."""

    rows: int
    first_ms: int
    last_ms: int


class CandleFile:
    """A candle file, read from its oldest row to its newest, as often as asked.

    Args:
        jumps: how far neighbouring prices may lie apart; None where that is nobody's concern.
    """

    def __init__(self, path: Path, interval: str, jumps: Jumps | None = None) -> None:
        self.path = path
        self._jumps = jumps
        self.interval = interval
        self._bars = BarKind.of_file(path, interval)
        self._whole: _Whole | None = None
        self._streamed = False

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what reading put in order, a sentence each.

        Raises:
            DataError: as `times`.
        """
        whole = self._held()
        return whole.notes if whole else ()

    def times(self) -> Iterator[I64]:
        """Yield the open times in batches, oldest first, unchecked.

        Raises:
            DataError: the file or its times cannot be read, or two rows of one time differ.
        """
        whole = self._held()
        if whole is not None:
            yield whole.candles.time
        else:
            for time, _ in self._parquet_batches(BATCH_ROWS, values=False):
                yield time

    def span(self, start_ms: int | None = None, end_ms: int | None = None) -> FileSpan | None:
        """Return the span of the candles that open in start..end, inclusive; None without any."""
        rows, first, last = 0, 0, 0
        for time in self.times():
            kept = time
            if start_ms is not None:
                kept = kept[kept >= start_ms]
            if end_ms is not None:
                kept = kept[kept <= end_ms]
            if len(kept):
                first, last = first if rows else int(kept[0]), int(kept[-1])
                rows += len(kept)
        return FileSpan(rows, first, last) if rows else None

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[Candles]:
        """Yield all candles in batches of at most `rows`, each checked.

        Raises:
            DataError: the file cannot be read, or a row is wrong.
        """
        whole = self._held()
        if whole is not None:
            self._check(whole.candles, whole.place)
            self._check_jumps(whole.candles, whole.place, math.nan)
            for start in range(0, len(whole.candles), rows):
                yield whole.candles.rows(start, start + rows)
            return
        done, after_ms, close = 0, None, math.nan
        for time, values in self._parquet_batches(rows, values=True):
            candles = Candles(time, values)
            place = _rows_from(done + 1)
            self._check(candles, place, after_ms)
            close = self._check_jumps(candles, place, close)
            yield candles
            done, after_ms = done + len(time), int(time[-1])

    def _check(
        self, candles: Candles, place: Callable[[int], str], after_ms: int | None = None
    ) -> None:
        check_candles(
            candles, self.interval, str(self.path), place, after_ms, sessions=self._bars.sessions
        )

    def _check_jumps(self, candles: Candles, place: Callable[[int], str], before: float) -> float:
        if self._jumps is None:
            return before
        return self._jumps.check(candles, str(self.path), place, before)

    def _held(self) -> _Whole | None:
        """Return the rows in order of time; None where they can be streamed in it."""
        if self._whole is None and not self._streamed:
            if self.path.suffix != ".parquet":
                table = read_table(self.path)
                columns = columns_of(TableShape.of(table), self._bars.kind)
                self._whole = self._ordered(candles_of(table, columns, self._bars), table.place)
            elif self._moves_forward():
                self._streamed = True
            else:
                parts = [Candles(*part) for part in self._parquet_batches(BATCH_ROWS, values=True)]
                self._whole = self._ordered(Candles.concat(parts), lambda i: f"row {i + 1}")
        return self._whole

    def _ordered(self, candles: Candles, place: Callable[[int], str]) -> _Whole:
        order = order_rows(candles.time, candles.values, str(self.path), place)
        kept = Candles(candles.time[order.rows], candles.values[order.rows])
        return _Whole(kept, lambda i: place(int(order.rows[i])), order.notes)

    def _moves_forward(self) -> bool:
        last = None
        for time, _ in self._parquet_batches(BATCH_ROWS, values=False):
            if np.any(np.diff(time) <= 0) or (last is not None and time[0] <= last):
                return False
            last = time[-1]
        return True

    def _parquet_batches(self, rows: int, *, values: bool) -> Iterator[tuple[I64, F64]]:
        reader = self._bars.time_reader()
        done = 0
        try:
            with pq.ParquetFile(self.path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
                shape = TableShape(self.path, tuple(file.schema_arrow.names), named=True)
                names = columns_of(shape, self._bars.kind)
                columns = [names["timestamp"]]
                if values:
                    columns += [names[c] for c in COLUMNS if c in names]
                for batch in file.iter_batches(rows, columns=columns, use_threads=False):
                    if batch.num_rows == 0:
                        continue
                    time = reader.read(as_series(batch.column(names["timestamp"])))
                    yield self._bars.open_times(time), self._values(batch, names)
                    done += len(time)
        except UnreadableTimeError as error:
            raise DataError(f"{self.path}: row {done + error.index + 1}: {error}") from None
        except (OSError, pa.ArrowException, ValueError) as error:
            raise DataError(f"{self.path}: not a readable Parquet file: {error}") from None
        if done == 0:
            raise DataError(f"{self.path}: has no rows; delete it, or fetch it again")

    def _values(self, batch: Any, names: Mapping[str, str]) -> F64:
        values = np.full((batch.num_rows, len(COLUMNS)), np.nan)
        for k, name in enumerate(COLUMNS):
            if name not in names or names[name] not in batch.schema.names:
                continue
            column = batch.column(names[name])
            if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
                raise DataError(
                    f"{self.path}: {name} is {column.type}, expected a number (double); "
                    "'bot import' makes numbers of texts"
                )
            values[:, k] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return without_volume(values, names, self._bars)


@dataclass(frozen=True, slots=True)
class _Whole:
    """All rows of a file in order of time, what the place of one is called, and what was done."""

    candles: Candles
    place: Callable[[int], str]
    notes: tuple[str, ...]


def _rows_from(first: int) -> Callable[[int], str]:
    return lambda i: f"row {first + i}"


class CandleCursor:
    """Hand out the candles of batches in order of time, window by window."""

    def __init__(self, batches: Iterator[Candles], start_ms: int) -> None:
        self._batches = batches
        self._start_ms = start_ms
        self._rest = Candles.empty()

    def take(self, stop_ms: int) -> Candles:
        """Return the candles not yet handed out that open before `stop_ms`."""
        parts = []
        while True:
            cut = int(np.searchsorted(self._rest.time, stop_ms))
            parts.append(self._rest.rows(0, cut))
            self._rest = self._rest.rows(cut)
            if len(self._rest):
                break
            following = next(self._batches, None)
            if following is None:
                break
            self._rest = following.rows(int(np.searchsorted(following.time, self._start_ms)))
        return Candles.concat([p for p in parts if len(p)])


def read_candles(path: Path, interval: str) -> Candles:
    """Read a whole candle file.

    Args:
        path: a file of any ending in `tables.ENDINGS`.
        interval: the name of the candles' interval, which the times must fit.

    Raises:
        DataError: the file cannot be read, or a row is wrong; the message names file and row.
    """
    return Candles.concat(list(CandleFile(path, interval).batches()))


def write_candles(
    path: Path, frame: pd.DataFrame, metadata: Mapping[str, str] | None = None
) -> None:
    """Write candles atomically, as Parquet or CSV by the name's suffix.

    Args:
        path: VENUE_SYMBOL_INTERVAL.parquet or .csv, for mark prices VENUE_SYMBOL_INTERVAL_mark.
        frame: `timestamp` int64 ms UTC, open, high, low, close, volume, optionally turnover.
        metadata: kept in the Parquet file's schema.

    Raises:
        DataError: the name has no interval, a column is missing, or a row is wrong.
    """
    series = Series.parse(path.stem.removesuffix("_mark"))
    if series is None or path.suffix not in {".parquet", ".csv"}:
        raise DataError(f"{path}: no candle file's name; expected VENUE_SYMBOL_INTERVAL.parquet")
    columns_of(TableShape(path, tuple(frame.columns), named=True), "candles")
    candles = Candles.of_frame(frame)
    if len(candles) and candles.time[0] < EARLIEST_MS:
        raise DataError(
            f"{path}: row 1: {format_utc(int(candles.time[0]))} is before March 1973, where the unit "
            "of a time is not certain; leave earlier bars out (bot fetch --from 1973-04-01)"
        )
    sessions = has_sessions(series.venue)
    check_candles(candles, series.interval, str(path), lambda i: f"row {i + 1}", sessions=sessions)
    write_table(path, candles.frame(), metadata)


def write_table(path: Path, frame: pd.DataFrame, metadata: Mapping[str, str] | None = None) -> None:
    """Write a frame atomically, as Parquet or CSV by the name's suffix."""
    with replacing(path) as temporary:
        if path.suffix == ".csv":
            frame.to_csv(temporary, index=False)
            return
        table = pa.Table.from_pandas(frame, preserve_index=False)
        table = table.replace_schema_metadata(dict(metadata or {}))
        pq.write_table(table, temporary, compression="zstd", row_group_size=GROUP_ROWS)

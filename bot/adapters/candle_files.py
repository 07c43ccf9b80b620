"""Read and write candle files, Parquet or CSV, whole or in batches of bounded memory.

Owns how a file becomes `Candles`. A file holds one symbol: `timestamp` is the bar's OPEN time in ms
UTC; `open high low close volume` and optionally `turnover`; other columns are left unread. Of daily
stocks as yfinance exports them, `Close` is read and `Adj Close` is not: prices adjusted for splits
only. Every row that is handed on was checked. Parquet is streamed; CSV is read at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bot.adapters.atomic_file import replacing
from bot.adapters.candles import COLUMNS, Candles, check_candles
from bot.adapters.csv_formats import read_candle_csv, resolve_columns
from bot.adapters.data_root import Series
from bot.adapters.timestamps import LARGEST_SECONDS, UnreadableTimeError, times_to_ms
from bot.blocks import F64, I64
from bot.errors import DataError
from bot.timegrid import DAY_MS, INTERVAL_MS

BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Span:
    """How many candles there are, and the open times of the first and the last."""

    rows: int
    first_ms: int
    last_ms: int


class CandleFile:
    """A candle file, read from its first row to its last, as often as asked."""

    def __init__(self, path: Path, interval: str) -> None:
        self.path = path
        self.interval = interval
        self._csv: tuple[Candles, int] | None = None

    def times(self) -> Iterator[I64]:
        """Yield the open times in batches, unchecked.

        Raises:
            DataError: the file or its times cannot be read.
        """
        if self.path.suffix == ".csv":
            yield self._read_csv()[0].time
        else:
            for time, _ in self._parquet_batches(BATCH_ROWS, values=False):
                yield time

    def span(self, start_ms: int | None = None, end_ms: int | None = None) -> Span | None:
        """Return the span of the candles that open in start..end, inclusive; None without any."""
        rows, first, last = 0, 0, 0
        for time in self.times():
            kept = time
            if start_ms is not None:
                kept = kept[kept >= start_ms]
            if end_ms is not None:
                kept = kept[kept <= end_ms]
            if len(kept):
                low, high = int(kept.min()), int(kept.max())
                first, last = (min(first, low), max(last, high)) if rows else (low, high)
                rows += len(kept)
        return Span(rows, first, last) if rows else None

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[Candles]:
        """Yield all candles in batches of at most `rows`, each checked.

        Raises:
            DataError: the file cannot be read, or a row is wrong.
        """
        if self.path.suffix == ".csv":
            candles, first_line = self._read_csv()
            check_candles(
                candles, self.interval, str(self.path), lambda i: f"line {first_line + i}"
            )
            for start in range(0, len(candles), rows):
                yield candles.rows(start, start + rows)
            return
        done, after_ms = 0, None
        for time, values in self._parquet_batches(rows, values=True):
            candles, first_row = Candles(time, values), done + 1
            check_candles(
                candles,
                self.interval,
                str(self.path),
                lambda i, first=first_row: f"row {first + i}",  # type: ignore[misc]
                after_ms,
            )
            yield candles
            done, after_ms = done + len(time), int(time[-1])

    def _read_csv(self) -> tuple[Candles, int]:
        if self._csv is None:
            self._csv = read_candle_csv(self.path, self.interval)
        return self._csv

    def _parquet_batches(self, rows: int, *, values: bool) -> Iterator[tuple[I64, F64]]:
        seconds: bool | None = None
        done = 0
        try:
            with pq.ParquetFile(self.path, buffer_size=1 << 20, pre_buffer=False) as file:
                names = resolve_columns(file.schema_arrow.names, COLUMNS[:5], self.path)
                columns = [names["timestamp"]]
                if values:
                    columns += [names[c] for c in COLUMNS if c in names]
                for batch in file.iter_batches(rows, columns=columns, use_threads=False):
                    if batch.num_rows == 0:
                        continue
                    time = self._times(batch.column(names["timestamp"]), done)
                    seconds = bool(time.max() < LARGEST_SECONDS) if seconds is None else seconds
                    yield (time * 1000 if seconds else time), self._values(batch, names)
                    done += len(time)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.path}: not a readable Parquet file: {error}") from None
        if done == 0:
            raise DataError(f"{self.path}: has no rows; delete it, or fetch it again")

    def _times(self, column: Any, done: int) -> I64:
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise DataError(f"{self.path}: row {done + row + 1}: no timestamp; delete the row")
        if pa.types.is_integer(column.type):
            return np.asarray(column.to_numpy(), np.int64)
        daily = INTERVAL_MS[self.interval] >= DAY_MS
        if pa.types.is_timestamp(column.type) and column.type.tz is not None and daily:
            column = pc.local_timestamp(column)
        array = column.to_numpy(zero_copy_only=False)
        if array.dtype.kind not in "MO":
            raise DataError(
                f"{self.path}: timestamp is {column.type}, expected whole milliseconds (int64)"
            )
        try:
            return times_to_ms(array, daily=daily)
        except UnreadableTimeError as error:
            raise DataError(f"{self.path}: row {done + error.index + 1}: {error}") from None

    def _values(self, batch: Any, names: Mapping[str, str]) -> F64:
        values = np.full((batch.num_rows, len(COLUMNS)), np.nan)
        for k, name in enumerate(COLUMNS):
            if name not in names or names[name] not in batch.schema.names:
                continue
            column = batch.column(names[name])
            if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
                raise DataError(f"{self.path}: {name} is {column.type}, expected a number (double)")
            values[:, k] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return values


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
        path: a Parquet or CSV file.
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
    resolve_columns(frame.columns, COLUMNS[:5], path)
    candles = Candles.of_frame(frame)
    check_candles(candles, series.interval, str(path), lambda i: f"row {i + 1}")
    write_table(path, candles.frame(), metadata)


def write_table(path: Path, frame: pd.DataFrame, metadata: Mapping[str, str] | None = None) -> None:
    """Write a frame atomically, as Parquet or CSV by the name's suffix."""
    with replacing(path) as temporary:
        if path.suffix == ".csv":
            frame.to_csv(temporary, index=False)
            return
        table = pa.Table.from_pandas(frame, preserve_index=False)
        table = table.replace_schema_metadata(dict(metadata or {}))
        pq.write_table(table, temporary, compression="zstd")

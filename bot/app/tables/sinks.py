"""Files of tables, written slice by slice: CSV, Parquet, Excel.

Rules: a file takes its place when it is whole, and after an error nothing is left over; a time is
written in UTC, in CSV as ISO 8601 with a Z; an empty cell is what is not known. Must not know a run.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, Protocol, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from bot.adapters.system.atomic_file import replacing
from bot.app.tables.columns import Shape
from bot.errors import ConfigError, extra_needed

FileKind = Literal["csv", "parquet", "xlsx"]
FORMATS: tuple[FileKind, ...] = get_args(FileKind)

EXCEL_ROWS = 1_048_576
"""Rows of an Excel sheet, the header among them."""


class Sink(Protocol):
    """Takes the slices of a table."""

    def write(self, part: pa.Table) -> None:
        """Write the next rows."""


class CsvSink:
    """CSV as RFC 4180 has it, with a header; the file is any binary one."""

    def __init__(self, file: IO[bytes], shape: Shape) -> None:
        self._file = file
        file.write((",".join(c.name for c in shape.columns) + "\n").encode())

    def write(self, part: pa.Table) -> None:
        """Write the next rows."""
        text = _with_iso_times(part)
        try:
            self._file.write(_csv_of(text, "none"))
        except pa.ArrowInvalid:  # a comma, a quote or a line break in a text
            self._file.write(_csv_of(text, "needed"))


class ParquetSink:
    """Parquet, a row group a slice; the columns' units are in its metadata."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer

    def write(self, part: pa.Table) -> None:
        """Write the next rows."""
        self._writer.write_table(part)


class ExcelSink:
    """A sheet of a workbook."""

    def __init__(self, book: Any, shape: Shape) -> None:
        self._sheet = book.add_worksheet(shape.name)
        bold = book.add_format({"bold": True})
        self._time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._name, self._row = shape.name, 1
        for k, column in enumerate(shape.columns):
            wide = 19 if column.kind == "time" else max(len(column.name), 12) + 1
            self._sheet.set_column(k, k, wide)
            self._sheet.write_string(0, k, column.name, bold)
        self._sheet.freeze_panes(1, 0)

    def write(self, part: pa.Table) -> None:
        """Write the next rows.

        Raises:
            ConfigError: a sheet has no room for them.
        """
        if self._row + part.num_rows > EXCEL_ROWS:
            raise ConfigError(
                f"--format xlsx: {self._name} has more than the {EXCEL_ROWS - 1:,} rows that an Excel "
                "sheet holds; write --format parquet or csv, or fewer --symbols"
            )
        columns = [_cells(column) for column in part.columns]
        for row in zip(*columns, strict=True):
            for k, value in enumerate(row):
                if value is None:
                    continue
                if hasattr(value, "year"):
                    self._sheet.write_datetime(self._row, k, value, self._time)
                else:
                    self._sheet.write(self._row, k, value)
            self._row += 1


@contextmanager
def csv_file(path: Path, shape: Shape) -> Iterator[CsvSink]:
    """Give a sink that writes a CSV file."""
    with replacing(path, durable=False) as part, open(part, "wb") as file:
        yield CsvSink(file, shape)


@contextmanager
def parquet_file(path: Path, shape: Shape) -> Iterator[ParquetSink]:
    """Give a sink that writes a Parquet file."""
    with (
        replacing(path, durable=False) as part,
        pq.ParquetWriter(part, shape.schema, compression="zstd") as writer,
    ):
        yield ParquetSink(writer)


@contextmanager
def workbook(path: Path) -> Iterator[Any]:
    """Give an Excel workbook to make sheets in; it holds a row at a time in memory.

    Raises:
        ConfigError: the extra 'xlsx' is not installed.
    """
    try:
        import xlsxwriter
    except ImportError:
        raise extra_needed("--format xlsx writes with xlsxwriter", "xlsx") from None
    options = {"constant_memory": True, "strings_to_urls": False, "strings_to_formulas": False}
    with replacing(path, durable=False) as part:
        book = xlsxwriter.Workbook(part, options)
        try:
            yield book
        finally:
            book.close()


def _csv_of(part: pa.Table, quoting: str) -> memoryview:
    buffer = io.BytesIO()
    options = pa_csv.WriteOptions(include_header=False, quoting_style=quoting)
    pa_csv.write_csv(part, buffer, options)
    return buffer.getbuffer()


def _with_iso_times(part: pa.Table) -> pa.Table:
    """Return the table with times as text, 2024-01-01T00:00:00Z."""
    for k, field in enumerate(part.schema):
        if pa.types.is_timestamp(field.type):
            seconds = part.column(k).cast(pa.timestamp("s", "UTC"))
            text = pc.strftime(seconds, format="%Y-%m-%dT%H:%M:%SZ")
            part = part.set_column(k, field.name, text)
    return part


def _cells(column: pa.ChunkedArray) -> list[Any]:
    """Return a column's values; Excel knows no time zone, so times are told as they are in UTC."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms"))
    return list(column.to_pylist())

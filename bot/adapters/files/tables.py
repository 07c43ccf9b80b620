"""Files of rows as people have them, to one shape: named columns, and what to call a row's place.

Owns the containers: CSV (plain, .gz, .zip), Parquet, Feather, JSON (plain, .gz). A CSV's header may
be missing, may stand below a line of its own (as a URL), or may be the rows in which pandas writes
columns of two levels. Columns without a name are called "1", "2", …; columns of two levels are
called as pandas calls them in Parquet, "('Close', 'AAPL')". Cells of CSV stay text and numbers are
read exactly, as Python reads them. Must not know what a column means: `layouts` does.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bot.adapters.files.packed import content_of, unreadable
from bot.blocks import F64, I64
from bot.errors import DataError
from bot.timestamps import TimeReader, UnreadableTimeError, is_missing

_MISSING = frozenset({"", "nan", "null", "none", "na", "n/a"})
_VALUE = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|\d{4}-?\d{2}-?\d{2}.*")
_LEVELS = frozenset({"", "Price", "Ticker", "Attributes", "Symbols"})
_HEAD_LINES = 8
_FEATHER_1 = b"FEA1"


@dataclass(frozen=True, slots=True)
class FileTable:
    """The rows of a file.

    Attributes:
        path: the file.
        frame: a column each, named by text; a row each, index 0 and on.
        named: the file names its columns.
        first: the place of the first row.
        word: what a place is called: line, row.
    """

    path: Path
    frame: pd.DataFrame
    named: bool
    first: int
    word: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(self.frame.columns)

    def place(self, i: int) -> str:
        """Return what the i-th row is called.

        >>> FileTable(Path("a.csv"), pd.DataFrame(), True, 2, "line").place(0)
        'line 2'
        """
        return f"{self.word} {self.first + i}"

    def times(self, name: str, reader: TimeReader) -> I64:
        """Return int64[m] ms UTC of a column.

        Raises:
            DataError: a cell is no time, or of another unit than those before it.
        """
        try:
            return reader.read(self.frame[name])
        except UnreadableTimeError as error:
            raise DataError(f"{self.path}: {self.place(error.index)}: {error}") from None

    def numbers(self, name: str) -> F64:
        """Return float64[m] of a column, NaN where a cell is empty.

        Raises:
            DataError: a cell is no number.
        """
        column = self.frame[name]
        if pd.api.types.is_bool_dtype(column.dtype) or column.dtype.kind in "mM":
            raise DataError(f"{self.path}: {name} is {column.dtype}, expected a number")
        if pd.api.types.is_numeric_dtype(column.dtype):
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
        cells = column.to_numpy(dtype=object)
        parsed = np.empty(len(cells))
        for i, cell in enumerate(cells):
            try:
                parsed[i] = float(cell)
            except (TypeError, ValueError, OverflowError):
                if not is_missing(cell) and str(cell).strip().lower() not in _MISSING:
                    raise DataError(
                        f"{self.path}: {self.place(i)}: {name} is '{cell}', expected a number"
                    ) from None
                parsed[i] = np.nan
        return parsed


def read_table(path: Path) -> FileTable:
    """Read a file by the ending of its name.

    Raises:
        DataError: the file is unreadable, empty, or of another kind.
    """
    name = path.name.lower()
    for ending, read in _READERS.items():
        if name.endswith(ending):
            table = read(path)
            if len(table.frame) == 0:
                raise DataError(f"{path}: has no rows; delete it, or fetch it again")
            return table
    raise DataError(f"{path}: cannot be read; expected one of {', '.join(_READERS)}")


def _csv_table(path: Path) -> FileTable:
    try:
        text = content_of(path).decode("utf-8-sig")
        lines = [line.rstrip("\r") for line in text.split("\n", _HEAD_LINES)[:_HEAD_LINES]]
        above, names, below = _header([next(csv.reader([line]), []) for line in lines])
    except (UnicodeDecodeError, csv.Error) as error:
        raise unreadable(path, "CSV", error) from None
    try:
        frame = pd.read_csv(
            io.StringIO(text), header=None, dtype=str, keep_default_na=False,
            skip_blank_lines=False, skiprows=below,
        ).fillna("")  # fmt: skip
    except pd.errors.EmptyDataError as error:
        if names is not None and len(names) > 1:
            raise DataError(f"{path}: has no rows; delete it, or fetch it again") from None
        raise unreadable(path, "CSV", error) from None
    except (pd.errors.ParserError, ValueError) as error:
        raise unreadable(path, "CSV", error) from None
    filled = np.flatnonzero((frame != "").any(axis=1).to_numpy())
    frame = frame.iloc[: filled[-1] + 1 if len(filled) else 0]
    if names is None:
        frame.columns = [str(i + 1) for i in range(frame.shape[1])]
        return FileTable(path, frame, False, above + 1, "line")
    if frame.shape[1] > len(names) and (frame.iloc[:, len(names) :] != "").any(axis=None):
        wide = f"{len(names)} columns are named, and there are {frame.shape[1]}"
        raise unreadable(path, "CSV", ValueError(wide))
    frame = frame.reindex(columns=range(len(names)), fill_value="")
    frame.columns = _distinct(names)
    return FileTable(path, frame, True, below + 1, "line")


def _header(head: Sequence[Sequence[str]]) -> tuple[int, list[str] | None, int]:
    """Return the number of lines above the header, its names, and of lines up to its end.

    The names are None where the first row with several cells is one of values.

    >>> _header([["https://x"], ["unix", "open"], ["1", "2"]])
    (1, ['unix', 'open'], 2)
    >>> _header([["1704067200", "1.5"]])
    (0, None, 0)
    """
    above = next((i for i, row in enumerate(head) if len(row) > 1), 0)
    row = list(head[above]) if above < len(head) else []
    filled = [cell for cell in row if cell.strip()]
    if filled and _VALUE.fullmatch(filled[0].strip()):
        return above, None, above
    rest = head[above + 1 :]
    levels = len(rest) > 0 and row[:1] != [] and {row[0], rest[0][0] if rest[0] else "-"} <= _LEVELS
    if not levels or any(_VALUE.fullmatch(cell.strip()) for cell in rest[0]):
        return above, row, above + 1
    names = [row[0], *(str(pair) for pair in zip(row[1:], rest[0][1:], strict=False))]
    if len(rest) > 1 and rest[1] and rest[1][0] and not any(rest[1][1:]):
        return above, [rest[1][0], *names[1:]], above + 3
    return above, names, above + 2


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names, a repeated one with its number, so that each names one column.

    >>> _distinct(["time", "Plot", "Plot"])
    ['time', 'Plot', 'Plot.2']
    """
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return out


def _parquet_table(path: Path) -> FileTable:
    try:
        return arrow_table(path, pq.read_table(path, partitioning=None))
    except (OSError, pa.ArrowException, ValueError) as error:
        raise unreadable(path, "Parquet", error) from None


def _feather_table(path: Path) -> FileTable:
    """Read Feather of version 2; a damaged file of version 1 would end the process in pyarrow."""
    try:
        content = path.read_bytes()
        if content[:4] == _FEATHER_1:
            raise ValueError("it is of version 1, which is read no more; write it as version 2")
        with pa.ipc.open_file(pa.BufferReader(content)) as rows:
            table = rows.read_all()
        table.validate(full=True)
        return arrow_table(path, table)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise unreadable(path, "Feather", error) from None


def arrow_table(path: Path, table: Any, first: int = 1) -> FileTable:
    """Return rows that arrow holds; what pandas kept as an index is a column as any other."""
    frame: pd.DataFrame = table.replace_schema_metadata(None).to_pandas(date_as_object=False)
    frame.columns = _distinct([str(name) for name in frame.columns])
    return FileTable(path, frame, True, first, "row")


def _json_table(path: Path) -> FileTable:
    try:
        document = json.loads(content_of(path))
        frame, named = _frame_of(document)
    except (ValueError, RecursionError, TypeError, AttributeError, KeyError) as error:
        raise unreadable(path, "JSON", error) from None
    frame.columns = _distinct([str(name) for name in frame.columns])
    return FileTable(path, frame.reset_index(drop=True), named, 1, "row")


def _frame_of(document: Any) -> tuple[pd.DataFrame, bool]:
    """Return the rows of a JSON document: a list of lists or of objects, or an object of columns."""
    if isinstance(document, Mapping):
        if all(isinstance(column, list) for column in document.values()):
            return pd.DataFrame(document), True
        if all(isinstance(column, Mapping) for column in document.values()):
            return pd.DataFrame(document), True
        raise ValueError("expected a list of rows")
    if not isinstance(document, list):
        raise TypeError("expected a list of rows")
    if all(isinstance(row, Mapping) for row in document):
        return pd.DataFrame(document, dtype=None if len(document) else object), True
    widths = {len(row) if isinstance(row, list) else -1 for row in document}
    if len(widths) != 1 or widths == {-1}:
        raise ValueError("expected rows of the same length")
    return pd.DataFrame(document, columns=[str(i + 1) for i in range(widths.pop())]), False


_READERS: dict[str, Callable[[Path], FileTable]] = {
    ".parquet": _parquet_table,
    ".csv": _csv_table,
    ".csv.gz": _csv_table,
    ".csv.zip": _csv_table,
    ".feather": _feather_table,
    ".json": _json_table,
    ".json.gz": _json_table,
    ".zip": _csv_table,
}
"""The endings of names, and what reads them. Only what is imported may end in .zip alone."""

ENDINGS = tuple(sorted((e for e in _READERS if e != ".zip"), key=len, reverse=True))


def is_data(name: str) -> bool:
    """Return whether a file's name ends as one that `read_table` reads."""
    return name.lower().endswith(tuple(_READERS))


def split_ending(name: str) -> tuple[str, str] | None:
    """Return a file name's stem and its ending, None where it is none of ENDINGS.

    >>> split_ending("us_BRK.B_1d.csv.gz")
    ('us_BRK.B_1d', '.csv.gz')
    """
    for ending in ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)], ending
    return None

"""`bot export`: which tables of a run go where, in which format."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pyarrow as pa

from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.record import open_record
from bot.app.tables.columns import NAMES, TableName
from bot.app.tables.sinks import (
    FORMATS,
    CsvSink,
    ExcelSink,
    FileKind,
    Sink,
    csv_file,
    parquet_file,
    workbook,
)
from bot.app.tables.slices import RunTables
from bot.errors import ConfigError

FOLDER = "export"
"""Where tables go that nobody has named a place for, in the run's folder."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written, and its rows by table."""

    path: Path
    rows: dict[TableName, int]


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is to be exported, as it was asked for.

    Attributes:
        what: names of tables, separated by commas, or 'all'.
        format: None where the file's name says it; else CSV.
        out: a file, or a folder; None for stdout where it is one table as CSV.
        symbols: separated by commas; None for all.
    """

    what: str
    format: str | None = None
    out: str | None = None
    symbols: str | None = None

    @property
    def tables(self) -> tuple[TableName, ...]:
        """Return the tables.

        Raises:
            ConfigError: there is none of that name.
        """
        named = [name.strip() for name in self.what.split(",") if name.strip()]
        if named == ["all"]:
            return NAMES
        for name in named:
            if name not in NAMES:
                raise ConfigError(f"--what {name}: expected all, {', '.join(NAMES)}")
        if not named:
            raise ConfigError(f"--what: expected all, {', '.join(NAMES)}")
        return tuple(cast(TableName, name) for name in dict.fromkeys(named))

    @property
    def file(self) -> Path | None:
        """Return the file that is named, None where a folder is, or nothing."""
        if self.out is None or self.out.endswith("/") or Path(self.out).is_dir():
            return None
        return Path(self.out) if Path(self.out).suffix else None

    @property
    def kind(self) -> FileKind:
        """Return the format.

        Raises:
            ConfigError: there is no such format, or it is not that of the file's name.
        """
        ending = "" if self.file is None else self.file.suffix.removeprefix(".")
        kind = self.format or ending or "csv"
        if ending and ending not in FORMATS:
            names = ", ".join(f".{each}" for each in FORMATS)
            raise ConfigError(
                f"--out {self.out}: expected a folder, or a name that ends in {names}"
            )
        if kind not in FORMATS:
            raise ConfigError(f"--format {kind}: expected {', '.join(FORMATS)}")
        if ending and ending != kind:
            raise ConfigError(f"--out {self.out}: --format says {kind}; give one of them")
        if self.file is not None and kind != "xlsx" and len(self.tables) > 1:
            raise ConfigError(
                f"--out {self.out}: a .{kind} file holds one table; name a folder for several"
            )
        return kind

    @property
    def only(self) -> tuple[str, ...] | None:
        """Return the symbols that are wanted, None for all."""
        if self.symbols is None:
            return None
        return tuple(name.strip() for name in self.symbols.split(",") if name.strip())


def export(folder: RunFolder, wanted: ExportRequest) -> list[Written]:
    """Write tables of a run to files; one table as CSV without a place goes to stdout.

    Returns:
        the files; none where it was stdout.

    Raises:
        ConfigError: what was asked for cannot be, or a file cannot be written.
        DataError: the run has not one of the symbols.
        JournalError: the run has closed no bar yet.
    """
    pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own keeps what slices have given back
    names, kind, only = wanted.tables, wanted.kind, wanted.only
    with open_record(folder, follow=True) as record:
        tables = RunTables(record, config_of(folder), only)
        if wanted.out is None and kind == "csv" and len(names) == 1:
            _write(tables, names[0], CsvSink(sys.stdout.buffer, tables.shape(names[0])))
            return []
        place = Path(wanted.out) if wanted.out else folder.path / FOLDER
        try:
            if kind == "xlsx":
                return [_to_workbook(tables, names, wanted.file or place / f"{FOLDER}.xlsx")]
            return [
                _to_file(tables, name, wanted.file or place / f"{name}.{kind}", kind)
                for name in names
            ]
        except FileExistsError:
            raise ConfigError(
                f"--out {place}: is a file; several tables go into a folder"
            ) from None
        except OSError as error:
            said = error.strerror or error
            raise ConfigError(f"--out {place}: cannot be written: {said}") from None


def _to_file(tables: RunTables, name: TableName, path: Path, kind: FileKind) -> Written:
    shape = tables.shape(name)
    opened = csv_file(path, shape) if kind == "csv" else parquet_file(path, shape)
    with opened as sink:
        return Written(path, {name: _write(tables, name, sink)})


def _to_workbook(tables: RunTables, names: Sequence[TableName], path: Path) -> Written:
    with workbook(path) as book:
        rows = {name: _write(tables, name, ExcelSink(book, tables.shape(name))) for name in names}
        return Written(path, rows)


def _write(tables: RunTables, name: TableName, sink: Sink) -> int:
    rows = 0
    for part in tables.slices(name):
        sink.write(part)
        rows += part.num_rows
    return rows

"""The record of a backtest: journal.db with the facts, and the tables of bars in columns beside it.

Owns writing; `columns_reader` reads. Rules: what one transaction holds is a block; each table of it is a
part, a file that is whole before the row in `parts` that names it, and these rows are what is
committed. So a process that is killed leaves all blocks up to the last commit, and at most files that
no row names. Bars are closed when they are written, one behind the other. Must not compute anything that
the engine did not hand over, but hashes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from bot.adapters.journal import facts, schema
from bot.adapters.journal.facts import FactsWriter
from bot.adapters.journal.files import COLUMNS
from bot.adapters.journal.parts import write_part
from bot.adapters.record.chain import first_link
from bot.adapters.record.columns import (
    COLUMN_TABLES,
    Columns,
    Texts,
    bar_columns,
    decision_columns,
    fill_columns,
    forecast_columns,
    joined_columns,
    ledger_columns,
    position_columns,
)
from bot.adapters.record.tables import EARLIEST, Table
from bot.blocks import BarBlock, Task
from bot.engine import StepResult
from bot.engine_state import Activation
from bot.errors import JournalError
from bot.portfolio.trace import Trace

PART_ROWS = 2**18
"""Rows of a part, at the most, unless a single bar has more: what a reader holds at once."""


class ColumnJournal(FactsWriter):
    """Write the record of a backtest; make it with `create`. It is not gone on with."""

    def __init__(self, connection: sqlite3.Connection, symbols: Sequence[str], path: Path) -> None:
        super().__init__(connection, symbols, path, first_link(symbols))
        self._folder = path.parent / COLUMNS
        self._texts = Texts(self.symbols)
        self._taken: dict[Table, list[Columns]] = {}
        self._parts = 0
        self._last = EARLIEST

    @classmethod
    def create(
        cls, path: Path, symbols: Sequence[str], tasks: Sequence[Task], meta: Mapping[str, str]
    ) -> Self:
        """Make a new record; after a crash at any instant it is whole, or not there.

        Args:
            meta: facts of the run; symbols, tasks and the version are added, and the build.

        Raises:
            JournalError: there is one already, or the folder cannot be written.
        """
        tables = (schema.FACTS, schema.PARTS)
        db = facts.make_file(
            path, tables, symbols, tasks, meta, version=schema.COLUMNS_VERSION, durable=False
        )
        return cls(db, symbols, path)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that is written inside together, or nothing of it.

        Raises:
            JournalError: the disk is full, a file is locked or damaged.
        """
        before = self._parts, self._last, self._texts
        try:
            with super().transaction():
                yield
                self._write_parts()
        except BaseException:
            self._parts, self._last, self._texts = before
            raise
        finally:
            self._taken.clear()

    def write_bars(self, block: BarBlock) -> None:
        """Write bars as seen, behind all that were written."""
        first = int(block.open_time[0])
        if first <= self._last:
            raise JournalError(
                f"{self._path}: a bar of {first} comes behind one of {self._last}; in columns each bar "
                "is written once, in order"
            )
        self._last = int(block.open_time[-1])
        self._take("bars", bar_columns(block, self._texts))

    def write_fills(self, fills: npt.NDArray[np.void]) -> None:
        """Write fills in the order of booking."""
        self._take("fills", fill_columns(fills))

    def write_open(self, block: BarBlock, trace: Trace) -> None:
        """Refuse a bar that is only open.

        Raises:
            JournalError: always; what is not closed may still change.
        """
        del block, trace
        raise JournalError(f"{self._path}: a record in columns takes closed bars alone")

    def write_close(
        self, result: StepResult, schedule: Sequence[Activation], *, opened: bool = False
    ) -> None:
        """Write closed bars with forecasts, decisions, fills, ledger rows and positions."""
        if opened:
            self.write_open(result.bars, result.trace)
        self.write_bars(result.bars)
        self.write_fills(result.trace.fills)
        self._take("forecasts", forecast_columns(result, schedule, self._texts))
        self._take("decisions", decision_columns(result, self._texts))
        self.write_ledger(result)

    def write_ledger(self, result: StepResult) -> None:
        """Write the ledger rows and the positions that are not zero."""
        self._take("ledger", ledger_columns(result))
        self._take("positions", position_columns(result, self._texts))

    def write_activation(self, activation: Activation, due: int | None, *, late: bool) -> None:
        """Write that a model decides from a bar on."""
        super().write_activation(activation, due, late=late)
        if activation.model_id not in self._texts.models:
            models = (*self._texts.models, activation.model_id)
            self._texts = replace(self._texts, models=models)

    def _take(self, table: Table, columns: Columns) -> None:
        if len(columns["open_time"]):
            self._taken.setdefault(table, []).append(columns)

    def _write_parts(self) -> None:
        for table in COLUMN_TABLES:
            if table in self._taken:
                taken = self._taken[table]
                whole = joined_columns(taken, tuple(taken[0]))
                for rows in _cuts(whole["open_time"]):
                    self._write_part(table, {name: x[rows] for name, x in whole.items()})

    def _write_part(self, table: Table, columns: Columns) -> None:
        try:
            part = write_part(self._folder, table, self._parts + 1, columns, self._texts)
        except OSError as error:
            raise JournalError(
                f"{self._folder}: a block could not be written ({error}); nothing of it was recorded, "
                "what was committed before is whole. Free disk space, then start again"
            ) from error
        part = replace(part, link=part.expected_link(self._link))
        self._db.execute("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(part))
        self._parts, self._link = part.position, part.link


def _cuts(times: npt.NDArray[np.int64]) -> Iterator[slice]:
    """Yield the rows of each part: whole bars, PART_ROWS at the most or a single bar's."""
    start = 0
    while start < len(times):
        stop = start + PART_ROWS
        if stop < len(times):
            cut = int(np.searchsorted(times, times[stop]))
            stop = cut if cut > start else int(np.searchsorted(times, times[stop], "right"))
        yield slice(start, stop)
        start = stop

"""The journal of a run: one SQLite file that holds all that happened, in transactions.

Owns writing; `reader` reads. Rules: what is committed has happened, what is not has not;
rows are only ever added (the open bar's row is completed at its close); every float is written as
it is. Must not compute anything that the engine did not hand over, but hashes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bot.adapters.journal import facts, schema
from bot.adapters.journal.builds import build_rows, newest_link, write_build
from bot.adapters.journal.commands import command_rows
from bot.adapters.journal.facts import FactsWriter
from bot.adapters.journal.migrations import migrate
from bot.adapters.record.chain import chain_links, row_hashes
from bot.adapters.record.joins import Joins
from bot.adapters.record.rows import (
    bar_rows,
    chain_rows,
    decision_rows,
    fill_rows,
    forecast_rows,
    ledger_rows,
    position_rows,
)
from bot.adapters.record.tables import Row, Table, bar_matrix, columns_of
from bot.adapters.system.build import present_build
from bot.blocks import FILL, BarBlock, Task
from bot.engine import StepResult
from bot.engine_state import Activation
from bot.errors import JournalError
from bot.portfolio.reasons import FILL_REASON_CODE
from bot.portfolio.trace import Trace


class Journal(FactsWriter):
    """Write to a run's journal.db; make it with `create`, go on with `open`."""

    def __init__(
        self, connection: sqlite3.Connection, symbols: Sequence[str], path: Path = Path(":memory:")
    ) -> None:
        super().__init__(connection, symbols, path, newest_link(connection))

    @classmethod
    def create(
        cls, path: Path, symbols: Sequence[str], tasks: Sequence[Task], meta: Mapping[str, str], *,
        durable: bool,
    ) -> Self:  # fmt: skip
        """Make a new journal; after a crash at any instant it is whole, or not there.

        Args:
            meta: facts of the run; symbols, tasks and the version are added, and the build.
            durable: wait for the disk at every commit (live); a backtest need not.

        Raises:
            JournalError: there is one already, or the folder cannot be written.
        """
        tables = (schema.TABLES, schema.forecast_table(tasks))
        db = facts.make_file(
            path, tables, symbols, tasks, meta, version=str(schema.JOURNAL_VERSION), durable=durable
        )
        return cls(db, symbols, path)

    @classmethod
    def open(cls, path: Path, symbols: Sequence[str], tasks: Sequence[Task]) -> Self:
        """Go on with a journal; one of an earlier version is brought to this one first.

        Raises:
            JournalError: it is damaged, of an unknown version, or of other symbols or tasks.
        """
        if not path.is_file():
            raise JournalError(f"{path}: there is no journal here")
        migrate(path)
        try:
            db = facts.connect(path, durable=True)
            meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
            joins = Joins.of(meta.get("symbols", "").split("\n"), command_rows(db))
            sound = db.execute("PRAGMA quick_check").fetchone()[0]
        except sqlite3.Error as error:
            raise JournalError(f"{path}: cannot be opened ({error}); restore a copy") from error
        if sound != "ok":
            raise JournalError(f"{path}: the file is damaged ({sound}); restore a copy")
        wanted = "\n".join(symbols), "\n".join(task.name for task in tasks)
        kept = "\n".join(joins.symbols), meta.get("tasks")
        for key, value, found in zip(("symbols", "tasks"), wanted, kept, strict=True):
            if found != value:
                raise JournalError(
                    f"{path}: {key} is {found!r}, the settings say {value!r}; start a new "
                    "run, or set them as they were (config.toml in the run's folder)"
                )
        return cls(db, symbols, path)

    def write_bars(self, block: BarBlock) -> None:
        """Write bars as seen, in place of an earlier sight of the same bars."""
        self._write_bars(block, self.symbols)

    def write_history(self, block: BarBlock, symbols: Sequence[str]) -> None:
        """Write all the bars that there are, of symbols that join."""
        self._write_bars(block, symbols)

    def write_fills(self, fills: npt.NDArray[np.void]) -> None:
        """Write fills in the order of booking."""
        self._db.executemany(
            "INSERT INTO fills (open_time, symbol, quantity, price, fee, spread, slippage, reason) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            fill_rows(fills, self.symbols),
        )

    def write_open(self, block: BarBlock, trace: Trace) -> None:
        """Write the open of one bar: its row as seen so far, and the fills."""
        self.write_bars(block)
        self.write_fills(trace.fills)

    def write_close(
        self, result: StepResult, schedule: Sequence[Activation], *, opened: bool = False
    ) -> None:
        """Write closed bars with forecasts, decisions, fills, ledger rows and their links.

        Args:
            opened: the first bar's open was written before, and with it some of its fills.
        """
        hashes = self._write_bars(result.bars, self.symbols)
        earlier = self._fills_of(int(result.bars.open_time[0])) if opened else np.empty(0, FILL)
        self.write_fills(result.trace.fills)
        tasks = result.forecast.tasks
        self._insert("forecasts", tasks, forecast_rows(result, schedule, self.symbols))
        self._insert("decisions", tasks, decision_rows(result, self.symbols))
        self.write_ledger(result)
        self._write_chain(result, hashes, np.concatenate([earlier, result.trace.fills]))

    def write_ledger(self, result: StepResult) -> None:
        """Write the ledger rows and the positions that are not zero."""
        self._insert("ledger", (), ledger_rows(result))
        self._insert("positions", (), position_rows(result, self.symbols))

    def begin_stretch(self, arrays: Mapping[str, npt.NDArray[Any]] | None) -> bool:
        """Record a seam where another build made what is recorded so far; return whether it did.

        Args:
            arrays: the state that this build goes on from, None before the first bar.
        """
        builds = build_rows(self._db)
        if builds and builds[-1].digest == present_build().digest:
            return False
        closed = self._db.execute("SELECT max(open_time) FROM chain").fetchone()[0]
        self._link = write_build(self._db, self._link, closed, arrays)
        return True

    def _write_bars(self, block: BarBlock, symbols: Sequence[str]) -> npt.NDArray[np.int64]:
        matrix = bar_matrix(block)
        hashes = row_hashes(block.open_time, matrix)
        names = columns_of("bars", ())
        into = f"bars ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        rows = bar_rows(block, matrix, hashes, symbols)
        self._db.executemany(f"INSERT OR REPLACE INTO {into}", rows)
        return hashes

    def _insert(self, table: Table, tasks: Sequence[Task], rows: Iterator[Row]) -> None:
        marks = ", ".join("?" * len(columns_of(table, tasks)))
        self._db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def _write_chain(
        self, result: StepResult, hashes: npt.NDArray[np.int64], fills: npt.NDArray[np.void]
    ) -> None:
        times = result.bars.open_time
        commands = command_rows(self._db, int(times[0]), int(times[-1]))
        links = chain_links(self._link, chain_rows(result, hashes, fills, commands))
        self._link = links[-1]
        rows = zip(times.tolist(), links, strict=True)
        self._db.executemany("INSERT INTO chain VALUES (?, ?)", rows)

    def _fills_of(self, open_time: int) -> npt.NDArray[np.void]:
        index = {name: s for s, name in enumerate(self.symbols)}
        query = ("SELECT open_time, symbol, quantity, price, fee, spread, slippage, reason "
                 "FROM fills WHERE open_time = ? ORDER BY id")  # fmt: skip
        rows = self._db.execute(query, (open_time,)).fetchall()
        return np.array(
            [(r[0], index[r[1]], *r[2:7], FILL_REASON_CODE[r[7]]) for r in rows], dtype=FILL
        )

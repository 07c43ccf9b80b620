"""The journal of a run: one SQLite file that holds all that happened, in transactions.

Owns writing; `reader` reads. Rules: what is committed has happened, what is not has not;
rows are only ever added (the open bar's row is completed at its close); every float is written as
it is. Must not compute anything that the engine did not hand over, but hashes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bot.adapters.files.manifests import manifest_sha256
from bot.adapters.journal import schema
from bot.adapters.journal.builds import build_rows, newest_link, write_build
from bot.adapters.journal.commands import command_rows, write_row
from bot.adapters.journal.migrations import migrate
from bot.adapters.journal.wal import keep_short
from bot.adapters.record.chain import chain_links, first_link, row_hashes
from bot.adapters.record.commands import CommandRow
from bot.adapters.record.contents import packed
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
from bot.adapters.system.atomic_file import replacing
from bot.adapters.system.build import present_build
from bot.blocks import FILL, BarBlock, Task
from bot.engine import StepResult
from bot.engine_state import STATE_LAYOUT, Activation
from bot.errors import JournalError
from bot.portfolio.reasons import FILL_REASON_CODE
from bot.portfolio.trace import Trace


class Journal:
    """Write to a run's journal.db; make it with `create`, go on with `open`."""

    def __init__(
        self, connection: sqlite3.Connection, symbols: Sequence[str], path: Path = Path(":memory:")
    ) -> None:
        self._db = connection
        self._path = path
        self.symbols = tuple(symbols)
        self._link = newest_link(connection)

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
        if path.exists():
            raise JournalError(
                f"{path}: there is a run already; give another --run-dir, or remove this one"
            )
        facts = dict(meta) | {
            "journal_version": str(schema.JOURNAL_VERSION),
            "symbols": "\n".join(symbols),
            "tasks": "\n".join(task.name for task in tasks),
        }
        try:
            with replacing(path) as temporary, closing(sqlite3.connect(temporary)) as new:
                new.executescript(schema.TABLES)
                new.execute(schema.forecast_table(tasks))
                new.executemany("INSERT INTO meta VALUES (?, ?)", sorted(facts.items()))
                write_build(new, first_link(symbols), None, None)
                new.commit()
            return cls(_connect(path, durable=durable), symbols, path)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(
                f"{path}: cannot make the journal: {error}; free disk space or make the folder "
                "writable, then start again"
            ) from error

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
            db = _connect(path, durable=True)
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

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that is written inside together, or nothing of it.

        Raises:
            JournalError: the disk is full, the file is locked or damaged.
        """
        link = self._link
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback(link)
            raise JournalError(
                f"{self._path}: the journal could not be written ({error}); nothing of this bar was "
                "recorded, what was committed before is whole. Free disk space, end what locks the "
                "file, or restore it; then start again"
            ) from error
        except BaseException:
            self._rollback(link)
            raise
        keep_short(self._db, self._path)

    def write_bars(self, block: BarBlock) -> npt.NDArray[np.int64]:
        """Write bars as seen, in place of an earlier sight of the same bars; return row hashes."""
        return self._write_bars(block, self.symbols)

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
        hashes = self.write_bars(result.bars)
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

    def write_activation(self, activation: Activation, due: int | None, *, late: bool) -> None:
        """Write that a model decides from a bar on."""
        self._db.execute(
            "INSERT INTO models (model_id, effective_from, due, late, manifest_sha256) "
            "VALUES (?, ?, ?, ?, ?)",
            (
                activation.model_id, activation.effective_from, due, int(late),
                manifest_sha256(self._path.parent / "models", activation.model_id),
            ),
        )  # fmt: skip

    def write_command(self, command: CommandRow) -> None:
        """Write what a person asked, before the bar from which it holds is closed."""
        write_row(self._db, command)

    def write_state(self, open_time: int, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write the engine's state in place of the one before."""
        self._db.execute(
            "INSERT OR REPLACE INTO state (id, open_time, blob, layout) VALUES (1, ?, ?, ?)",
            (open_time, packed(arrays), STATE_LAYOUT),
        )

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

    def meta(self, key: str) -> str:
        """Return a fact of the run.

        Raises:
            JournalError: it is not there.
        """
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise JournalError(
                f"{self._path}: meta.{key} is missing; the journal is damaged: restore a copy"
            )
        return str(row[0])

    def write_meta(self, key: str, value: str) -> None:
        """Write a fact of the run in place of the one before."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def close(self, *, for_good: bool = False) -> None:
        """Close the file.

        Args:
            for_good: nothing goes on with it: it is left as one file, which reading does not add to.
        """
        if for_good:
            with suppress(sqlite3.OperationalError):  # someone reads it
                self._db.execute("PRAGMA busy_timeout = 0")
                self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.close()

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

    def _rollback(self, link: bytes) -> None:
        self._link = link
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _connect(path: Path, *, durable: bool) -> sqlite3.Connection:
    db = sqlite3.connect(path.absolute(), isolation_level=None, timeout=5.0)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    return db

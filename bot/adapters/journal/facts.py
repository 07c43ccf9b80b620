"""The small tables of a run's journal.db, which every record has: facts, models, commands, state.

Owns the file: making it, transactions, closing. Rules: what is committed has happened, what is not has
not; a row is only ever added, but for facts and the state. Must not know the tables of bars.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy.typing as npt

from bot.adapters.files.manifests import manifest_sha256
from bot.adapters.journal.builds import write_build
from bot.adapters.journal.commands import write_row
from bot.adapters.journal.wal import LOCKED_MS, keep_short
from bot.adapters.record.chain import first_link
from bot.adapters.record.commands import CommandRow
from bot.adapters.record.contents import packed
from bot.adapters.system.atomic_file import replacing
from bot.blocks import Task
from bot.engine_state import STATE_LAYOUT, Activation
from bot.errors import JournalError


class FactsWriter:
    """Write the small tables, in transactions; `_link` is that which the next one goes on from."""

    def __init__(
        self, connection: sqlite3.Connection, symbols: Sequence[str], path: Path, link: bytes
    ) -> None:
        self._db = connection
        self._path = path
        self.symbols = tuple(symbols)
        self._link = link

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

    def _rollback(self, link: bytes) -> None:
        self._link = link
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def make_file(
    path: Path, tables: Sequence[str], symbols: Sequence[str], tasks: Sequence[Task],
    meta: Mapping[str, str], *, version: str, durable: bool,
) -> sqlite3.Connection:  # fmt: skip
    """Make a new file with these tables; after a crash at any instant it is whole, or not there.

    Args:
        tables: the statements that make them.
        meta: facts of the run; symbols, tasks and the version are added, and the build.

    Raises:
        JournalError: there is one already, or the folder cannot be written.
    """
    if path.exists():
        raise JournalError(
            f"{path}: there is a run already; give another --run-dir, or remove this one"
        )
    facts = dict(meta) | {
        "journal_version": version,
        "symbols": "\n".join(symbols),
        "tasks": "\n".join(task.name for task in tasks),
    }
    try:
        with replacing(path) as temporary, closing(sqlite3.connect(temporary)) as new:
            for statements in tables:
                new.executescript(statements)
            new.executemany("INSERT INTO meta VALUES (?, ?)", sorted(facts.items()))
            write_build(new, first_link(symbols), None, None)
            new.commit()
        return connect(path, durable=durable)
    except (sqlite3.Error, OSError) as error:
        raise JournalError(
            f"{path}: cannot make the journal: {error}; free disk space or make the folder "
            "writable, then start again"
        ) from error


def connect(path: Path, *, durable: bool) -> sqlite3.Connection:
    """Open a journal to write; `durable`: every commit waits for the disk."""
    db = sqlite3.connect(path.absolute(), isolation_level=None, timeout=LOCKED_MS / 1000)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    return db

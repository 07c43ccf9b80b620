"""Reading the small tables of a run's journal.db, which every record has.

Rules: opened read-only; everything is read in one transaction, so that all tables are of the same
instant, unless it follows the writer; what is read is never given as a connection. Must not write,
repair or judge: a damaged file is refused by name.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.adapters.journal.builds import build_rows
from bot.adapters.journal.commands import command_rows
from bot.adapters.journal.migrations import Shapes, table_shapes
from bot.adapters.journal.opening import connect_to_copy, connect_to_read
from bot.adapters.record.builds import BuildRow
from bot.adapters.record.commands import CommandRow
from bot.adapters.record.contents import Carried, ModelRow, unpacked
from bot.adapters.record.difference import MISSING, Difference
from bot.adapters.record.joins import Joins
from bot.blocks import Task
from bot.errors import JournalError


class FactsReader(ABC):
    """Read the facts of a run; what its bars are stored in, a subclass knows.

    Args:
        follow: see what is committed after it was opened, and hold no transaction between two calls.
        apart: read a copy, so that nothing waits for whoever reads for long.

    Attributes:
        meta, joins: the facts of the run and its symbols, as they were when it was opened.
    """

    numbered: tuple[tuple[str, str], ...] = (
        ("models", "position"), ("builds", "position"), ("commands", "position"),
    )  # fmt: skip
    """The tables whose rows have numbers without a hole, and the column of those."""

    path: Path
    meta: dict[str, str]
    version: int
    symbols: tuple[str, ...]
    joins: Joins
    tasks: tuple[Task, ...]

    def __init__(self, path: Path, *, follow: bool = False, apart: bool = False) -> None:
        self.path = path
        self._follows = follow
        with self._reading():
            self._db = connect_to_copy(path) if apart else connect_to_read(path)
        try:
            self._begin(follow)
        except BaseException:
            self._db.close()
            raise

    def _begin(self, follow: bool) -> None:
        """Read what kind of journal it is."""
        with self._reading():
            if not follow:
                self._db.execute("BEGIN")
            self.meta = dict(self._db.execute("SELECT key, value FROM meta"))
            odd = [pair for pair in self.meta.items() if not all(isinstance(x, str) for x in pair)]
            if odd:
                raise JournalError(f"{self.path}: table meta has {odd[0]!r}; restore a copy")
            self.version = self._told_version()
        try:
            self._made_with = tuple(self.meta["symbols"].split("\n"))
            self.tasks = tuple(_task(name) for name in self.meta["tasks"].split("\n"))
        except (KeyError, ValueError, TypeError) as error:
            raise JournalError(
                f"{self.path}: table meta has no sound symbols and tasks ({error}); restore a copy"
            ) from None
        self.joins = Joins.of(self._made_with, self.commands())
        self.symbols = self.joins.symbols

    @abstractmethod
    def _told_version(self) -> int:
        """Return the version of the record, made ready to be read."""

    @abstractmethod
    def _expected_shapes(self) -> Shapes:
        """Return the tables that the file of its version has."""

    def models(self) -> list[ModelRow]:
        """Return the run's schedule, oldest first."""
        rows = self._rows(
            "SELECT model_id, effective_from, due, late, manifest_sha256, position FROM models "
            "ORDER BY position"
        )
        odd = [row[3] for row in rows if row[3] not in (0, 1)]
        if odd:
            raise JournalError(f"{self.path}: table models has late = {odd[0]!r}; restore a copy")
        return [ModelRow(r[0], r[1], r[2], bool(r[3]), r[4], position=r[5]) for r in rows]

    def commands(self) -> list[CommandRow]:
        """Return what was asked of the run; nothing of a journal before version 4."""
        with self._reading():
            return command_rows(self._db)

    def builds(self) -> list[BuildRow]:
        """Return the stretches of the run; none of a journal of version 1."""
        with self._reading():
            return build_rows(self._db)

    def carried(self) -> Carried | None:
        """Return the engine's last committed state with its layout."""
        rows = self._rows("SELECT blob, layout, open_time FROM state")
        if not rows:
            return None
        blob, layout, open_time = rows[0]
        return Carried(unpacked(blob, self.path), layout, blob, open_time)

    def damage(self) -> Difference | None:
        """Return what is wrong with the file, though no span shows it."""
        fault = self._fault()
        if fault is None:
            return None
        return Difference(
            self.path.name, "integrity_check", None, symbol=None, stored=fault, replayed="ok"
        )

    def misshapen(self) -> Difference | None:
        """Return the first table that is not as a journal of its version has it."""
        with self._reading():
            found = table_shapes(self._db)
        expected = self._expected_shapes()
        for table in sorted({*found, *expected}):
            mine, wanted = found.get(table), expected.get(table)
            if mine != wanted:
                named = [sorted(each) if each is not None else MISSING for each in (mine, wanted)]
                return Difference(
                    table, "columns", None, symbol=None, stored=named[0], replayed=named[1]
                )
        return None

    def misnumbered(self) -> Difference | None:
        """Return the first hole in the numbers that the journal gives to rows."""
        for table, column in self.numbered:
            numbers = self._rows(f"SELECT {column} FROM {table} ORDER BY {column}")
            for k, (number,) in enumerate(numbers, start=1):
                if number != k:
                    return Difference(table, column, None, symbol=None, stored=number, replayed=k)
        return None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _fault(self) -> str | None:
        found = str(self._rows("PRAGMA integrity_check(1)")[0][0])
        return None if found == "ok" else found

    def _rows(self, query: str, *given: Any) -> list[Any]:
        with self._reading():
            return self._db.execute(query, given).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise JournalError(
                f"{self.path}: cannot be read ({error}); the file is no journal or is damaged"
            ) from error


def _task(name: str) -> Task:
    kind, _, horizon = name.rpartition("_")
    return Task(kind, int(horizon))

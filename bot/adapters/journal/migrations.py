"""Journals of earlier versions: taken over when a run goes on, and read as they are.

Owns what each version added. Rules: a version only adds, and says what older rows stand for, so that
no recorded value is ever computed anew; a migration is one transaction, and the old journal stays
beside it as `journal.db.vN`; reading changes nothing, it lays views over the old tables. A version's
entry never changes once runs have been made with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.journal import schema
from bot.adapters.journal.files import copy_of
from bot.adapters.record.tables import LATER_DECISION_VALUES
from bot.adapters.system.atomic_file import replacing
from bot.errors import JournalError

Shapes = dict[str, set[tuple[str, str, int]]]
"""Each table's columns: name, type, place in the key."""


@dataclass(frozen=True)
class Added:
    """A column that came later: its name, its declaration, and what older rows have, in SQL."""

    name: str
    declared: str
    older: str = "NULL"


@dataclass(frozen=True)
class Migration:
    """What a version added to the one before it.

    Attributes:
        columns: by table.
        tables: by name, the statement that makes each.
    """

    version: int
    columns: dict[str, tuple[Added, ...]]
    tables: dict[str, str]


def _of_bars(names: Sequence[str]) -> tuple[Added, ...]:
    return tuple(
        Added(name, schema.later_column(name), schema.in_older_rows(name)) for name in names
    )


MIGRATIONS = (
    Migration(
        2,
        {
            "bars": _of_bars(("funding_inside", "funding_inside_unknown", "refused")),
            "models": (Added("manifest_sha256", "TEXT"),),
            "state": (Added("layout", "INTEGER NOT NULL DEFAULT 1", "1"),),
        },
        {"builds": schema.BUILDS},
    ),
    Migration(3, {"decisions": tuple(Added(name, "REAL") for name in LATER_DECISION_VALUES)}, {}),
    Migration(
        4,
        {
            "bars": _of_bars(
                ("mark_high", "mark_low", "bid_size", "ask_size", "leaving", "settlement_price")
            )
        },
        {"commands": schema.COMMANDS},
    ),
    Migration(5, {"bars": _of_bars(("realised_variance",))}, {}),
)
"""In order; the last one's version is `schema.JOURNAL_VERSION`."""


def version_of(meta: dict[str, str], path: Path) -> int:
    """Return a journal's version.

    Raises:
        JournalError: this program does not know it.
    """
    told = meta.get("journal_version", "")
    version = int(told) if told.isdecimal() and told.isascii() else 0
    if not 1 <= version <= schema.JOURNAL_VERSION:
        raise JournalError(
            f"{path}: journal version {told or 'none'}, this program reads 1 to "
            f"{schema.JOURNAL_VERSION}; use the version of the bot that wrote it, or a newer one"
        )
    return version


def lay_views(db: sqlite3.Connection, version: int) -> None:
    """Let a connection that only reads see the tables of an old version as this one's."""
    db.execute("PRAGMA query_only = 0")  # which holds for what is temporary too
    added: dict[str, list[Added]] = {}
    for migration in _pending(version):
        for table, columns in migration.columns.items():
            added.setdefault(table, []).extend(columns)
        for statement in migration.tables.values():
            db.execute(statement.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))
    for table, later in added.items():
        if later:
            more = ", ".join(f"{each.older} AS {each.name}" for each in later)
            db.execute(f"CREATE TEMP VIEW {table} AS SELECT *, {more} FROM main.{table}")
    db.execute("PRAGMA query_only = 1")


def later_than(version: int) -> tuple[set[str], set[tuple[str, str]]]:
    """Return the tables, and the columns (table, name), that a version does not have yet."""
    tables, columns = set[str](), set[tuple[str, str]]()
    for migration in _pending(version):
        tables |= set(migration.tables)
        columns |= {(t, each.name) for t, added in migration.columns.items() for each in added}
    return tables, columns


def table_shapes(db: sqlite3.Connection) -> Shapes:
    """Return the tables of a file, and whatever else it has by a name of its own."""
    names = db.execute(
        "SELECT name, type FROM main.sqlite_schema WHERE name NOT LIKE 'sqlite_%'"
    ).fetchall()
    return {
        name: {(c[1], c[2], c[5]) for c in db.execute(f'PRAGMA main.table_info("{name}")')}
        if kind == "table"
        else {(kind, "", 0)}
        for name, kind in names
    }


def migrate(path: Path) -> int:
    """Bring a journal to this version; return the version it had.

    Raises:
        JournalError: it is of a version that this program does not know, or cannot be written.
    """
    try:
        with closing(sqlite3.connect(path.absolute(), isolation_level=None)) as db:
            meta = dict(db.execute("SELECT key, value FROM meta"))
            version = version_of(meta, path)
            if version == schema.JOURNAL_VERSION:
                return version
            _keep_copy(db, copy_of(path, version))
            db.execute("BEGIN IMMEDIATE")
            for statement in _statements(version):
                db.execute(statement)
            db.execute("COMMIT")
            return version
    except (sqlite3.Error, OSError) as error:
        raise JournalError(
            f"{path}: cannot be brought to version {schema.JOURNAL_VERSION} ({error}); it is as it "
            "was. Free disk space, end what locks it, or restore a copy; then start again"
        ) from error


def _statements(version: int) -> Iterator[str]:
    for migration in _pending(version):
        yield from migration.tables.values()
        for table, columns in migration.columns.items():
            for each in columns:
                yield f"ALTER TABLE {table} ADD COLUMN {each.name} {each.declared}"
    yield f"UPDATE meta SET value = '{schema.JOURNAL_VERSION}' WHERE key = 'journal_version'"


def _keep_copy(db: sqlite3.Connection, path: Path) -> None:
    with replacing(path) as temporary, closing(sqlite3.connect(temporary)) as copy:
        db.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


def _pending(version: int) -> Iterator[Migration]:
    return (migration for migration in MIGRATIONS if migration.version > version)

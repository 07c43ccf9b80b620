"""The table `commands`: what a person asked of the run, read and written."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

from bot.adapters.record.commands import CommandRow
from bot.adapters.record.tables import EARLIEST, LATEST
from bot.errors import JournalError
from bot.portfolio.hand import Command

COLUMNS = "id, kind, settings, asked_by, asked_ms, open_time, inside, refused"
KINDS = {
    "id": str, "kind": str, "settings": str, "asked_by": str, "asked_ms": int, "open_time": int,
    "inside": int, "refused": str | None,
}  # fmt: skip


def command_rows(
    db: sqlite3.Connection, first: int = EARLIEST, last: int = LATEST
) -> list[CommandRow]:
    """Return those that hold from bars of a span, in the order in which they were taken.

    Raises:
        JournalError: a value is of another kind than was written.
    """
    query = f"SELECT {COLUMNS}, position FROM commands WHERE open_time BETWEEN ? AND ? ORDER BY position"
    return [_checked(row) for row in db.execute(query, (first, last))]


def write_row(db: sqlite3.Connection, row: CommandRow) -> None:
    """Write a row behind the others."""
    values = (
        row.id, row.kind, row.settings, row.asked_by, row.asked_ms, row.open_time, int(row.inside),
        row.refused,
    )  # fmt: skip
    db.execute(f"INSERT INTO commands ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def _checked(row: tuple[object, ...]) -> CommandRow:
    for (name, kind), value in zip(KINDS.items(), row, strict=False):
        if not isinstance(value, kind) or (name == "inside" and value not in (0, 1)):
            raise JournalError(f"table commands: {name} of row {row[-1]} is {value!r}")
    found = CommandRow(*row)  # type: ignore[arg-type]
    if found.refused is None and found.kind not in list(Command):
        raise JournalError(f"table commands: row {row[-1]} is a '{found.kind}', which none can be")
    try:
        whole = isinstance(json.loads(found.settings), dict)
    except ValueError:
        whole = False
    if not whole:
        raise JournalError(f"table commands: settings of row {row[-1]} are {found.settings!r}")
    return replace(found, inside=bool(found.inside))

"""The table `builds`: what each build made, read and written."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import numpy.typing as npt

from bot.adapters.record.builds import BuildRow, present_row
from bot.adapters.record.chain import first_link
from bot.errors import JournalError


def build_rows(db: sqlite3.Connection) -> list[BuildRow]:
    """Return the rows, oldest first.

    Raises:
        JournalError: a value is of another kind than was written.
    """
    query = "SELECT position, closed, digest, made_by, layout, state, link FROM builds ORDER BY position"
    rows = [BuildRow(*row) for row in db.execute(query)]
    for row in rows:
        kinds = {"closed": int, "digest": str, "made_by": str, "layout": int, "state": bytes}
        for name, kind in {**kinds, "link": bytes}.items():
            value = getattr(row, name)
            if not isinstance(value, kind) and not (value is None and name in {"closed", "state"}):
                raise JournalError(f"table builds: {name} of row {row.position} is {value!r}")
    return rows


def write_build(
    db: sqlite3.Connection, previous: bytes, closed: int | None,
    arrays: Mapping[str, npt.NDArray[Any]] | None,
) -> bytes:  # fmt: skip
    """Write that the present build goes on from here; return the link that the next bar goes on from."""
    position = db.execute("SELECT coalesce(max(position), 0) + 1 FROM builds").fetchone()[0]
    meta = dict(db.execute("SELECT key, value FROM meta"))
    row = present_row(position, previous, closed, arrays, meta)
    db.execute("INSERT INTO builds VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(row))
    return row.link if row.is_seam else previous


def newest_link(db: sqlite3.Connection) -> bytes:
    """Return the link that the next bar's goes on from."""
    last = db.execute(
        "SELECT open_time, link FROM chain ORDER BY open_time DESC LIMIT 1"
    ).fetchone()
    if last is None:
        [made_with] = db.execute("SELECT value FROM meta WHERE key = 'symbols'").fetchone()
        last = None, first_link(made_with.split("\n"))
    closed, link = last
    seams = [row for row in build_rows(db) if row.is_seam and row.closed == closed]
    newest: bytes = seams[-1].link if seams else link
    return newest

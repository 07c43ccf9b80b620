"""Which form a record has: all in one SQLite file, row by row, or the tables of bars in columns."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bot.adapters.journal.columns_reader import ColumnReader
from bot.adapters.journal.opening import connect_to_read
from bot.adapters.journal.reader import JournalReader

FORM = "SELECT value FROM meta WHERE key = 'journal_version'"


def open_journal(
    path: Path, *, follow: bool = False, apart: bool = False
) -> JournalReader | ColumnReader:
    """Open a run's record to read it, as a context manager.

    Args:
        follow: see what is committed after it was opened; else all is of one instant.
        apart: read a copy, so that nothing waits for whoever reads for long.

    Raises:
        JournalError: there is none, or it is damaged or of another version.
    """
    if is_in_columns(path):
        return ColumnReader(path, follow=follow, apart=apart)
    return JournalReader(path, follow=follow, apart=apart)


def is_in_columns(path: Path) -> bool:
    """Return whether a record has columns; one that cannot be read is for its reader to refuse."""
    try:
        with closing(connect_to_read(path)) as db:
            [told] = db.execute(FORM).fetchone() or [""]
    except sqlite3.Error:
        return False
    return str(told).startswith("columns-")

"""The names of a journal's files in a run's folder: the one place that knows them.

Must not open any.
"""

from __future__ import annotations

from pathlib import Path

JOURNAL = "journal.db"
COLUMNS = "columns"
"""The folder beside it with the tables of bars, where a record keeps them in columns."""

OF_SQLITE = (f"{JOURNAL}-wal", f"{JOURNAL}-shm")
"""What SQLite keeps beside an open journal, or beside that of a killed process."""

COPIES = f"{JOURNAL}.v"
"""How the names of copies begin that were made before a newer version went on."""


def copy_of(journal: Path, version: int) -> Path:
    """Return where the journal as that version left it is kept.

    >>> copy_of(Path("runs/a/journal.db"), 2).name
    'journal.db.v2'
    """
    return journal.with_name(f"{journal.name}.v{version}")

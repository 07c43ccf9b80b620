"""A journal in memory, into which a replay is written by the code that wrote the first one.

Rule: it holds one span at a time, so that a replay of any length needs little memory. Must not
decide what is equal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from bot.adapters.journal import schema
from bot.adapters.journal.snapshot import EARLIEST, LATEST, Row, rows_query, table_columns
from bot.adapters.journal.writer import Journal
from bot.blocks import Task

TABLES = ("fills", "forecasts", "decisions", "ledger", "positions", "chain")
"""What a replay makes, in the order of cause and effect within a bar."""


class JournalTwin:
    """Take what a replay writes, and give it back row by row.

    Attributes:
        journal: where the replay is written.
    """

    def __init__(self, symbols: Sequence[str], tasks: Sequence[Task]) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.executescript(schema.TABLES)
        self._db.execute(schema.forecast_table(tasks))
        self._names = [task.name for task in tasks]
        self.journal = Journal(self._db, symbols)

    def rows(self, table: str) -> list[Row]:
        """Return the rows of a table, by key; fills in the order of booking."""
        query = rows_query(table, table_columns(table, self._names), EARLIEST, LATEST)
        return self._db.execute(query).fetchall()

    def clear(self) -> None:
        """Forget the rows; the chain goes on from the last link."""
        for table in ("bars", *TABLES):
            self._db.execute(f"DELETE FROM {table}")

    def close(self) -> None:
        """Free the memory."""
        self._db.close()

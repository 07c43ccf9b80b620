"""Reading a run's journal.db: a `Record` over SQLite, of a finished run or beside a daemon.

Rules: opened read-only; everything is read in one transaction, so that all tables are of the same
instant, unless it follows the writer; what is read is given as rows and arrays, never as a
connection. Must not write, repair or judge: a damaged file is refused by name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

import numpy as np

from bot.adapters.journal import schema
from bot.adapters.journal.facts_reader import FactsReader
from bot.adapters.journal.migrations import (
    Shapes,
    later_than,
    lay_views,
    table_shapes,
    version_of,
)
from bot.adapters.record.arrays import RowsAsArrays
from bot.adapters.record.contents import Span
from bot.adapters.record.tables import EARLIEST, LATEST, Row, Table, columns_of
from bot.blocks import I64
from bot.plausibility import Prices

SLICE_ROWS = 20_000
"""Rows that a reader which follows reads at once: tens of milliseconds, and a WAL is never held longer."""


class JournalReader(FactsReader, RowsAsArrays):
    """Read a run's journal.

    Args:
        follow: see what is committed after it was opened. It holds no transaction between two
            calls, and reads long spans in several, so that it may stay open beside a daemon.
    """

    numbered = (("fills", "id"), *FactsReader.numbered)

    def rows(self, table: Table, after: int = EARLIEST, to: int = LATEST) -> list[Row]:
        """Return the rows of a span, by key; fills in the order of booking."""
        if not self._follows:
            return self._rows(self._query(table), after, to)
        found: list[Row] = []
        while part := self.first_rows(table, after, to, SLICE_ROWS):
            found += part
            after = part[-1][0]
        return found

    def first_rows(
        self, table: Table, after: int, to: int, most: int, names: Sequence[str] | None = None
    ) -> list[Row]:
        """Return the first rows of a span: whole bars, `most` rows in all or a single bar's."""
        query = self._query(table, names, fills_by="open_time, id")
        rows = self._rows(f"{query} LIMIT {most + 1}", after, to)
        if len(rows) <= most:
            return rows
        cut = rows[-1][0]
        return [row for row in rows if row[0] < cut] or self._rows(query, cut - 1, cut)

    def _query(self, table: Table, names: Sequence[str] | None = None, fills_by: str = "id") -> str:
        listed = ", ".join(f'"{name}"' for name in names or columns_of(table, self.tasks))
        order = {"fills": fills_by, "ledger": "open_time", "chain": "open_time"}
        known = ""
        if self._follows and "symbol" in columns_of(table, self.tasks):
            # what has joined since it was opened is left out
            there = ", ".join("'" + name.replace("'", "''") + "'" for name in self.symbols)
            known = f"AND symbol IN ({there}) "
        return (
            f"SELECT {listed} FROM {table} WHERE open_time > ? AND open_time <= ? {known}"
            f"ORDER BY {order.get(table, 'open_time, symbol')}"
        )

    def span(self, table: Table) -> Span:
        """Return how many rows a table has, and from when to when."""
        count = f"SELECT count(*), min(open_time), max(open_time) FROM {table}"
        return Span(*self._rows(count)[0])

    def bar_times(self) -> I64:
        """Return the open times that any symbol has a bar row of, int64[n], oldest first."""
        return self._times("bars")

    def ledger_times(self) -> I64:
        """Return the open times of the ledger, int64[n], oldest first."""
        return self._times("ledger")

    def last_prices(self) -> Prices:
        """Return what the next candles are held against."""
        prices = Prices.unknown(len(self.symbols))
        for s, symbol in enumerate(self.symbols):
            close = self._newest("close", "valid = 1", symbol)
            since = EARLIEST if close is None else close[0]
            refused = self._newest("refused", f"open_time > {since} AND refused NOTNULL", symbol)
            prices.last[s] = np.nan if close is None else close[1]
            prices.refused[s] = np.nan if refused is None else refused[1]
        return prices

    def _told_version(self) -> int:
        version = version_of(self.meta, self.path)
        lay_views(self._db, version)
        return version

    def _fault(self) -> str | None:
        found = super()._fault()
        if found is not None:
            return found
        for table in ("bars", "fills", "forecasts", "decisions", "positions"):
            odd = f"SELECT count(*) FROM {table} WHERE typeof(open_time) != 'integer'"
            if self._rows(odd)[0][0]:
                return f"table {table} has a row whose open_time is no number"
        return None

    def _expected_shapes(self) -> Shapes:
        """Return the tables that a journal of its version has."""
        with closing(sqlite3.connect(":memory:")) as new:
            new.executescript(schema.TABLES)
            new.execute(schema.forecast_table(self.tasks))
            expected = table_shapes(new)
        tables, columns = later_than(self.version)
        for table in tables:
            del expected[table]
        for table, name in columns:
            if table in expected:
                expected[table] = {each for each in expected[table] if each[0] != name}
        return expected

    def _times(self, table: Table) -> I64:
        whole = "typeof(open_time) = 'integer'"
        rows = self._rows(
            f"SELECT DISTINCT open_time FROM {table} WHERE {whole} ORDER BY open_time"
        )
        return np.array([row[0] for row in rows], dtype=np.int64)

    def _newest(self, column: str, where: str, symbol: str) -> tuple[int, float] | None:
        rows = self._rows(
            f"SELECT open_time, {column} FROM bars WHERE symbol = ? AND {where} "
            "ORDER BY open_time DESC LIMIT 1",
            symbol,
        )
        return rows[0] if rows else None

"""One state of a journal, read in spans of time, while a daemon may be writing on.

Rules: everything is read in one transaction, so all tables are of the same instant; a span goes
from after one time to another, inclusive, so that spans one after the other leave nothing out, rows
of impossible times included. Rows are given as they are stored. Must not judge them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from bot.adapters.journal import schema
from bot.adapters.journal.migrations import Shapes, table_shapes
from bot.adapters.journal.reader import JournalReader
from bot.adapters.journal.rows import FILL_REASON
from bot.blocks import F64, FILL, I64, BarBlock
from bot.errors import JournalError
from bot.portfolio.trace import Phase, Trace, blank_trace

Row = tuple[Any, ...]
EARLIEST, LATEST = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class Extent:
    """The ledger's bars, its first and last open time, and the equity at the last close."""

    bars: int
    first: int
    last: int
    equity: float


class JournalSnapshot(JournalReader):
    """Read one state of a journal, as a context manager."""

    def _begin(self) -> None:
        with self._reading():
            self._db.execute("BEGIN")
        super()._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def columns(self, table: str) -> tuple[str, ...]:
        """Return what is compared of a table: its columns, keys first, but for the order of fills."""
        return table_columns(table, [task.name for task in self.tasks])

    def bar_times(self) -> I64:
        """Return the open times that any symbol has a bar row of, int64[n], oldest first."""
        return self._times("bars")

    def rows(self, table: str, after: int, to: int) -> list[Row]:
        """Return the rows of a span, by key; fills in the order of booking."""
        return self._rows(rows_query(table, self.columns(table), after, to))

    def ledger_blocks(self, n_bars: int = 4096) -> Iterator[tuple[I64, Trace]]:
        """Yield the ledger, its positions and fills as the traces that were booked.

        Raises:
            JournalError: a row names an unknown symbol, reason or bar.
        """
        times, after = self._times("ledger"), EARLIEST
        for start in range(0, len(times), n_bars):
            part = times[start : start + n_bars]
            yield part, self._trace(part, after)
            after = int(part[-1])

    def extent(self) -> Extent | None:
        """Return how far the ledger goes, None before its first bar."""
        count = "SELECT count(*), min(open_time), max(open_time) FROM ledger"
        bars, first, last = self._rows(count)[0]
        if not bars:
            return None
        equity = self._rows(f"SELECT equity FROM ledger WHERE open_time = {last}")[0][0]
        return Extent(bars, first, last, equity)

    def span(self, table: str) -> tuple[int, int | None, int | None]:
        """Return a table's number of rows, and its first and last open time; None where empty."""
        count = f"SELECT count(*), min(open_time), max(open_time) FROM {table}"
        rows, first, last = self._rows(count)[0]
        return rows, first, last

    def state_bar(self) -> int | None:
        """Return the bar that the committed state says it is of, None before the first commit."""
        rows = self._rows("SELECT open_time FROM state")
        return rows[0][0] if rows else None

    def numbers(self, table: str, column: str) -> list[Any]:
        """Return a table's own numbering, in order."""
        return [row[0] for row in self._rows(f"SELECT {column} FROM {table} ORDER BY {column}")]

    def shapes(self) -> Shapes:
        """Return the tables of the file as it is, whatever its version."""
        with self._reading():
            return table_shapes(self._db)

    def faults(self) -> str | None:
        """Return what is wrong with the file, though no span shows it; None where it is sound."""
        found = str(self._rows("PRAGMA integrity_check(1)")[0][0])
        if found != "ok":
            return found
        for table in ("bars", "fills", "forecasts", "decisions", "positions"):
            odd = f"SELECT count(*) FROM {table} WHERE typeof(open_time) != 'integer'"
            if self._rows(odd)[0][0]:
                return f"table {table} has a row whose open_time is no number"
        return None

    def _times(self, table: str) -> I64:
        whole = "typeof(open_time) = 'integer'"
        rows = self._rows(
            f"SELECT DISTINCT open_time FROM {table} WHERE {whole} ORDER BY open_time"
        )
        return np.array([row[0] for row in rows], dtype=np.int64)

    def _trace(self, times: I64, after: int) -> Trace:
        to = int(times[-1])
        trace = blank_trace(Phase.BOTH, len(times), len(self.symbols))
        trace.quantity[:] = 0.0
        code = {name: number for number, name in FILL_REASON.items()}
        try:
            rows = self.rows("ledger", after, to)
            for k, name in enumerate(schema.LEDGER_VALUES):
                getattr(trace, name)[:] = [row[1 + k] for row in rows]
            for time, symbol, quantity in self.rows("positions", after, to):
                trace.quantity[np.searchsorted(times, time), self._index[symbol]] = quantity
            fills = [
                (row[0], self._index[row[1]], *row[2:7], code[row[7]])
                for row in self.rows("fills", after, to)
            ]
            return trace._replace(fills=np.array(fills, dtype=FILL))
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise JournalError(
                f"{self.path}: the ledger, its positions or fills hold what is none: {error!r}"
            ) from None


def table_columns(table: str, tasks: list[str]) -> tuple[str, ...]:
    """Return the columns of a table that a replay must make again, keys first."""
    by_symbol = ("open_time", "symbol")
    return {
        "bars": (*by_symbol, *schema.BAR_COLUMNS, "row_hash"),
        "fills": (*by_symbol, "quantity", "price", "fee", "spread", "slippage", "reason"),
        "forecasts": (*by_symbol, "model_id", *tasks),
        "decisions": (*by_symbol, "signal", "weight", "order_quantity", "refusal"),
        "ledger": ("open_time", *schema.LEDGER_VALUES),
        "positions": (*by_symbol, "quantity"),
        "chain": ("open_time", "link"),
    }[table]


def rows_query(table: str, columns: tuple[str, ...], after: int, to: int) -> str:
    """Return the query for the rows of a span, in the order that a comparison needs."""
    names = ", ".join(f'"{name}"' for name in columns)
    order = {"fills": "id", "ledger": "open_time", "chain": "open_time"}
    return (
        f"SELECT {names} FROM {table} WHERE open_time > {after} AND open_time <= {to} "
        f"ORDER BY {order.get(table, 'open_time, symbol')}"
    )


def bar_block(times: I64, matrix: F64) -> BarBlock:
    """Return the bars that `journal_schema.bar_matrix` made float64[n, S, values + flags] of."""
    columns: dict[str, Any] = {
        name: matrix[:, :, k].copy() for k, name in enumerate(schema.BAR_COLUMNS)
    }
    for name in schema.BAR_FLAGS:
        columns[name] = columns[name] != 0.0
    columns["tradable"] = columns["tradable"].all(axis=1)
    return BarBlock(open_time=times, **columns)

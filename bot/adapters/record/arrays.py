"""Rows as arrays: what a record that is stored row by row gives its readers.

Rules: a cell that no row stands for is NaN, zero in a position; a row that belongs to no bar, symbol
or reason is damage, and is refused by table. Must not know how rows are stored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bot.adapters.record.contents import Carried, Extent, ModelRow, Span
from bot.adapters.record.joins import Joins
from bot.adapters.record.tables import (
    BAR_COLUMNS,
    BAR_FLAGS,
    DECISION_VALUES,
    EARLIEST,
    LATER_DECISION_VALUES,
    LATEST,
    LEDGER_VALUES,
    Row,
    Table,
    columns_of,
)
from bot.blocks import F64, FILL, I64, Arrays, BarBlock, Task
from bot.errors import JournalError
from bot.plausibility import Prices
from bot.portfolio.reasons import FILL_REASON_CODE, REFUSAL_CODE
from bot.portfolio.trace import Phase, Trace, blank_trace

_NO_ROW = (ValueError, TypeError, IndexError, OverflowError)


class RowsAsArrays(ABC):
    """Make arrays of the rows that a subclass gives; a context manager that closes it."""

    path: Path
    symbols: tuple[str, ...]
    joins: Joins
    tasks: tuple[Task, ...]

    @abstractmethod
    def rows(self, table: Table, after: int = EARLIEST, to: int = LATEST) -> Sequence[Row]:
        """Return the rows of a span, by key; fills in the order of booking."""

    def first_rows(
        self, table: Table, after: int, to: int, most: int, names: Sequence[str] | None = None
    ) -> Sequence[Row]:
        """Return the first rows of a span: whole bars, `most` rows in all or a single bar's."""
        rows = self.rows(table, after, to)
        if len(rows) > most:
            cut = rows[most][0]
            whole = [row for row in rows if row[0] < cut]
            rows = whole or [row for row in rows if row[0] == cut]
        if names is None:
            return rows
        places = [columns_of(table, self.tasks).index(name) for name in names]
        return [tuple(row[k] for k in places) for row in rows]

    @abstractmethod
    def models(self) -> list[ModelRow]:
        """Return the run's schedule, oldest first."""

    @abstractmethod
    def carried(self) -> Carried | None:
        """Return the engine's last committed state with its layout."""

    @abstractmethod
    def span(self, table: Table) -> Span:
        """Return how many rows a table has, and from when to when."""

    def extent(self) -> Extent | None:
        """Return how far the ledger goes, None before its first bar."""
        ledger = self.span("ledger")
        if ledger.first is None or ledger.last is None:
            return None
        equity = self.ledger(ledger.last - 1, ledger.last)[1]["equity"]
        return Extent(ledger.rows, ledger.first, ledger.last, float(equity[-1]))

    def left_over(self) -> Sequence[str]:
        """Return none: rows have no files of their own."""
        return ()

    @abstractmethod
    def close(self) -> None:
        """Let go of what it is stored in."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def bars(self, after: int = EARLIEST, to: int = LATEST) -> BarBlock:
        """Return bars as seen, oldest first."""
        rows = self.rows("bars", after, to)
        with self._laying("bars"):
            times = np.unique(np.array([row[0] for row in rows], dtype=np.int64))
            shape = (len(times), len(self.symbols))
            if len(rows) != shape[0] * shape[1]:
                raise JournalError(
                    f"{self.path}: table bars has {len(rows)} rows for {shape[0]} bars of "
                    f"{shape[1]} symbols; the file is damaged"
                )
            cells = self._cells("bars", times, rows)
            columns: dict[str, Any] = {}
            for k, name in enumerate(BAR_COLUMNS):
                kind = np.bool_ if name in BAR_FLAGS else np.float64
                column: npt.NDArray[Any] = np.empty(shape, dtype=kind)
                column[cells] = np.array([row[2 + k] for row in rows], dtype=kind)
                columns[name] = column
        columns["tradable"] = columns["tradable"].all(axis=1)
        return BarBlock(open_time=times, **columns)

    def ledger(self, after: int = EARLIEST, to: int = LATEST) -> tuple[I64, dict[str, F64]]:
        """Return the open times of the ledger and its columns, each float64[n]."""
        rows = self.rows("ledger", after, to)
        with self._laying("ledger"):
            times = np.array([row[0] for row in rows], dtype=np.int64)
            return times, {
                name: np.array([row[1 + k] for row in rows], dtype=np.float64)
                for k, name in enumerate(LEDGER_VALUES)
            }

    def positions(self, times: I64) -> F64:
        """Return the quantity held after each close, float64[n, S]."""
        out = np.zeros((len(times), len(self.symbols)))
        rows = self._rows_of("positions", times)
        with self._laying("positions"):
            out[self._cells("positions", times, rows)] = [row[2] for row in rows]
        return out

    def decisions(self, times: I64) -> tuple[dict[str, F64], I64]:
        """Return what was decided by column, float64[n, S], and refusal codes int64[n, S]."""
        shape = (len(times), len(self.symbols))
        columns = {
            name: np.full(shape, np.nan) for name in (*DECISION_VALUES, *LATER_DECISION_VALUES)
        }
        refusals = np.zeros(shape, dtype=np.int64)
        rows = self._rows_of("decisions", times)
        with self._laying("decisions"):
            cells = self._cells("decisions", times, rows)
            places = columns_of("decisions", self.tasks)
            for name, column in columns.items():
                at = places.index(name)
                column[cells] = np.array([row[at] for row in rows], dtype=np.float64)
            refusals[cells] = [
                self._code(REFUSAL_CODE, "decisions", "refusal", row[5]) for row in rows
            ]
        return columns, refusals

    def forecasts(self, times: I64) -> tuple[F64, I64]:
        """Return forecasts float64[n, S, K], and the index of the model in the schedule int64[n]."""
        value = np.full((len(times), len(self.symbols), len(self.tasks)), np.nan)
        model = np.full(len(times), -1, dtype=np.int64)
        rows = self._rows_of("forecasts", times)
        if rows:
            with self._laying("forecasts"):
                cells = self._cells("forecasts", times, rows)
                value[cells] = np.array([row[3:] for row in rows], dtype=np.float64)
        for position, row in enumerate(self.models()):
            model[times >= row.effective_from] = position
        return value, model

    def fills(self, after: int = EARLIEST, to: int = LATEST) -> npt.NDArray[np.void]:
        """Return the fills as FILL records, in the order of booking."""
        rows = self.rows("fills", after, to)
        with self._laying("fills"):
            which = self._which("fills", rows)
            codes = [self._code(FILL_REASON_CODE, "fills", "reason", row[7]) for row in rows]
            return np.array(
                [
                    (row[0], s, *row[2:7], code)
                    for row, s, code in zip(rows, which.tolist(), codes, strict=True)
                ],
                FILL,
            )

    def last_prices(self) -> Prices:
        """Return what the next candles are held against."""
        prices, bars = Prices.unknown(len(self.symbols)), self.bars()
        for s in range(len(self.symbols)):
            valid = np.flatnonzero(bars.valid[:, s])
            refused = bars.refused[valid[-1] + 1 :, s] if len(valid) else bars.refused[:, s]
            refused = refused[~np.isnan(refused)]
            prices.last[s] = bars.close[valid[-1], s] if len(valid) else np.nan
            prices.refused[s] = refused[-1] if len(refused) else np.nan
        return prices

    def ledger_blocks(self, n_bars: int = 4096) -> Iterator[tuple[I64, Trace]]:
        """Yield the ledger, its positions and fills as the traces that were booked.

        What no table has is blank in them: weights, orders and refusals; unknown funding and what was paid
        in coin are 0.

        Raises:
            JournalError: a row names an unknown symbol, reason or bar.
        """
        times, after = self.ledger_times(), EARLIEST
        for start in range(0, len(times), n_bars):
            part = times[start : start + n_bars]
            to = int(part[-1])
            trace = blank_trace(Phase.BOTH, len(part), len(self.symbols), edges=True)
            _, columns = self.ledger(after, to)
            for name, column in columns.items():
                getattr(trace, name)[:] = column
            trace.quantity[:] = self.positions(part)
            trace.funding_unknown[:] = 0
            trace.in_coin[:] = 0.0
            yield part, trace._replace(fills=self.fills(after, to))
            after = to

    @abstractmethod
    def ledger_times(self) -> I64:
        """Return the open times of the ledger, int64[n], oldest first."""

    def links(self, after: int = EARLIEST, to: int = LATEST) -> tuple[I64, list[bytes]]:
        """Return the open times and links of the hash chain."""
        rows = self.rows("chain", after, to)
        return np.array([row[0] for row in rows], dtype=np.int64), [row[1] for row in rows]

    def state(self) -> Arrays | None:
        """Return the engine's last committed state as arrays, or None before the first commit."""
        carried = self.carried()
        return None if carried is None else carried.arrays

    def _rows_of(self, table: Table, times: I64) -> Sequence[Row]:
        """Return the rows from the first of these bars to the last."""
        return self.rows(table, int(times[0]) - 1, int(times[-1])) if len(times) else ()

    def _cells(self, table: Table, times: I64, rows: Sequence[Row]) -> tuple[I64, I64]:
        told = np.array([row[0] for row in rows], dtype=np.int64)
        return self._bars_of(table, times, told), self._which(table, rows)

    def _bars_of(self, table: Table, times: I64, told: I64) -> I64:
        """Return which of the bars rows of these open times are of."""
        at = np.searchsorted(times, told).astype(np.int64)
        odd = np.flatnonzero(times[at] != told)
        if len(odd):
            raise JournalError(
                f"{self.path}: table {table} has a row of {told[odd[0]]}, where there is no bar; the "
                "file is damaged"
            )
        return at

    def _which(self, table: Table, rows: Sequence[Row]) -> I64:
        index = {name: s for s, name in enumerate(self.symbols)}
        try:
            return np.array([index[row[1]] for row in rows], dtype=np.int64)
        except KeyError as error:
            raise JournalError(
                f"{self.path}: table {table} has the unknown symbol {error}; the file is damaged"
            ) from None

    def _code(self, codes: dict[Any, int], table: Table, field: str, name: Any) -> int:
        if name not in codes:
            raise JournalError(
                f"{self.path}: table {table} has the unknown {field} {name!r}; the file is damaged"
            )
        return codes[name]

    @contextmanager
    def _laying(self, table: Table) -> Iterator[None]:
        try:
            yield
        except _NO_ROW as error:
            raise JournalError(
                f"{self.path}: table {table} holds what is none of its values ({error}); restore a "
                "copy"
            ) from None

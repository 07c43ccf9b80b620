"""Columns as arrays: what a record that is stored column by column gives its readers.

Rules: the same cells, and the same damage refused in the same words, as `arrays` gives of rows; no row
is made but where rows are asked for. Must not know how columns are stored.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.adapters.record.arrays import RowsAsArrays
from bot.adapters.record.columns import Columns, Texts, kind_of, rows_of, stored_columns
from bot.adapters.record.tables import (
    BAR_COLUMNS,
    DECISION_VALUES,
    EARLIEST,
    LATER_DECISION_VALUES,
    LATEST,
    LEDGER_VALUES,
    Row,
    Table,
)
from bot.blocks import F64, FILL, I64, BarBlock
from bot.errors import JournalError


class ColumnsAsArrays(RowsAsArrays):
    """Make arrays, and rows where asked, of the columns that a subclass gives."""

    @property
    @abstractmethod
    def texts(self) -> Texts:
        """Return the texts behind the codes in columns."""

    @abstractmethod
    def columns(
        self, table: Table, after: int = EARLIEST, to: int = LATEST,
        names: Sequence[str] | None = None, most: int | None = None,
    ) -> Columns:  # fmt: skip
        """Return the rows of a span by column, by key; fills in the order of booking.

        Args:
            names: the columns wanted; None for all.
            most: as many of the first rows are enough.
        """

    @abstractmethod
    def check_seals(self) -> None:
        """Read every column.

        Raises:
            JournalError: one is not as it was sealed.
        """

    def rows(self, table: Table, after: int = EARLIEST, to: int = LATEST) -> list[Row]:
        """Return the rows of a span, by key; none of the chain, which a record by row has."""
        if table == "chain":
            return []
        return rows_of(table, self.columns(table, after, to), self.texts, self.tasks)

    def first_rows(
        self, table: Table, after: int, to: int, most: int, names: Sequence[str] | None = None
    ) -> list[Row]:
        """Return the first rows of a span: whole bars, `most` rows in all or a single bar's."""
        if table == "chain":
            return []
        kept = (
            None if names is None else [n for n in stored_columns(table, self.tasks) if n in names]
        )
        found = self.columns(table, after, to, kept, most + 1)
        times = found["open_time"]
        stop = len(times)
        if stop > most:
            cut = times[most]
            stop = int(np.searchsorted(times, cut)) or int(np.searchsorted(times, cut, "right"))
        part = {name: column[:stop] for name, column in found.items()}
        return rows_of(table, part, self.texts, self.tasks, names)

    def bars(self, after: int = EARLIEST, to: int = LATEST) -> BarBlock:
        """Return bars as seen, oldest first."""
        found = self.columns("bars", after, to)
        order = self.texts.order
        S, rows = len(order), len(found["open_time"])
        times = distinct(found["open_time"])
        if rows != len(times) * S or not np.array_equal(
            found["symbol"], np.tile(order, len(times))
        ):
            raise JournalError(
                f"{self.path}: table bars has {rows} rows for {len(times)} bars of {S} symbols; the "
                "file is damaged"
            )
        back = np.argsort(order)
        columns: dict[str, Any] = {
            name: np.ascontiguousarray(found[name].reshape(-1, S)[:, back]) for name in BAR_COLUMNS
        }
        columns["tradable"] = columns["tradable"].all(axis=1)
        return BarBlock(open_time=times, **columns)

    def ledger(self, after: int = EARLIEST, to: int = LATEST) -> tuple[I64, dict[str, F64]]:
        """Return the open times of the ledger and its columns, each float64[n]."""
        found = self.columns("ledger", after, to)
        return found["open_time"], {name: found[name] for name in LEDGER_VALUES}

    def positions(self, times: I64) -> F64:
        """Return the quantity held after each close, float64[n, S]."""
        return self._laid("positions", times, ("quantity",), empty=0.0)["quantity"]

    def decisions(self, times: I64) -> tuple[dict[str, F64], I64]:
        """Return what was decided by column, float64[n, S], and refusal codes int64[n, S]."""
        names = (*DECISION_VALUES, *LATER_DECISION_VALUES)
        laid = self._laid("decisions", times, (*names, "refusal"))
        return {name: laid[name] for name in names}, laid["refusal"]

    def forecasts(self, times: I64) -> tuple[F64, I64]:
        """Return forecasts float64[n, S, K], and the index of the model in the schedule int64[n]."""
        names = [task.name for task in self.tasks]
        laid = self._laid("forecasts", times, names)
        value = np.stack([laid[name] for name in names], axis=2)
        model = np.full(len(times), -1, dtype=np.int64)
        for position, row in enumerate(self.models()):
            model[times >= row.effective_from] = position
        return value, model

    def fills(self, after: int = EARLIEST, to: int = LATEST) -> npt.NDArray[np.void]:
        """Return the fills as FILL records, in the order of booking."""
        found = self.columns("fills", after, to)
        fills = np.empty(len(found["open_time"]), dtype=FILL)
        for name, column in found.items():
            fills[name] = column
        return fills

    def ledger_times(self) -> I64:
        """Return the open times of the ledger, int64[n], oldest first."""
        return self.columns("ledger", names=("open_time",))["open_time"]

    def bar_times(self) -> I64:
        """Return the open times that any symbol has a bar row of, int64[n], oldest first."""
        return distinct(self.columns("bars", names=("open_time",))["open_time"])

    def _laid(
        self, table: Table, times: I64, names: Sequence[str], empty: float = np.nan
    ) -> dict[str, npt.NDArray[Any]]:
        """Return columns by bar and symbol, [n, S]; a code is 0 where there is no row."""
        shape = len(times), len(self.symbols)
        laid = {
            name: np.zeros(shape, np.int64) if kind_of(name) is np.int64 else np.full(shape, empty)
            for name in names
        }
        if len(times):
            wanted = ("open_time", "symbol", *names)
            found = self.columns(table, int(times[0]) - 1, int(times[-1]), wanted)
            with self._laying(table):
                cells = self._bars_of(table, times, found["open_time"]), found["symbol"]
                for name, values in laid.items():
                    values[cells] = found[name]
        return laid


def distinct(times: I64) -> I64:
    """Return each of the times once; they are in order."""
    return times[np.concatenate([[True], times[1:] != times[:-1]])] if len(times) else times

"""A record in memory: what the engine hands over is kept, and given back as rows when asked.

It is written like a journal, and holds what was written since it was cleared, so that a replay of any
length needs little memory. Rules: the rows are made by the code that makes a journal's; NaN is None
in them. Must not decide what is equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.adapters.record.arrays import RowsAsArrays
from bot.adapters.record.builds import BuildRow, present_row
from bot.adapters.record.chain import chain_links, first_link, row_hashes
from bot.adapters.record.columns import (
    Columns,
    Texts,
    decision_columns,
    fill_columns,
    forecast_columns,
    joined_columns,
    ledger_columns,
    position_columns,
    stored_columns,
)
from bot.adapters.record.commands import CommandRow
from bot.adapters.record.contents import Carried, ModelRow, Span, packed
from bot.adapters.record.difference import Difference
from bot.adapters.record.joins import Joins
from bot.adapters.record.rows import (
    bar_rows,
    chain_rows,
    decision_rows,
    fill_rows,
    forecast_rows,
    ledger_rows,
    position_rows,
)
from bot.adapters.record.tables import EARLIEST, LATEST, Row, Table, bar_matrix
from bot.blocks import F64, FILL, I64, BarBlock, Task
from bot.engine import StepResult
from bot.engine_state import STATE_LAYOUT, Activation
from bot.portfolio.trace import Trace

_KEYED = {"bars", "forecasts", "decisions", "positions"}
"""Tables with a row a symbol, which are given by bar and symbol."""


class MemoryRecord(RowsAsArrays):
    """Take what a run writes, and read as its record.

    Args:
        sealed: False: no hashes are made, so there are no rows of bars and none of the chain; for a
            replay that is compared column by column.
    """

    version = 5

    def __init__(
        self, symbols: Sequence[str], tasks: Sequence[Task], meta: Mapping[str, str] | None = None,
        *, sealed: bool = True,
    ) -> None:  # fmt: skip
        self.path = Path(":memory:")
        self.joins = Joins(tuple(symbols), len(symbols))
        self.symbols, self.tasks = self.joins.symbols, tuple(tasks)
        self.meta = dict(meta or {})
        self._sealed = sealed
        self._link = first_link(symbols)
        self._made_with = tuple(symbols)
        self._builds = [present_row(1, self._link, None, None, self.meta)]
        self._models: list[ModelRow] = []
        self._commands: list[CommandRow] = []
        self._carried: Carried | None = None
        self.clear()

    def clear(self) -> None:
        """Forget the rows; the chain goes on from the last link."""
        self._bars: list[tuple[BarBlock, F64, I64]] = []
        self._fills: list[npt.NDArray[np.void]] = []
        self._closed: list[tuple[StepResult, tuple[Activation, ...]]] = []
        self._links: list[tuple[int, bytes]] = []

    # Writing, as a journal is written

    def write_bars(self, block: BarBlock) -> None:
        """Write bars as seen, in place of an earlier sight of the same bars."""
        self._write_bars(block)

    def _write_bars(self, block: BarBlock) -> I64:
        matrix = bar_matrix(block)
        hashes = row_hashes(block.open_time, matrix)
        self._bars.append((block, matrix, hashes))
        return hashes

    def write_fills(self, fills: npt.NDArray[np.void]) -> None:
        """Write fills in the order of booking."""
        self._fills.append(fills)

    def write_open(self, block: BarBlock, trace: Trace) -> None:
        """Write the open of one bar: its row as seen so far, and the fills."""
        self.write_bars(block)
        self.write_fills(trace.fills)

    def write_close(
        self, result: StepResult, schedule: Sequence[Activation], *, opened: bool = False
    ) -> None:
        """Write closed bars; `opened` where the first one's open was written before."""
        earlier = self._booked(int(result.bars.open_time[0])) if opened else np.empty(0, FILL)
        self.write_fills(result.trace.fills)
        self._closed.append((result, tuple(schedule)))
        if not self._sealed:
            return
        hashes = self._write_bars(result.bars)
        fills = np.concatenate([earlier, result.trace.fills])
        content = chain_rows(result, hashes, fills, self._commands)
        links = chain_links(self._link, content)
        self._link = links[-1]
        self._links += zip(result.bars.open_time.tolist(), links, strict=True)

    def write_activation(self, activation: Activation, due: int | None, *, late: bool) -> None:
        """Write that a model decides from a bar on."""
        place = len(self._models) + 1
        row = ModelRow(
            activation.model_id, activation.effective_from, due, late=late, position=place
        )
        self._models.append(row)

    def write_command(self, command: CommandRow) -> None:
        """Write what a person asked, before the bar from which it holds is closed."""
        self._commands.append(replace(command, position=len(self._commands) + 1))
        self.joins = Joins.of(self._made_with, self._commands)
        self.symbols = self.joins.symbols

    def write_state(self, open_time: int, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write the engine's state in place of the one before."""
        self._carried = Carried(dict(arrays), STATE_LAYOUT, packed(arrays), open_time)

    def join(self, link: bytes) -> None:
        """Go on from this link, as a replay does behind a seam."""
        self._link = link

    # Reading

    def rows(self, table: Table, after: int = EARLIEST, to: int = LATEST) -> list[Row]:
        """Return the rows of a span, by key; fills in the order of booking."""
        made = (_stored(row) for row in self._made(table) if after < row[0] <= to)
        if table not in _KEYED:
            return list(made)
        newest = {row[:2]: row for row in made}
        return [newest[key] for key in sorted(newest)]

    def columns(self, table: Table, texts: Texts) -> Columns:
        """Return the rows of a table that a replay makes by column, as they lie in a record.

        Args:
            texts: behind the codes.
        """
        make: dict[Table, Callable[[], list[Columns]]] = {
            "fills": lambda: [fill_columns(each) for each in self._fills],
            "forecasts": lambda: [forecast_columns(*each, texts) for each in self._closed],
            "decisions": lambda: [decision_columns(each, texts) for each, _ in self._closed],
            "ledger": lambda: [ledger_columns(each) for each, _ in self._closed],
            "positions": lambda: [position_columns(each, texts) for each, _ in self._closed],
        }
        return joined_columns(make[table](), stored_columns(table, self.tasks))

    def span(self, table: Table) -> Span:
        """Return how many rows a table has, and from when to when."""
        times = [row[0] for row in self.rows(table)]
        return Span(len(times), min(times, default=None), max(times, default=None))

    def bar_times(self) -> I64:
        """Return the open times that there is a bar of, int64[n], oldest first."""
        found = [block.open_time for block, _, _ in self._bars]
        return np.unique(np.concatenate([np.empty(0, np.int64), *found]))

    def ledger_times(self) -> I64:
        """Return the open times of the ledger, int64[n], oldest first."""
        found = [result.bars.open_time for result, _ in self._closed]
        return np.concatenate([np.empty(0, np.int64), *found])

    def models(self) -> list[ModelRow]:
        """Return the schedule, oldest first."""
        return list(self._models)

    def commands(self) -> list[CommandRow]:
        """Return what was asked of the run, in the order in which it was taken."""
        return list(self._commands)

    def builds(self) -> list[BuildRow]:
        """Return the one stretch there is."""
        return list(self._builds)

    def carried(self) -> Carried | None:
        """Return the last state that was written."""
        return self._carried

    def damage(self) -> Difference | None:
        """Return None: there is no file."""
        return None

    def misshapen(self) -> Difference | None:
        """Return None: it has no tables of its own."""
        return None

    def misnumbered(self) -> Difference | None:
        """Return None: it numbers no rows."""
        return None

    def close(self) -> None:
        """Free the memory."""
        self.clear()

    def _booked(self, open_time: int) -> npt.NDArray[np.void]:
        mine = [each[each["open_time"] == open_time] for each in self._fills]
        return np.concatenate([np.empty(0, FILL), *mine])

    def _made(self, table: Table) -> chain[Row]:
        symbols, closed = self.symbols, self._closed

        def of(bars: BarBlock) -> tuple[str, ...]:
            return symbols[: bars.n_symbols]

        if table == "bars":
            return chain.from_iterable(bar_rows(*each, of(each[0])) for each in self._bars)
        if table == "fills":
            return chain.from_iterable(fill_rows(each, symbols) for each in self._fills)
        if table == "forecasts":
            return chain.from_iterable(forecast_rows(*each, symbols) for each in closed)
        if table == "decisions":
            return chain.from_iterable(decision_rows(each, of(each.bars)) for each, _ in closed)
        if table == "ledger":
            return chain.from_iterable(ledger_rows(each) for each, _ in closed)
        if table == "positions":
            return chain.from_iterable(position_rows(each, symbols) for each, _ in closed)
        return chain(self._links)


def _stored(row: Row) -> Row:
    """Return a row as records keep it: None for NaN."""
    return tuple(None if value != value else value for value in row)  # noqa: PLR0124

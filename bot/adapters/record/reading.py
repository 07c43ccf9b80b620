"""The Protocol of a run's record: all that a reader of a run may ask.

Rules: an implementation gives one state of the run, whatever is written meanwhile, unless it was
opened to follow; it never writes and never repairs; damage is a JournalError that names the file.
Spans go from after one time to another, inclusive, so that spans one after the other leave nothing
out. Rows are for proofs and are given as they are stored, impossible values included; everyone else
asks for arrays. Must not know a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from bot.adapters.record.builds import BuildRow
from bot.adapters.record.commands import CommandRow
from bot.adapters.record.contents import Carried, Extent, ModelRow, Span
from bot.adapters.record.difference import Difference
from bot.adapters.record.joins import Joins
from bot.adapters.record.tables import EARLIEST, LATEST, Row, Table
from bot.blocks import F64, I64, Arrays, BarBlock, Task
from bot.plausibility import Prices
from bot.portfolio.trace import Trace


class Record(Protocol):
    """A run as it was recorded, n bars of S symbols with K tasks."""

    @property
    def path(self) -> Path:
        """Return the file or folder that messages name."""

    @property
    def meta(self) -> Mapping[str, str]:
        """Return the facts of the run by key."""

    @property
    def version(self) -> int:
        """Return the version of the record; one of version 1 names no builds and seals no facts."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the symbols, in the order of all arrays."""

    @property
    def joins(self) -> Joins:
        """Return who of them is in the run, from when on."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Return what is forecast, in the order of `forecasts`."""

    # How far it goes

    def extent(self) -> Extent | None:
        """Return how far the ledger goes, None before its first bar."""

    def span(self, table: Table) -> Span:
        """Return how many rows a table has, and from when to when."""

    def bar_times(self) -> I64:
        """Return the open times that any symbol has a bar row of, int64[n], oldest first."""

    def ledger_times(self) -> I64:
        """Return the open times of the ledger, int64[n], oldest first."""

    # What happened, as arrays

    def bars(self, after: int = EARLIEST, to: int = LATEST) -> BarBlock:
        """Return bars as seen, oldest first, warm-up and a bar that is only open included."""

    def last_prices(self) -> Prices:
        """Return what the next candles are held against."""

    def ledger(self, after: int = EARLIEST, to: int = LATEST) -> tuple[I64, dict[str, F64]]:
        """Return the open times of the ledger and its columns, each float64[n]."""

    def positions(self, times: I64) -> F64:
        """Return the quantity held after each close, float64[n, S]."""

    def decisions(self, times: I64) -> tuple[dict[str, F64], I64]:
        """Return what was decided by column, float64[n, S], and refusal codes int64[n, S].

        The columns are DECISION_VALUES and LATER_DECISION_VALUES (`tables`).
        """

    def forecasts(self, times: I64) -> tuple[F64, I64]:
        """Return forecasts float64[n, S, K], and the index of the model in the schedule int64[n]."""

    def fills(self, after: int = EARLIEST, to: int = LATEST) -> npt.NDArray[np.void]:
        """Return the fills as FILL records, in the order of booking."""

    def ledger_blocks(self, n_bars: int = 4096) -> Iterator[tuple[I64, Trace]]:
        """Yield the ledger, its positions and fills as the traces that were booked; the rest blank."""

    # Models, commands, builds and state

    def models(self) -> list[ModelRow]:
        """Return the run's schedule, oldest first."""

    def commands(self) -> list[CommandRow]:
        """Return what was asked of the run, in the order in which it was taken."""

    def builds(self) -> list[BuildRow]:
        """Return the stretches of the run; none of version 1."""

    def carried(self) -> Carried | None:
        """Return the engine's last committed state, None before the first commit."""

    def state(self) -> Arrays | None:
        """Return the arrays of the same."""

    # For a proof

    def rows(self, table: Table, after: int = EARLIEST, to: int = LATEST) -> Sequence[Row]:
        """Return the rows of a span in the columns of `columns_of`, by key; fills as booked."""

    def first_rows(
        self, table: Table, after: int, to: int, most: int, names: Sequence[str] | None = None
    ) -> Sequence[Row]:
        """Return the first rows of a span: whole bars, `most` rows in all or a single bar's.

        Args:
            names: the columns wanted, `open_time` first; None for all.
        """

    def links(self, after: int = EARLIEST, to: int = LATEST) -> tuple[I64, list[bytes]]:
        """Return the open times and links of the hash chain."""

    def damage(self) -> Difference | None:
        """Return what is wrong with what it is stored in, though no row shows it."""

    def misshapen(self) -> Difference | None:
        """Return the first table that is not laid out as its version says."""

    def misnumbered(self) -> Difference | None:
        """Return where its own numbering has a hole."""

    def left_over(self) -> Sequence[str]:
        """Return the files beside it that look like its own and are none."""

    def close(self) -> None:
        """Let go of what it is stored in."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

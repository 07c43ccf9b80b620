"""Recorders: into a run's record, or nowhere.

Rule: a backtest groups many bars into a transaction, since a crash only costs its own time; the
daemon commits each open and each close by itself (`bot/app/live/committed.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bot.adapters.record.commands import CommandRow
from bot.adapters.record.writing import DurableWriter
from bot.blocks import BarBlock, FeatureBlock
from bot.engine import StepResult
from bot.engine_state import Activation, EngineState, state_to_arrays
from bot.portfolio.trace import Trace

GROUP_BARS = 4096
GROUP_SYMBOL_BARS = 2**18
"""Of all symbols together, where there are many: what a transaction and a block of a backtest hold."""


def bars_at_once(n_symbols: int, most: int | None = None) -> int:
    """Return how many bars of so many symbols are worked on at a time: `most`, or GROUP_BARS.

    >>> bars_at_once(5), bars_at_once(500)
    (4096, 524)
    """
    return max(1, min(GROUP_BARS if most is None else most, GROUP_SYMBOL_BARS // n_symbols))


class NoRecorder:
    """Record nothing, for benchmarks and for work whose result is all that counts."""

    def warmed(self, block: BarBlock, state: EngineState) -> None:
        """Do nothing."""

    def opened(self, block: BarBlock, trace: Trace, state: EngineState) -> None:
        """Do nothing."""

    def closed(self, results: list[StepResult], state: EngineState, *, opened: bool) -> None:
        """Do nothing."""

    def activated(self, activation: Activation, due: int | None, *, late: bool) -> None:
        """Do nothing."""

    def commanded(self, command: CommandRow, state: EngineState) -> None:
        """Do nothing."""


class GroupRecorder:
    """Write a backtest to its record, `group_bars` to a transaction.

    Without `full` it keeps the bars, fills and ledger: what a report of the money needs. Of what waits to be
    written it holds no more than that: neither features nor the states between, which are much larger.
    """

    def __init__(self, record: DurableWriter, *, full: bool, group_bars: int = GROUP_BARS) -> None:
        self._record = record
        self._full = full
        self._group_bars = group_bars
        self._writes: list[Callable[[], None]] = []
        self._bars = 0
        self._state: EngineState | None = None

    def warmed(self, block: BarBlock, state: EngineState) -> None:
        """Write the bars."""
        self._add(lambda: self._record.write_bars(block), len(block), state)

    def opened(self, block: BarBlock, trace: Trace, state: EngineState) -> None:
        """Write the open of one bar."""
        self._add(lambda: self._record.write_open(block, trace), 1, state)

    def closed(self, results: list[StepResult], state: EngineState, *, opened: bool) -> None:
        """Write closed bars."""
        for k, result in enumerate(results):
            write = self._writer(result, state.schedule, opened=opened and k == 0)
            self._add(write, len(result.bars), state)

    def activated(self, activation: Activation, due: int | None, *, late: bool) -> None:
        """Write an activation."""
        self._writes.append(lambda: self._record.write_activation(activation, due, late=late))

    def commanded(self, command: CommandRow, state: EngineState) -> None:
        """Write a command."""
        self._writes.append(lambda: self._record.write_command(command))
        self._state = state

    def flush(self) -> None:
        """Commit what has been taken in."""
        with self._record.transaction():
            for write in self._writes:
                write()
            if self._state is not None:
                self._record.write_state(self._state.last_open, state_to_arrays(self._state))
        self._writes.clear()
        self._bars = 0

    def _writer(
        self, result: StepResult, schedule: tuple[Activation, ...], *, opened: bool
    ) -> Callable[[], None]:
        no_features = np.empty((*result.bars.valid.shape, 0))
        kept = replace(result, features=FeatureBlock(no_features, result.features.ready))

        def write() -> None:
            if self._full:
                self._record.write_close(kept, schedule, opened=opened)
            else:
                self._record.write_bars(kept.bars)
                self._record.write_fills(kept.trace.fills)
                self._record.write_ledger(kept)

        return write

    def _add(self, write: Callable[[], None], bars: int, state: EngineState) -> None:
        self._writes.append(write)
        self._bars += bars
        self._state = state
        if self._bars >= self._group_bars:
            self.flush()

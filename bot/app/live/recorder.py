"""What the daemon records of its life: a transaction for a bar's open and one for its close.

Rules: each of them holds the state that it comes to. Must not decide what is recorded.
"""

from __future__ import annotations

from bot.adapters.record.commands import CommandRow
from bot.adapters.record.writing import DurableWriter
from bot.blocks import BarBlock
from bot.engine import StepResult
from bot.engine_state import Activation, EngineState, state_to_arrays
from bot.portfolio.trace import Trace


class LiveRecorder:
    """Write the daemon's life: a transaction for a bar's open and one for its close."""

    def __init__(self, journal: DurableWriter) -> None:
        self._journal = journal
        self._activations: list[tuple[Activation, int | None, bool]] = []

    def warmed(self, block: BarBlock, state: EngineState) -> None:
        """Commit bars of the back-fill."""
        with self._journal.transaction():
            self._journal.write_bars(block)
            self._write_state(state)

    def opened(self, block: BarBlock, trace: Trace, state: EngineState) -> None:
        """Commit the open of one bar."""
        with self._journal.transaction():
            self._write_activations()
            self._journal.write_open(block, trace)
            self._write_state(state)
        self._activations.clear()

    def closed(self, results: list[StepResult], state: EngineState, *, opened: bool) -> None:
        """Commit closed bars."""
        with self._journal.transaction():
            self._write_activations()
            for k, result in enumerate(results):
                self._journal.write_close(result, state.schedule, opened=opened and k == 0)
            self._write_state(state)
        self._activations.clear()

    def activated(self, activation: Activation, due: int | None, *, late: bool) -> None:
        """Keep an activation for the next commit, which holds the state that knows it."""
        self._activations.append((activation, due, late))

    def commanded(self, command: CommandRow, state: EngineState) -> None:
        """Commit a command with the state that obeys it."""
        with self._journal.transaction():
            self._write_activations()
            self._journal.write_command(command)
            self._write_state(state)
        self._activations.clear()

    def _write_activations(self) -> None:
        for activation, due, is_late in self._activations:
            self._journal.write_activation(activation, due, late=is_late)

    def _write_state(self, state: EngineState) -> None:
        self._journal.write_state(state.last_open, state_to_arrays(state))

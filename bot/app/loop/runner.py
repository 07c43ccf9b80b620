"""THE loop: take bars through the engine and record what happened, live and in a backtest alike.

Owns the order of engine, hash and record. Rules: nothing is recorded that the engine did not
return; a block is recorded after it was stepped and before the next. Must not decide what comes
next: live, backtest and verify do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from bot.adapters.record.commands import CommandRow
from bot.blocks import BarBlock
from bot.engine import Engine, StepResult
from bot.engine_state import Activation, EngineState
from bot.portfolio.hand import Command
from bot.portfolio.ledger import LedgerHash
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Trace, joined

Progress = Callable[[int, int], None]
"""Called with what is done, and of how much: bars, or trainings."""


class Recorder(Protocol):
    """Where results go."""

    def warmed(self, block: BarBlock, state: EngineState) -> None:
        """Record bars that only warmed up the features."""

    def opened(self, block: BarBlock, trace: Trace, state: EngineState) -> None:
        """Record the open of one bar."""

    def closed(self, results: list[StepResult], state: EngineState, *, opened: bool) -> None:
        """Record closed bars."""

    def activated(self, activation: Activation, due: int | None, *, late: bool) -> None:
        """Record that a model decides from a bar on."""

    def commanded(self, command: CommandRow, state: EngineState) -> None:
        """Record what a person asked, and the state that obeys it."""


class Runner:
    """Step the engine over blocks, keep the ledger's hash, and hand results to the recorder.

    Args:
        ledger: None in a daemon, which knows but the bars since its start.
    """

    def __init__(
        self, engine: Engine, state: EngineState, recorder: Recorder, ledger: LedgerHash | None
    ) -> None:
        self.engine = engine
        self.state = state
        self._ledger = ledger
        self._open_trace: Trace | None = None
        self._recorder = recorder

    def warm(self, block: BarBlock) -> None:
        """Take in bars before the start: features advance, nothing is traded."""
        self.state = self.engine.warm(self.state, block)
        self._recorder.warmed(block, self.state)

    def activate(self, activation: Activation, due: int | None, *, late: bool = False) -> None:
        """Put a model into the schedule."""
        self.state = self.engine.activate(self.state, activation)
        self._recorder.activated(activation, due, late=late)

    def obey(self, command: CommandRow, rules: Rules | None = None) -> None:
        """Let a person's command hold from here on; one that is refused is only recorded.

        Args:
            rules: after the settings that it changes.
        """
        if command.refused is None:
            self.state = self.engine.obey(self.state, Command(command.kind))
            if rules is not None:
                self.engine = replace(self.engine, rules=rules)
        self._recorder.commanded(command, self.state)

    def open(self, block: BarBlock) -> Trace:
        """Book the open of one bar."""
        self.state, trace = self.engine.open(self.state, block)
        self._recorder.opened(block, trace, self.state)
        self._open_trace = trace
        return trace

    def step(self, block: BarBlock) -> list[StepResult]:
        """Take closed bars through the engine; the first may have been opened before."""
        opened = self.state.opened
        self.state, results = self.engine.step(self.state, block)
        self._recorder.closed(results, self.state, opened=opened)
        if self._ledger is not None:
            for k, result in enumerate(results):
                trace = result.trace
                if opened and k == 0 and self._open_trace is not None:
                    trace = joined(self._open_trace, trace)
                self._ledger.update(result.bars.open_time, trace)
        self._open_trace = None
        return results

"""The commands of a run, handed to its replay where they held.

Rules: each at the place that its row names, in the order in which they were taken; what is set holds by
the rules that the run's own settings and instruments come to. Must not judge whether one was wise.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from bot.adapters.record.commands import CommandRow
from bot.adapters.record.difference import MISSING, Difference
from bot.adapters.record.joins import new_symbols
from bot.adapters.record.memory import MemoryRecord
from bot.adapters.record.reading import Record
from bot.app.loop.joining import joined_state
from bot.app.loop.runner import Runner
from bot.app.runs.in_force import after_command, learned, rules_of_run
from bot.app.verify.engine import Engines
from bot.blocks import BarBlock
from bot.config import Config
from bot.engine import Engine
from bot.engine_state import EngineState
from bot.portfolio.hand import Command
from bot.portfolio.instruments import Instrument
from bot.portfolio.rules import Rules
from bot.timegrid import INTERVAL_MS

BLOCK_BARS = 4096


class ReplayedCommands:
    """A run's commands, and how far a replay has come in them.

    Args:
        instruments: of the run's creation.
        engines: by how many symbols were in the run.
    """

    def __init__(
        self, record: Record, config: Config, instruments: Mapping[str, Instrument],
        engines: Engines,
    ) -> None:  # fmt: skip
        self._record, self._config, self._engines = record, config, engines
        self._rows = record.commands()
        self._symbols = record.symbols[: record.joins.first]
        self._instruments = dict(instruments)
        self._interval_ms = INTERVAL_MS[config.market.interval]
        self._next = 0
        self._obeyed = 0

    def step(self, runner: Runner, block: BarBlock) -> None:
        """Take closed bars through the engine, with the commands that held before or inside them."""
        times = block.open_time
        asked = {int(np.searchsorted(times, row.open_time)) for row in self._rows[self._next :]}
        edges = sorted({0, len(block)} | {k for k in asked if k < len(block)})
        for a, b in itertools.pairwise(edges):
            part = block.rows(a, b)
            bar = int(part.open_time[0])
            self.before_open(runner, bar)
            part = self.there(part)
            if self._waits_at(bar, inside=True) and not runner.state.opened:
                runner.open(part.rows(0, 1))
            self.inside(runner, bar)
            runner.step(part)

    def open(self, runner: Runner, bar: BarBlock) -> None:
        """Open the bar that is not closed yet, unless it is open, with the commands around its open."""
        at = int(bar.open_time[0])
        if not runner.state.opened:
            self.before_open(runner, at)
            runner.open(self.there(bar))
        self.inside(runner, at)

    def there(self, block: BarBlock) -> BarBlock:
        """Return bars of the symbols that are in the run by now."""
        return block.symbols(range(len(self._symbols)))

    def before_open(self, runner: Runner, bar: int) -> None:
        """Obey what held from the open of this bar on."""
        while self._waits_at(bar, inside=False):
            self._obey(runner)

    def inside(self, runner: Runner, bar: int) -> None:
        """Obey what held from the close of this bar on, which is open."""
        while self._waits_at(bar, inside=True):
            self._obey(runner)

    def at_the_end(self, runner: Runner) -> None:
        """Obey what was taken after the last bar that the run has: it holds from the next open on."""
        if not runner.state.opened and runner.state.newest is not None:
            self.before_open(runner, runner.state.newest + self._interval_ms)

    def up_to(self, runner: Runner, seam: EngineState) -> None:
        """Obey what the state at a seam has obeyed."""
        while self._next < len(self._rows) and self._obeyed < _obeyed(seam):
            self._obey(runner)

    def skip_to(self, seam: EngineState, replayed: MemoryRecord) -> None:
        """Take as done what was taken before a state that is given, and write it down for the links."""
        bar = seam.last_open + (0 if seam.opened else self._interval_ms)
        while self._next < len(self._rows):
            row = self._rows[self._next]
            if self._obeyed >= _obeyed(seam) and row.open_time >= bar:
                break
            self._note(row)
            replayed.write_command(row)

    def engine(self) -> Engine:
        """Return the engine with the symbols and the rules in force by now."""
        engine = self._engines(len(self._symbols))
        return replace(engine, rules=self._rules()) if self._obeyed else engine

    def left_over(self) -> Difference | None:
        """Return the first command that held from no bar of the run."""
        if self._next == len(self._rows):
            return None
        row = self._rows[self._next]
        return Difference(
            "commands", "row", row.open_time, symbol=None, stored="a row", replayed=MISSING
        )

    def _waits_at(self, bar: int, *, inside: bool) -> bool:
        return self._next < len(self._rows) and self._rows[self._next].place == (bar, inside)

    def _obey(self, runner: Runner) -> None:
        row = self._rows[self._next]
        before = self._config, self._instruments, self._symbols
        self._note(row)
        if self._symbols is not before[2]:
            runner.engine = self.engine()
            runner.state = joined_state(runner.engine, runner.state, self._bars_before(row))
        changed = self._config is not before[0] or self._instruments is not before[1]
        runner.obey(row, self._rules() if changed else None)

    def _bars_before(self, row: CommandRow) -> Iterator[BarBlock]:
        """Yield all bars before a command, of the symbols that are in the run by now."""
        times = self._record.bar_times()
        times = times[times < row.open_time]
        for a in range(0, len(times), BLOCK_BARS):
            part = times[a : a + BLOCK_BARS]
            yield self.there(self._record.bars(int(part[0]) - 1, int(part[-1])))

    def _note(self, row: CommandRow) -> None:
        self._next += 1
        if row.refused is None:
            self._obeyed += 1
            if row.kind == Command.SET:
                self._config = after_command(self._config, row)
                new = new_symbols(row, self._symbols)
                self._symbols = (*self._symbols, *new) if new else self._symbols
            elif row.kind == Command.INSTRUMENTS:
                self._instruments = {**self._instruments, **learned(row)}

    def _rules(self) -> Rules:
        return rules_of_run(self._config, self._symbols, self._instruments)


def _obeyed(state: EngineState) -> int:
    return int(state.book.account["commands"][0])

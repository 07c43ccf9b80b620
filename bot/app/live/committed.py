"""The run as the journal has committed it, and the ways in which it goes on.

Owns the engine's state and its journal, the settings in force, what the loop asks of them (warm,
rehearsed, begin, take a command, open, close, catch up), and what makes each a transaction.
Rules: each of them is committed when it returns; nothing else writes bars. Must not know a clock or
the exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bot.adapters.files.commands import Asked
from bot.adapters.record.commands import CommandRow, settings_text
from bot.adapters.record.writing import RunWriter
from bot.app.live.backfill import late
from bot.app.live.opening import closed_row
from bot.app.loop.runner import Runner
from bot.app.loop.stopwatch import Stopwatch
from bot.app.runs.folder import RunFolder
from bot.app.runs.in_force import changed_settings, learning, rules_of_run
from bot.blocks import BarBlock, Bool
from bot.config import Config
from bot.config.changes import recorded_changes
from bot.engine import Engine, StepResult
from bot.engine_state import Activation, EngineState, state_to_arrays
from bot.errors import ConfigError, InvariantError
from bot.model.forecaster import Forecaster
from bot.plausibility import Prices
from bot.portfolio.book import Book
from bot.portfolio.hand import ASKED, Command
from bot.portfolio.instruments import Instrument
from bot.portfolio.reasons import Halt
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Trace
from bot.timegrid import INTERVAL_MS

LONGEST_REASON = 2000
"""Characters of the reason why a command cannot hold."""


class CommittedRun:
    """Take a run from one committed state to the next.

    Attributes:
        config: the settings in force: the run's own, with what commands have changed.
        symbols: all that are in the run, in the order of its arrays; those that have left among them.
        commands: what was asked of the run, in the order in which it was taken.
        instruments: in force, by symbol.
        start: open time of the first bar that is traded, None before there is one.
        first_bar: open time of the oldest bar, None while there is no history.
        prices: the last accepted ones at the start of the process: what the next are held against.

    Args:
        opened_row: the row with which the last bar was opened, where its close is not committed.
        stages: called by the engine when a stage ends.
    """

    def __init__(
        self, config: Config, folder: RunFolder, *, journal: RunWriter, runner: Runner,
        stages: Stopwatch, start: int | None, first_bar: int | None, opened_row: BarBlock | None,
        prices: Prices, commands: Sequence[CommandRow], instruments: Mapping[str, Instrument],
        symbols: tuple[str, ...],
    ) -> None:  # fmt: skip
        self.config, self.folder, self.symbols = config, folder, symbols
        self.commands = list(commands)
        self.instruments = dict(instruments)
        self.interval_ms = INTERVAL_MS[config.market.interval]
        self.start, self.first_bar, self.prices = start, first_bar, prices
        self._journal, self._runner, self._stages = journal, runner, stages
        self._opened_row = opened_row

    @property
    def state(self) -> EngineState:
        """Return the state after the last commit."""
        return self._runner.state

    @property
    def book(self) -> Book:
        """Return the account after the last commit."""
        return self._runner.state.book

    @property
    def rules(self) -> Rules:
        """Return the rules that the account trades under."""
        return self._runner.engine.rules

    @property
    def opened(self) -> bool:
        """Return whether the next bar to be closed is open."""
        return self._opened_row is not None

    @property
    def next_open(self) -> int:
        """Return the open time of the next bar to be closed; there is history already."""
        last = self.state.last_open
        return last if self.state.opened else last + self.interval_ms

    @property
    def left(self) -> Bool:
        """Return which symbols have left the run, bool[S]."""
        return np.array([name not in self.config.market.symbols for name in self.symbols])

    def warm(self, bars: BarBlock) -> None:
        """Take in history: features advance, nothing is traded."""
        self._runner.warm(bars)
        self.first_bar = self.first_bar or int(bars.open_time[0])

    def engine_with(self, forecasters: Mapping[str, Forecaster]) -> Engine:
        """Return the run's engine with such models, for the history before the start."""
        return replace(self._runner.engine, forecasters=forecasters)

    def rehearsed(self, state: EngineState, models: Sequence[tuple[Activation, int, bool]]) -> None:
        """Go on from what a rehearsal of all the history came to.

        Args:
            models: (activation, due bar, late) of each of its models.

        Raises:
            InvariantError: it has come to another bar than the run.
        """
        if self.start is not None or state.last_open != self.state.last_open:
            raise InvariantError(
                f"a rehearsal came to {state.last_open}, the run to {self.state.last_open}; report "
                "this, with the run's log"
            )
        with self._journal.transaction():
            for activation, due, late in models:
                self._journal.write_activation(activation, due, late=late)
            self._journal.write_state(state.last_open, state_to_arrays(state))
        self._runner.state = state

    def catch_up(self, bars: BarBlock) -> BarBlock:
        """Step bars that were missed, the first of which may be open; return them as stepped."""
        rows = late(bars)
        if self.opened:
            rows = BarBlock.concat(
                [self.row_of(bars.rows(0, 1), tradable=False), rows.rows(1, len(rows))]
            )
        self._runner.step(rows)
        self._opened_row = None
        return rows

    def begin(self, open_time: int) -> None:
        """Write down the first bar that is traded, unless one was before."""
        if self.start is None:
            with self._journal.transaction():
                self._journal.write_meta("start", str(open_time))
            self.start = open_time

    def take(self, asked: Asked, refused: str | None = None) -> CommandRow:
        """Let a command hold from the next open or close on, unless it cannot hold; return its row.

        Args:
            refused: why it cannot hold, where that is known already.
        """
        row = CommandRow(
            asked.id, asked.kind, settings_text(asked.settings), asked.asked_by, asked.asked_ms,
            open_time=self.next_open, inside=self.opened, refused=refused,
        )  # fmt: skip
        config, rules = self.config, None
        if row.refused is None:
            try:
                config, rules = self._after(row)
            except ConfigError as error:
                row = replace(row, refused=_told(error))
        self._runner.obey(row, rules)
        self.config = config
        self.commands.append(row)
        return row

    def learn(self, told: Mapping[str, Instrument], at_ms: int) -> CommandRow | None:
        """Let what the exchange says of symbols hold from the next open or close on; return the row.

        There is none where nothing is new, or nothing is traded yet; a symbol that is not told stays.
        """
        news = {s: each for s, each in told.items() if each != self.instruments.get(s)}
        if not news or self.start is None:
            return None
        row = learning(news, at_ms, self.next_open, inside=self.opened)
        self.instruments |= news
        self._runner.obey(row, rules_of_run(self.config, self.symbols, self.instruments))
        self.commands.append(row)
        return row

    def commit_joining(
        self, rows: Sequence[CommandRow], new: Sequence[str], history: BarBlock, state: EngineState
    ) -> None:
        """Commit that symbols join, after which this process has to open the run anew.

        Args:
            rows: the commands, in order; `state` obeys them.
            history: all bars that there are, of the symbols that join.
        """
        with self._journal.transaction():
            for row in rows:
                self._journal.write_command(row)
            self._journal.write_history(history, new)
            self._journal.write_state(state.last_open, state_to_arrays(state))

    def _after(self, row: CommandRow) -> tuple[Config, Rules | None]:
        """Return the settings in force after a command, and the rules where they are others.

        Raises:
            ConfigError: it cannot hold.
        """
        if row.kind not in ASKED:
            raise ConfigError(f"'{row.kind}' is none of {', '.join(ASKED)}")
        if row.kind == Command.RESUME and self.book.account["halted"][0] == Halt.BANKRUPT:
            raise ConfigError("the account is bankrupt, which nothing lifts")
        if (row.kind == Command.SET) != bool(row.values):
            raise ConfigError(f"'{row.kind}' with the settings {row.settings}")
        if not row.values:
            return self.config, None
        new = changed_settings(self.config, recorded_changes(row.values, f"command {row.id}"))
        rules = rules_of_run(new, self.symbols, self.instruments)
        if [type(part) for part in rules] != [type(part) for part in self._runner.engine.rules]:
            raise ConfigError(
                f"{', '.join(row.values)}: this run trades by rules that have no place for it, and others "
                "would have to be compiled while bars wait; begin another run with it"
            )
        return new, rules

    def open(self, row: BarBlock) -> Trace:
        """Book the open of the next bar."""
        self.begin(int(row.open_time[0]))
        self._stages.start()
        trace = self._runner.open(row)
        self._stages.ended("open")
        self._opened_row = row
        return trace

    def row_of(self, candles: BarBlock, *, tradable: bool) -> BarBlock:
        """Return the row of the bar that is open, with its candles.

        Raises:
            InvariantError: none is open.
        """
        if self._opened_row is None:
            raise InvariantError(f"no bar is open at {self.next_open}, and one was to be closed")
        return closed_row(self._opened_row, candles, tradable=tradable)

    def activate(self, activation: Activation, due: int, *, late: bool) -> None:
        """Let a model decide from this bar on; it is committed with the bar."""
        self._runner.activate(activation, due, late=late)

    def close(self, row: BarBlock) -> StepResult:
        """Close the bar that is open."""
        self._stages.start()
        results = self._runner.step(row)
        self._stages.ended("commit")
        self._opened_row = None
        return results[-1]

    def stages_ms(self) -> Mapping[str, float]:
        """Return how long the stages of the last bar took, and forget it."""
        return self._stages.taken_ms()

    def end(self) -> None:
        """Close the journal."""
        self._journal.close()


def _told(error: ConfigError) -> str:
    """Return the text of an error as a record can keep it, whatever odd text it quotes."""
    return str(error).encode("utf-8", "backslashreplace").decode("utf-8")[:LONGEST_REASON]

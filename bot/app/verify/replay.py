"""The replay of a run, stretch by stretch, each compared row by row with what the run recorded.

A stretch is what one build made. Rules: the present build must make the rows of its own stretches
again, and may make those of another's; where it does not, that stretch is only held against the
chain, and the replay goes on from the state that was carried over the seam. Within a stretch, the
earliest bar's difference is named, and of one bar the earliest cause's. Must not write to the run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bot.adapters.record.contents import ModelRow
from bot.adapters.record.difference import MISSING, Difference
from bot.adapters.record.reading import Record
from bot.adapters.record.tables import EARLIEST, LATEST, Table
from bot.app.loop.runner import Progress, Runner
from bot.app.runs.carried_state import carried_state
from bot.app.verify.chain import check_chain
from bot.app.verify.commands import ReplayedCommands
from bot.app.verify.engine import Engines, ReplayRecorder, start_of
from bot.app.verify.rows import earliest, state_difference
from bot.app.verify.stretches import Stretch, Unproved, stretches_of
from bot.app.verify.tables import memory_for, proved_bars, replayed_tables, table_difference
from bot.blocks import I64, BarBlock
from bot.config import Config
from bot.engine_state import Activation, EngineState, state_to_arrays
from bot.portfolio.ledger import LedgerHash
from bot.timegrid import INTERVAL_MS
from bot.venues import has_sessions, split_symbol

BLOCK_BARS = 4096


class Replay:
    """A replay under way: the engine, its record in memory, and the counts.

    Attributes:
        ledger: of what was replayed; None once a stretch could not be.
        unproved: the stretches that could not be.
    """

    def __init__(
        self, engines: Engines, config: Config, record: Record, models: Sequence[ModelRow],
        commands: ReplayedCommands, progress: Progress | None,
    ) -> None:  # fmt: skip
        self._engines, self._config, self._record = engines, config, record
        self._models, self._commands, self._progress = models, commands, progress
        self._start = start_of(record)
        self._times = record.bar_times()
        self._tables = replayed_tables(record)
        self._state = record.state()
        self._replayed = memory_for(record)
        self.stretches = stretches_of(record, engines)
        self.ledger: LedgerHash | None = LedgerHash(record.symbols)
        self.unproved: list[Unproved] = []
        self.fills = 0

    def first_difference(self) -> Difference | None:
        """Replay the whole run."""
        try:
            runner: Runner | None = self._runner(self._engines(self._record.joins.first).initial())
            if (first := self.stretches[0].build) is not None and first.is_seam:
                self._join(self.stretches[0])
            for k, stretch in enumerate(self.stretches):
                if k > 0 and stretch.seam is not None:
                    runner = runner or self._begun_at(stretch.seam)
                    self._join(stretch)
                if runner is None:
                    raise AssertionError("a stretch but the first has a seam")
                difference = self._stretch(runner, k)
                if difference is not None:
                    difference = self._set_aside(difference, k)
                    runner = None
                if difference is not None:
                    return difference
            return None if runner is None else self._commands.left_over() or self._end(runner)
        finally:
            self._replayed.close()

    def of_another_build(self, row: ModelRow) -> bool:
        """Return whether another build may have trained a model: up to its first bar, any did."""
        made = [s for s in self.stretches if s.last is None or s.last >= (row.due or 0)]
        until = [s for s in made if s.seam is None or s.seam.last_open <= row.effective_from]
        return any(not stretch.is_present for stretch in until)

    def unproved_model(self, row: ModelRow, found: Difference) -> Unproved:
        """Return that a model's training rows are another build's."""
        made = next(s for s in self.stretches if s.last is None or s.last >= (row.due or 0))
        return Unproved(made.made_by, row.due, row.effective_from, found, row.model_id)

    def hole(self) -> Difference | None:
        """Name a bar that no symbol has a row of, where the grid has no holes."""
        names, market = self._record.symbols, self._config.market
        if any(has_sessions(split_symbol(name, market.venue)[0]) for name in names):
            return None
        step = INTERVAL_MS[market.interval]
        holes = np.flatnonzero(np.diff(self._times) != step)
        if not len(holes):
            return None
        missing = int(self._times[holes[0]]) + step
        return Difference(
            "bars", "row", missing, symbol=None, stored=MISSING, replayed="one a bar and symbol"
        )

    def counts(self) -> tuple[int, int]:
        """Return how many closed bars were compared, and how many were warm-up."""
        warm = int((self._times < self._start).sum())
        return len(self._times) - warm - int(self._opened() is not None), warm

    def _runner(self, state: EngineState) -> Runner:
        runner = Runner(self._commands.engine(), state, ReplayRecorder(self._replayed), self.ledger)
        for row in self._models[len(state.schedule) :]:
            runner.activate(Activation(row.effective_from, row.model_id), row.due)
        return runner

    def _begun_at(self, state: EngineState) -> Runner:
        """Go on behind a stretch that could not be replayed, from the state at the seam."""
        self._replayed.clear()
        if state.opened:
            before = int(state.book.account["fills"][0])
            fills = self._record.fills()[:before]
            self._replayed.write_fills(fills[fills["open_time"] == state.last_open])
        self._commands.skip_to(state, self._replayed)
        return self._runner(state)

    def _join(self, stretch: Stretch) -> None:
        if stretch.build is not None:
            self._replayed.join(stretch.build.link)

    def _stretch(self, runner: Runner, k: int) -> Difference | None:
        stretch = self.stretches[k]
        for after, to, times in self._spans(k):
            difference = self._span(runner, after, to, times)
            if difference is not None:
                return difference
            if self._progress is not None:
                self._progress(int(np.searchsorted(self._times, to, "right")), len(self._times))
        if stretch.last is None:
            return None
        if stretch.opened:
            difference = self._open_at_seam(runner, stretch.last)
            if difference is not None:
                return difference
        return self._seam_difference(runner, k + 1)

    def _seam_difference(self, runner: Runner, k: int) -> Difference | None:
        """Compare the state that was carried over a seam; later models are not in it yet."""
        seam = self.stretches[k].seam
        if seam is None:
            return None
        self._commands.up_to(runner, seam)
        state = replace(runner.state, schedule=runner.state.schedule[: len(seam.schedule)])
        found = state_difference(state_to_arrays(seam), state_to_arrays(state))
        return None if found is None else replace(found, table="builds.state")

    def _set_aside(self, difference: Difference, k: int) -> Difference | None:
        """Return the difference, or None where it is in a stretch that another build proves."""
        stretch = self.stretches[k]
        if stretch.is_present or difference.table == "bars":
            return difference
        after = self.stretches[k - 1].last if k else None
        broken = check_chain(self._record)
        if broken is not None:
            return broken
        self.ledger = None
        self.unproved.append(Unproved(stretch.made_by, after, stretch.last, difference))
        return None

    def _spans(self, k: int) -> Iterator[tuple[int, int, I64]]:
        """Yield (after, to, times) of a stretch: its closed bars in blocks; then what lies behind all.

        A bar that is open at a seam is closed by the stretch behind it.
        """
        stretch, opened = self.stretches[k], self._opened()
        closed = self._times if opened is None else self._times[self._times < opened]
        first, stop = (
            self._closed_before(closed, self.stretches[j]) if j >= 0 else 0 for j in (k - 1, k)
        )
        traded = int(np.clip(np.searchsorted(closed, self._start), first, stop))
        edges = sorted({*range(first, traded, BLOCK_BARS), *range(traded, stop, BLOCK_BARS), stop})
        after = EARLIEST if first == 0 else int(closed[first - 1])
        for a, b in itertools.pairwise(edges):
            yield after, int(closed[b - 1]), closed[a:b]
            after = int(closed[b - 1])
        if stretch.last is None:
            yield after, LATEST, self._times[stop:]

    @staticmethod
    def _closed_before(closed: I64, stretch: Stretch) -> int:
        """Return how many bars are closed at the end of a stretch."""
        if stretch.last is None:
            return len(closed)
        return int(np.searchsorted(closed, stretch.last, "left" if stretch.opened else "right"))

    def _span(self, runner: Runner, after: int, to: int, times: I64) -> Difference | None:
        block, difference = proved_bars(self._record, after, to, times)
        if difference is not None:
            return difference
        if to == LATEST:
            difference = self._open(runner, block)
            if difference is not None:
                return difference
        elif block is not None:
            if times[0] < self._start:
                runner.warm(self._commands.there(block))
            else:
                self._commands.step(runner, block)
        found = earliest([self._table(name, after, to) for name in self._tables])
        self._replayed.clear()
        return self._missing_bar(found, times)

    def _open(self, runner: Runner, block: BarBlock | None) -> Difference | None:
        """Open the bar that the committed state says is open; nothing else lies behind the last."""
        opened = self._opened()
        times = [] if block is None else block.open_time.tolist()
        if opened is not None and times[:1] != [opened]:
            return Difference(
                "bars", "row", opened, symbol=None, stored=MISSING, replayed="the bar that is open"
            )
        if len(times) > (opened is not None):
            return Difference(
                "bars", "row", times[-1], symbol=None, stored="a row", replayed=MISSING
            )
        if block is not None:
            self._commands.open(runner, block)
        self._commands.at_the_end(runner)
        return None

    def _open_at_seam(self, runner: Runner, bar: int) -> Difference | None:
        """Open the bar that was open when another build went on, from its row as it is now."""
        at = self._times[self._times == bar]
        block, difference = proved_bars(self._record, bar - 1, bar, at)
        if block is None:
            return difference or Difference(
                "bars", "row", bar, symbol=None, stored=MISSING, replayed="the bar at the seam"
            )
        self._commands.before_open(runner, bar)
        runner.open(self._commands.there(block))
        return None

    def _table(self, table: Table, after: int, to: int) -> Difference | None:
        found, rows = table_difference(table, self._record, self._replayed, after, to)
        if table == "fills":
            self.fills += rows
        return found

    def _missing_bar(self, found: Difference | None, times: I64) -> Difference | None:
        """Blame the bars where the ledger and the chain know a bar that they do not have."""
        if found is None or found.replayed != MISSING or found.open_time in times:
            return found
        at = found.open_time or 0
        known = [table for table in self._tables if table in {"ledger", "chain"}]
        if all(self._record.rows(table, at - 1, at) for table in known):
            return Difference(
                "bars", "row", at, symbol=None, stored=MISSING, replayed="one a bar and symbol"
            )
        return found

    def _opened(self) -> int | None:
        """Return the bar that is open and not closed, by the committed state."""
        if self._state is None or not self._state["engine.clock"][1]:
            return None
        return int(self._state["engine.clock"][0])

    def _end(self, runner: Runner) -> Difference | None:
        """Compare the committed state, to which all bars and commands have led."""
        carried = self._record.carried()
        if carried is None and not len(self._times):
            return None
        if carried is None:
            return Difference("state", "row", None, symbol=None, stored=MISSING, replayed="a row")
        recorded, bar = carried.open_time, runner.state.last_open
        if recorded != bar:
            return Difference(
                "state", "open_time", None, symbol=None, stored=recorded, replayed=bar
            )
        stored = carried_state(
            carried, self._record.path, self._engines(len(self._record.symbols)).initial()
        )
        found = state_difference(state_to_arrays(stored), state_to_arrays(runner.state))
        if found is None and self.stretches[-1].is_present and not carried.as_packed:
            return Difference(
                "state", "blob", None, symbol=None, stored="more than its arrays",
                replayed="nothing else",
            )  # fmt: skip
        return found

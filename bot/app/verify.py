"""Prove a run: replay its bars as seen and its models through the engine, and demand the same rows.

Rules: features, forecasts, decisions, fills and ledger are computed again; what is stored of them is
only compared with. Models are proved first, then the bars by their hashes, then what follows from
both, so that the cause is named and not its effects. Must not write to the run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.adapters.journal_snapshot import EARLIEST, LATEST, JournalSnapshot
from bot.adapters.journal_twin import TABLES, JournalTwin
from bot.app.run_folder import RunFolder, config_hash, config_of
from bot.app.runner import Runner
from bot.app.stored_ledger import stored_ledger
from bot.app.verify_engine import TwinRecorder, check_models, replay_engine, start_of
from bot.app.verify_rows import (
    MISSING,
    Difference,
    check_bars,
    earliest,
    first_difference,
    state_difference,
)
from bot.blocks import I64, BarBlock
from bot.config import Config
from bot.engine import Activation, state_to_arrays
from bot.errors import InvariantError, JournalError
from bot.model.threads import one_thread
from bot.portfolio.ledger import LedgerHash
from bot.timegrid import INTERVAL_MS
from bot.venues import has_sessions, split_symbol

BLOCK_BARS = 4096
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Verdict:
    """What the proof has shown.

    Attributes:
        stored_sha256: the ledger's hash, computed from the stored rows; None where they make no
            ledger.
        replayed_sha256: the replay's; None where it was not finished.
        bars, warm_bars, fills, models: how many were compared.
        notes: what a reader should know, identical or not.
    """

    difference: Difference | None
    stored_sha256: str | None
    replayed_sha256: str | None
    bars: int
    warm_bars: int
    fills: int
    models: int
    notes: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Return whether the run is proved."""
        return self.difference is None

    def __str__(self) -> str:
        lines = [f"note: {note}" for note in self.notes]
        lines.append(f"ledger   {self.stored_sha256 or 'the rows make none'}")
        lines.append(f"replayed {self.replayed_sha256 or 'ended at the difference'}")
        if self.difference is not None:
            return "\n".join([*lines, f"different: {self.difference}"])
        models = "1 model" if self.models == 1 else f"{self.models} models"
        counts = f"{self.bars:,} bars, {self.fills:,} fills, {models}"
        return "\n".join([*lines, f"identical: {counts}; {self.warm_bars:,} bars of warm-up"])

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "identical": self.identical,
            "ledger_sha256": self.stored_sha256,
            "replayed_sha256": self.replayed_sha256,
            "bars": self.bars,
            "warm_bars": self.warm_bars,
            "fills": self.fills,
            "models": self.models,
            "difference": None if self.difference is None else self.difference.as_json(),
            "notes": list(self.notes),
        }


def verify(folder: RunFolder, progress: Progress | None = None) -> Verdict:
    """Replay a run, finished or going on, and compare; `progress` is told (bars done, of all).

    A run with forecasts from a file is replayed from the forecasts in its journal: the chain of
    hashes proves those, nothing computes them again.

    Raises:
        JournalError: the run did not record all that a proof needs, or the file cannot be read.
    """
    config = config_of(folder)
    if config.run.record != "full":
        raise JournalError(
            f"{folder.path}: was run with run.record = '{config.run.record}', so its decisions are "
            "not recorded and it cannot be verified; run it again with run.record = 'full'"
        )
    with JournalSnapshot(folder.journal) as snapshot, one_thread():
        return _Proof(folder, config, snapshot, progress).verdict()


class _Proof:
    """A replay under way: the engine, its twin journal, and the counts."""

    def __init__(
        self, folder: RunFolder, config: Config, snapshot: JournalSnapshot,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        self._folder, self._config = folder, config
        self._snapshot, self._progress = snapshot, progress
        self._models = snapshot.models()
        self._start = start_of(snapshot)
        self._times = snapshot.bar_times()
        self._state = snapshot.state()
        self._twin = JournalTwin(snapshot.symbols, snapshot.tasks)
        self._ledger = LedgerHash(snapshot.symbols)
        self._fills = 0

    def verdict(self) -> Verdict:
        """Prove and sum up."""
        difference = self._first_difference()
        self._twin.close()
        try:
            stored = stored_ledger(self._snapshot).hexdigest()
        except (InvariantError, JournalError):
            if difference is None:
                raise
            stored = None
        replayed = self._ledger.hexdigest() if difference is None else None
        if difference is None:
            difference = self._hash_difference(stored, replayed)
        warm = int((self._times < self._start).sum())
        return Verdict(
            difference, stored, replayed, len(self._times) - warm - int(self._opened() is not None),
            warm, self._fills, len(self._models), self._notes(),
        )  # fmt: skip

    def _first_difference(self) -> Difference | None:
        difference = check_models(self._folder, self._config, self._snapshot, self._models)
        if difference is not None:
            return difference
        engine = replay_engine(self._folder, self._config, self._snapshot, self._models)
        runner = Runner(engine, engine.initial(), TwinRecorder(self._twin), self._ledger)
        for row in self._models:
            runner.activate(Activation(row.effective_from, row.model_id), row.due)
        for after, to, times in self._spans():
            difference = self._span(runner, after, to, times)
            if difference is not None:
                return difference
            if self._progress is not None:
                self._progress(int(np.searchsorted(self._times, to, "right")), len(self._times))
        return self._state_difference(runner)

    def _spans(self) -> Iterator[tuple[int, int, I64]]:
        """Yield (after, to, times): closed bars in blocks, then all that is stored behind them."""
        closed, opened = self._times, self._opened()
        if opened is not None:
            closed = closed[closed < opened]
        n = len(closed)
        first = int(np.searchsorted(closed, self._start))
        edges = sorted({*range(0, first, BLOCK_BARS), *range(first, n, BLOCK_BARS), n})
        after = EARLIEST
        for a, b in itertools.pairwise(edges):
            yield after, int(closed[b - 1]), closed[a:b]
            after = int(closed[b - 1])
        yield after, LATEST, self._times[n:]

    def _span(self, runner: Runner, after: int, to: int, times: I64) -> Difference | None:
        block, difference = check_bars(
            self._snapshot.rows("bars", after, to), times, self._snapshot.symbols
        )
        difference = difference or self._gap(after, times)
        if difference is not None:
            return difference
        if to == LATEST:
            difference = self._open(runner, block)
            if difference is not None:
                return difference
        elif block is not None:
            if times[0] < self._start:
                runner.warm(block)
            else:
                runner.step(block)
        found = earliest([self._table(name, after, to) for name in TABLES])
        self._twin.clear()
        return self._missing_bar(found, times)

    def _open(self, runner: Runner, block: BarBlock | None) -> Difference | None:
        """Open the bar that the committed state says is open; nothing else lies behind the last."""
        opened = self._opened()
        times = [] if block is None else block.open_time.tolist()
        if opened is not None and times[:1] != [opened]:
            return Difference("bars", "row", opened, None, MISSING, "the bar that is open")
        if len(times) > 1:
            return Difference("bars", "row", times[1], None, "a row", MISSING)
        if block is not None:
            runner.open(block)
        return None

    def _table(self, table: str, after: int, to: int) -> Difference | None:
        stored, replayed = self._snapshot.rows(table, after, to), self._twin.rows(table)
        if table == "fills":
            self._fills += len(stored)
        return first_difference(table, self._snapshot.columns(table), stored, replayed)

    def _gap(self, after: int, times: I64) -> Difference | None:
        """Name a bar that no symbol has a row of, where the grid has no holes."""
        names = self._snapshot.symbols
        venue = self._config.market.venue
        if any(has_sessions(split_symbol(name, venue)[0]) for name in names):
            return None
        step = INTERVAL_MS[self._config.market.interval]
        known = times if after == EARLIEST else np.concatenate([[after], times])
        holes = np.flatnonzero(np.diff(known) != step)
        if not len(holes):
            return None
        return Difference(
            "bars", "row", int(known[holes[0]]) + step, None, MISSING, "one a bar and symbol"
        )

    def _missing_bar(self, found: Difference | None, times: I64) -> Difference | None:
        """Blame the bars where the ledger and the chain know a bar that they do not have."""
        if found is None or found.replayed != MISSING or found.open_time in times:
            return found
        at = found.open_time or 0
        if all(self._snapshot.rows(table, at - 1, at) for table in ("ledger", "chain")):
            return Difference("bars", "row", at, None, MISSING, "one a bar and symbol")
        return found

    def _opened(self) -> int | None:
        """Return the bar that is open and not closed, by the committed state."""
        if self._state is None or not self._state["engine.clock"][1]:
            return None
        return int(self._state["engine.clock"][0])

    def _state_difference(self, runner: Runner) -> Difference | None:
        faults = self._snapshot.faults()
        if faults is not None:
            return Difference(
                self._folder.journal.name, "integrity_check", None, None, faults, "ok"
            )
        if self._state is not None:
            told, bar = self._snapshot.state_bar(), runner.state.last_open
            if told != bar:
                return Difference("state", "open_time", None, None, told, bar)
            return state_difference(self._state, state_to_arrays(runner.state))
        return (
            Difference("state", "row", None, None, MISSING, "a row") if len(self._times) else None
        )

    def _hash_difference(self, stored: str | None, replayed: str | None) -> Difference | None:
        told = self._snapshot.meta.get("ledger_sha256", stored)
        if self._snapshot.meta.get("mode") == "backtest" and told != stored:
            return Difference("meta", "ledger_sha256", None, None, told, stored)
        if stored != replayed:
            return Difference("ledger", "sha256", None, None, stored, replayed)
        return None

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if self._snapshot.meta.get("config_hash") != config_hash(self._config):
            notes.append(
                "config.toml is not what the run was started with, or another version of the bot "
                "wrote it: a difference may come from there"
            )
        if "forecasts" in self._snapshot.meta:
            notes.append("the forecasts came from a file: they were given to the replay")
        return tuple(notes)

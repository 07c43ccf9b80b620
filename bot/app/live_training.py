"""Retraining beside the live loop: when due, from what, and at which bar the model takes over.

Rules: the trigger and the seeds are the backtest's; the worker process reads its rows from the
journal, so bars go on meanwhile. A model takes effect at the bar planned for it, or at the first
one after it is ready, recorded as late. A training that fails is tried again at later bars, until
the next one is due; it never stops the loop.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.adapters.journal_reader import JournalReader
from bot.app.archive import Archive
from bot.app.training import TrainingDone, TrainingPool, TrainingRequest, TrainingRows
from bot.app.triggers import DueBars
from bot.blocks import I64
from bot.config import Config
from bot.engine import Activation
from bot.errors import BotError, DataError
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.timegrid import INTERVAL_MS

LONGEST_WAIT_BARS = 64
PART_BARS = 4096
"""Bars read at once: a window of years must not need all of them in memory."""


@dataclass(frozen=True)
class JournalRows:
    """The rows of a training, read from a run's journal in the worker."""

    journal: Path
    due_ms: int
    config: Config
    symbols: tuple[str, ...]

    def load(self) -> TrainingRows:
        """Read the bars up to the due one and cut the rows that were known at its close."""
        interval_ms = INTERVAL_MS[self.config.market.interval]
        pipeline = FeaturePipeline(self.config.features, self.symbols, interval_ms)
        archive = Archive(self.config, target_tasks(self.config.targets))
        state = pipeline.initial()
        reader = JournalReader(self.journal)
        first = reader.first_bar() or 0
        due_index = (self.due_ms - first) // interval_ms
        for since in range(first, self.due_ms + 1, PART_BARS * interval_ms):
            until = min(since + (PART_BARS - 1) * interval_ms, self.due_ms)
            bars, _ = reader.bars(until, since)
            state, features = pipeline.advance(state, bars)
            archive.extend(bars, features)
            archive.drop_before(due_index)
        reader.close()
        dataset = archive.dataset(due_index)
        if len(dataset) < self.config.training.min_rows:
            raise DataError(
                f"{len(dataset)} labelled rows at {self.due_ms}, training.min_rows is "
                f"{self.config.training.min_rows}; it waits for the next due bar"
            )
        return archive.training_rows(dataset)


class LiveTraining:
    """Train beside the loop; at most one training is under way."""

    def __init__(
        self, config: Config, config_hash: str, symbols: tuple[str, ...], features: tuple[str, ...],
        journal: Path, models: Path, parent_due_ms: int | None, log: Any,
    ) -> None:  # fmt: skip
        self._config = config
        self._hash = config_hash
        self._symbols = symbols
        self._features = features
        self._journal = journal
        self._models = models
        self._log = log
        self._interval_ms = INTERVAL_MS[config.market.interval]
        self.due_bars = DueBars(config.retrain, self._interval_ms)
        self._pool = TrainingPool(1)
        self._future: Future[TrainingDone] | None = None
        self._due_ms: int | None = None
        self._parent_due_ms = parent_due_ms
        self._failures = 0
        self._again_ms: int | None = None

    @property
    def due_ms(self) -> int | None:
        """Return the due bar of the training that is under way or to be tried again."""
        return self._due_ms

    @property
    def running(self) -> bool:
        """Return whether a worker is training."""
        return self._future is not None and not self._future.done()

    def last_due(self, first_open: int, last_open: int) -> int | None:
        """Return the newest due bar in first_open..last_open, on a grid without holes."""
        times = np.arange(first_open, last_open + 1, self._interval_ms, dtype=np.int64)
        due = np.flatnonzero(self.due_bars.due(times))
        return int(times[due[-1]]) if len(due) else None

    def closed(self, open_time: I64) -> None:
        """Look at bars that have closed: is a training due, or one to be tried again?

        Of several that are due only the newest is worth a training.
        """
        due = open_time[self.due_bars.due(open_time)]
        if len(due):
            self.start(int(due[-1]))
        elif self._again_ms is not None and open_time[-1] >= self._again_ms:
            self._submit()

    def start(self, due_ms: int) -> None:
        """Start the training due at this bar; one still under way is ended and given up."""
        if self.running:
            self._log.warning(
                "training_failed", due=self._due_ms, failures=self._failures,
                reason="the next training is due; this one is ended",
            )  # fmt: skip
            self._pool.shutdown()
            self._pool = TrainingPool(1)
        self._due_ms, self._failures = due_ms, 0
        self._submit()

    def take(self, open_time: int) -> tuple[TrainingDone, Activation, int, bool] | None:
        """Return the model that takes effect at this bar, once it is ready: (…, due, late)."""
        if self._future is None or self._due_ms is None or not self._future.done():
            return None
        planned = self._due_ms + self._config.retrain.latency_bars * self._interval_ms
        if open_time < planned:
            return None
        future, self._future = self._future, None
        try:
            done = future.result()
        except BotError as error:
            self._failed(open_time, error)
            return None
        due, self._parent_due_ms, self._due_ms = self._due_ms, self._due_ms, None
        return done, Activation(open_time, done.model_id), due, open_time > planned

    async def wait(self) -> None:
        """Wait for the training that is under way."""
        if self._future is not None:
            waiting = asyncio.wrap_future(self._future)
            waiting.add_done_callback(_look_at)  # `take` tells of a failure; asyncio need not
            await asyncio.wait([waiting])

    def shutdown(self) -> None:
        """End what is under way; it starts again with the run."""
        self._pool.shutdown()

    def _submit(self) -> None:
        assert self._due_ms is not None
        self._again_ms = None
        request = TrainingRequest(
            config=self._config,
            features=self._features,
            source=JournalRows(self._journal, self._due_ms, self._config, self._symbols),
            due_ms=self._due_ms,
            config_hash=self._hash,
            parent_due_ms=self._parent_due_ms,
            folder=self._models,
        )
        self._future = self._pool.submit(request, self._config.training.time_limit_s)
        self._log.info("training_started", due=self._due_ms)

    def _failed(self, open_time: int, error: BotError) -> None:
        self._failures += 1
        self._log.error(
            "training_failed", due=self._due_ms, failures=self._failures, reason=str(error)
        )
        if isinstance(error, DataError):
            self._due_ms = None  # no better before the next due bar
            return
        wait = min(2 ** (self._failures - 1), LONGEST_WAIT_BARS)
        self._again_ms = open_time + wait * self._interval_ms


def _look_at(future: asyncio.Future[TrainingDone]) -> None:
    if not future.cancelled():
        future.exception()

"""Retraining beside the live loop: when due, from what, and at which bar the model takes over.

Rules: the trigger and the seeds are the backtest's; the worker process reads its rows from the
record, so bars go on meanwhile. A model takes effect at the bar planned for it, or at the first
one after it is ready, recorded as late. A run that has no model gets one at its start. A training that is under way when the next is due goes on;
one that fails is tried again at later bars, until the next is due. Nothing of this stops the loop.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.adapters.files.models import load_model
from bot.adapters.system.disk_room import DiskRoom
from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.app.training.archive import Archive
from bot.app.training.first import FirstTraining, UnfitRowsError
from bot.app.training.pool import TrainingPool
from bot.app.training.progress import tell_trained
from bot.app.training.request import TrainingDone, TrainingRequest, TrainingRows, needed_tasks
from bot.app.training.triggers import DueBars
from bot.blocks import I64
from bot.config import Config
from bot.engine_state import Activation
from bot.errors import BotError, DataError, ModelError
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.model.training.train import parts_of
from bot.timegrid import INTERVAL_MS

LONGEST_WAIT_BARS = 64
PART_BARS = 4096
"""Bars read at once: a window of years must not need all of them in memory."""


@dataclass(frozen=True)
class RecordedRows:
    """The rows of a training, read from a run's record in the worker."""

    folder: RunFolder
    due_ms: int
    config: Config
    symbols: tuple[str, ...]

    def load(self) -> TrainingRows:
        """Read the bars up to the due one and cut the rows that were known at its close."""
        interval_ms = INTERVAL_MS[self.config.market.interval]
        pipeline = FeaturePipeline(self.config.features, self.symbols, interval_ms)
        archive = Archive(
            self.config, target_tasks(self.config.targets), DiskRoom(self.folder.models)
        )
        state = pipeline.initial()
        with open_record(self.folder, follow=True) as record:
            first = record.span("bars").first or 0
            due_index = (self.due_ms - first) // interval_ms
            for after in range(first - 1, self.due_ms, PART_BARS * interval_ms):
                bars = record.bars(after, min(after + PART_BARS * interval_ms, self.due_ms))
                state, features = pipeline.advance(state, bars)
                archive.extend(bars, features)
                archive.drop_before(due_index)
        dataset = archive.dataset(due_index)
        try:
            parts_of(dataset, self.config.training, needed_tasks(self.config))
        except DataError as error:
            raise UnfitRowsError(str(error), len(dataset)) from None
        return archive.training_rows(dataset)


class LiveTraining:
    """Train beside the loop, one training at a time, in the order in which they were due."""

    def __init__(
        self, config: Config, *, config_hash: str, features: tuple[str, ...], folder: RunFolder,
        parent_due_ms: int | None, log: Any, due_bars: DueBars,
    ) -> None:  # fmt: skip
        self._config = config
        self._hash = config_hash
        self._symbols = config.market.symbols
        self._features = features
        self._folder, self._models = folder, folder.models
        self._log = log
        self._interval_ms = INTERVAL_MS[config.market.interval]
        self.due_bars = due_bars
        self._pool = TrainingPool(1)
        self._parent_due_ms = parent_due_ms
        self._wanted: list[int] = []
        self._under_way: tuple[int, Future[TrainingDone]] | None = None
        self._ready: list[tuple[int, TrainingDone]] = []
        self._failures = 0
        self._not_before_ms: int | None = None
        self._first: FirstTraining | None = None

    @property
    def running_due(self) -> int | None:
        """Return the due bar of the training that a worker is at."""
        if self._under_way is None or self._under_way[1].done():
            return None
        return self._under_way[0]

    @property
    def expected(self) -> bool:
        """Return whether a model may come of what is wanted, under way or ready."""
        return bool(self._wanted or self._under_way or self._ready)

    def next_due_ms(self, after_ms: int) -> int | None:
        """Return the close at which a training is due next, by the schedule or for the start."""
        scheduled = self.due_bars.next_fire_ms(after_ms)
        if self._first is None or self._first.next is None:
            return scheduled
        tried = self._first.next + self._interval_ms
        return tried if scheduled is None else min(tried, scheduled)

    def begin(self, start_ms: int, first_open: int) -> None:
        """Have a model trained for the start of a run that has none, unless the schedule gives one.

        Args:
            start_ms: open time of the first bar that is traded, or would be if nothing delays it.
            first_open: open time of the oldest bar.
        """
        self._first = FirstTraining(
            self._config, len(self._symbols), start_ms, first_open, step=self._interval_ms
        )

    async def first_model(self, last_open: int) -> None:
        """Wait until there is a model, or until none can come of the bars there are."""
        self.go_on(last_open)
        while self._under_way is not None and not self._ready:
            await self.wait()
            self.go_on(last_open)

    async def model_of(self, due_ms: int) -> str:
        """Train for a due bar of the past and wait for it, unless that model lies there; return its id.

        Raises:
            DataError: there is too little to learn from.
            ModelError: the training failed.
        """
        found = self._lies_there(due_ms)
        if found is None:
            self._submit(due_ms)
            await self.wait()
            assert self._under_way is not None
            (_, future), self._under_way = self._under_way, None
            done = future.result()
            tell_trained(self._log, self._models, done, due_ms)
            found = done.model_id
        self._parent_due_ms = due_ms
        return found

    def _lies_there(self, due_ms: int) -> str | None:
        """Return the model of this due bar that an earlier process of this run has left."""
        wanted = {
            "due_ms": due_ms, "config_hash": self._hash, "parent_due_ms": self._parent_due_ms,
        }  # fmt: skip
        for path in sorted(self._models.glob("*.json")):
            with suppress(ModelError):  # one that is damaged is made again
                _, manifest = load_model(self._models, path.stem)
                if all(manifest.get(key) == value for key, value in wanted.items()):
                    return path.stem
        return None

    def unmade(self, first_open: int, last_open: int, after: int | None) -> list[int]:
        """Return the due bars in first_open..last_open, and after one, that are worth a training."""
        times = np.arange(first_open, last_open + 1, self._interval_ms, dtype=np.int64)
        dues = times[self.due_bars.due(times)].tolist()
        return [due for due in self._worth(dues, last_open) if after is None or due > after]

    def closed(self, open_time: I64) -> None:
        """Look at bars that have closed: what is due is trained as soon as the worker is free."""
        for due in open_time[self.due_bars.due(open_time)].tolist():
            self.want(due)
        self.go_on(int(open_time[-1]))

    def want(self, due_ms: int) -> None:
        """Have a training made for this due bar; what failed before is not waited for."""
        known = [*self._wanted, *(due for due, _ in self._ready)]
        if due_ms in known or (self._under_way is not None and due_ms == self._under_way[0]):
            return
        self._wanted.append(due_ms)
        self._failures, self._not_before_ms = 0, None

    def go_on(self, last_open: int) -> None:
        """Take what is finished, and start what is wanted; `last_open` is the last closed bar."""
        self._collect(last_open)
        if self._under_way is None and self._first is not None and not self._ready:
            tried = self._first.next
            if tried is not None and tried <= last_open and tried < min([tried + 1, *self._wanted]):
                self._wanted.insert(0, tried)
        too_early = self._not_before_ms is not None and last_open < self._not_before_ms
        if self._under_way is None and self._wanted and not too_early:
            self._wanted = self._worth(self._wanted, last_open)
            self._submit(self._wanted.pop(0))

    def take(self, open_time: int) -> tuple[Activation, int, bool] | None:
        """Return the model that takes effect at this bar, once it is ready: (activation, due, late).

        Of several whose bar has come it is the newest.
        """
        self._collect(open_time)
        come = [ready for ready in self._ready if self.planned(ready[0]) <= open_time]
        if not come:
            return None
        due, done = come[-1]
        self._ready = self._ready[len(come) :]
        return Activation(open_time, done.model_id), due, open_time > self.planned(due)

    async def wait(self) -> None:
        """Wait for the training that is under way."""
        if self._under_way is not None:
            waiting = asyncio.wrap_future(self._under_way[1])
            waiting.add_done_callback(_look_at)  # `take` tells of a failure; asyncio need not
            await asyncio.wait([waiting])

    def shutdown(self) -> None:
        """End what is under way; it starts again with the run."""
        self._pool.shutdown()

    def planned(self, due_ms: int) -> int:
        """Return the first bar that the model of a due bar decides on, if it is ready by then."""
        return due_ms + self._config.retrain.latency_bars * self._interval_ms

    def _worth(self, dues: list[int], last_open: int) -> list[int]:
        """Return those whose bar lies ahead, and of those whose bar has come the newest."""
        come = [due for due in dues if self.planned(due) <= last_open + self._interval_ms]
        return [*come[-1:], *dues[len(come) :]]

    def _submit(self, due_ms: int) -> None:
        self._not_before_ms = None
        request = TrainingRequest(
            config=self._config,
            features=self._features,
            source=RecordedRows(self._folder, due_ms, self._config, self._symbols),
            due_ms=due_ms,
            config_hash=self._hash,
            parent_due_ms=self._parent_due_ms,
            folder=self._models,
        )
        self._under_way = due_ms, self._pool.submit(request, self._config.training.time_limit_s)
        self._log.info("training_started", due=due_ms)

    def _collect(self, open_time: int) -> None:
        if self._under_way is None or not self._under_way[1].done():
            return
        (due, future), self._under_way = self._under_way, None
        try:
            done = future.result()
        except BotError as error:
            self._failed(due, open_time, error)
            return
        self._failures, self._parent_due_ms, self._first = 0, due, None
        self._ready.append((due, done))
        tell_trained(self._log, self._models, done, due)

    def _failed(self, due: int, open_time: int, error: BotError) -> None:
        if isinstance(error, DataError):  # no better before a later bar
            if self._first is not None:
                self._first.unfit(due, error.rows if isinstance(error, UnfitRowsError) else None)
            self._log.warning("training_skipped", due=due, reason=str(error))
            return
        self._failures += 1
        self._log.error("training_failed", due=due, failures=self._failures, reason=str(error))
        wait = min(2 ** (self._failures - 1), LONGEST_WAIT_BARS)
        self._wanted.insert(0, due)
        self._not_before_ms = open_time + wait * self._interval_ms


def _look_at(future: asyncio.Future[TrainingDone]) -> None:
    if not future.cancelled():
        future.exception()

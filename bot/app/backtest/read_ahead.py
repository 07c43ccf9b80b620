"""Read a history ahead of the engine, so that trainings run side by side in processes.

Owns the backtest's trainings: at each due bar it cuts the rows known by then and sends them to a
worker; the engine gets a block only with every model that decides in it. Rules: at most `workers`
trainings beyond the one waited for are under way; a due bar with too little to learn from is
skipped and reported; what is sent never depends on how far ahead it reads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.adapters.system.heap import give_back
from bot.app.training.archive import Archive
from bot.app.training.first import FirstTraining
from bot.app.training.pool import TrainingPool
from bot.app.training.request import TrainingDone, TrainingRequest, needed_tasks
from bot.app.training.triggers import Due
from bot.blocks import BarBlock
from bot.config import Config
from bot.errors import DataError
from bot.features.pipeline import FeaturePipeline
from bot.model.training.train import parts_of


@dataclass(frozen=True)
class Planned:
    """A model that decides from bar `index` on, once it is trained."""

    index: int
    due_ms: int
    future: Future[TrainingDone]


class ReadAhead:
    """Give blocks in order, each with the models planned for it."""

    def __init__(
        self,
        config: Config,
        config_hash: str,
        pipeline: FeaturePipeline,
        archive: Archive,
        pool: TrainingPool,
        folder: Path,
        log: Any,
    ) -> None:
        self._config = config
        self._config_hash = config_hash
        self._pipeline = pipeline
        self._archive = archive
        self._pool = pool
        self._folder = folder
        self._log = log
        self._planned: deque[Planned] = deque()
        self._parent: int | None = None

    def blocks(
        self, source: Iterable[BarBlock], dues: list[Due], first: FirstTraining
    ) -> Iterator[tuple[int, BarBlock, list[Planned]]]:
        """Yield (index of the first bar, block, models that start to decide in it).

        Args:
            source: blocks of any length; they are cut at each due bar.
            dues: in order of time.
            first: the training at the start, by the indices of bars.
        """
        waiting: deque[tuple[int, BarBlock]] = deque()
        open_dues = deque(dues)
        state = self._pipeline.initial()
        for whole in source:
            rest = whole
            while len(rest):
                start = self._archive.end
                due = self._next_due(open_dues, first)
                if due is None:
                    yield from self._without_trainings(waiting, start, rest)
                    break
                ends = min(due.index + 1 - start, len(rest))
                block, rest = rest.rows(0, ends), rest.rows(ends, len(rest))
                state, features = self._pipeline.advance(state, block)
                block = self._archive.extend(block, features)
                del features
                waiting.append((start, block))
                if self._archive.end == due.index + 1:
                    self._submit(due, block, first, tried=due not in open_dues)
                    if due in open_dues:
                        open_dues.popleft()
                    due = self._next_due(open_dues, first)
                if due is not None:
                    self._archive.drop_before(due.index)
                while waiting and len(self._planned) > self._config.training.workers:
                    yield self._next(waiting)
        while waiting:
            yield self._next(waiting)

    def _without_trainings(
        self, waiting: deque[tuple[int, BarBlock]], start: int, block: BarBlock
    ) -> Iterator[tuple[int, BarBlock, list[Planned]]]:
        """Yield what waits, then a block behind the last bar that any training is due at."""
        self._archive.skip(len(block))
        waiting.append((start, block))
        while waiting:
            yield self._next(waiting)

    def _next_due(self, dues: deque[Due], first: FirstTraining) -> Due | None:
        """Return the next bar at which a training is due, by the schedule or at the start."""
        scheduled = dues[0] if dues else None
        index = first.next_of(None if scheduled is None else scheduled.index)
        if index is None or (scheduled is not None and index == scheduled.index):
            return scheduled
        return Due(index, index + self._config.retrain.latency_bars)

    def _next(self, waiting: deque[tuple[int, BarBlock]]) -> tuple[int, BarBlock, list[Planned]]:
        start, block = waiting.popleft()
        models = []
        while self._planned and self._planned[0].index < start + len(block):
            models.append(self._planned.popleft())
        return start, block, models

    def _submit(self, due: Due, block: BarBlock, first: FirstTraining, *, tried: bool) -> None:
        dataset = self._archive.dataset(due.index)
        due_ms = int(block.open_time[-1])
        try:
            parts_of(dataset, self._config.training, needed_tasks(self._config))
        except DataError as error:
            first.unfit(due.index, len(dataset))
            if not tried:
                self._log.warning("training_skipped", due=due_ms, reason=str(error))
            return
        first.enough()
        request = TrainingRequest(
            config=self._config,
            features=self._pipeline.names,
            source=self._archive.source(dataset),
            due_ms=due_ms,
            config_hash=self._config_hash,
            parent_due_ms=self._parent,
            folder=self._folder,
        )
        self._parent = due_ms
        self._log.info("training_submitted", due=due_ms, rows=len(dataset))
        give_back()
        self._planned.append(Planned(due.effective_index, due_ms, self._pool.submit(request)))

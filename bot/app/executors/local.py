"""Units in fresh processes of this machine, by the pool that trains for backtests too."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic

from bot.app.executors.units import D, R, SharedData, Work
from bot.app.training.pool import TrainingPool
from bot.config import Config


@dataclass(frozen=True)
class LocalJob(Generic[D, R]):
    """A unit with its data, as the pool takes it: the data are loaded in the unit's process."""

    unit: Work[D, R]
    data: SharedData[D]

    @property
    def config(self) -> Config:
        """Return the unit's settings."""
        return self.unit.config

    @property
    def label(self) -> str:
        """Return the unit's label."""
        return self.unit.label

    def run(self) -> R:
        """Load the data and run the unit."""
        return self.unit.run(self.data.load())


class LocalExecutor:
    """Processes of this machine."""

    def __init__(self, workers: int) -> None:
        self.slots = workers
        self._pool = TrainingPool(workers)

    def submit(self, unit: Work[D, R], data: SharedData[D]) -> Future[R]:
        """Run a unit in a process of its own."""
        return self._pool.submit(LocalJob(unit, data))

    def shutdown(self) -> None:
        """Drop what has not started and end what is running."""
        self._pool.shutdown()

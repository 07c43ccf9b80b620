"""The rows of a training that lie on the disk, and how they reach the process that trains on them.

Rules: a process that is started for them maps the same files, which have no name; nothing is copied and
nothing is left behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.adapters.system.disk_room import DiskRoom, SentArrays
from bot.app.training.request import TrainingRows
from bot.blocks import Arrays, Task
from bot.model.dataset import Dataset


@dataclass(frozen=True)
class RowsOnDisk:
    """Rows that read a bar each, in a room on the disk."""

    rows: TrainingRows
    disk: DiskRoom

    def load(self) -> TrainingRows:
        """Return them."""
        return self.rows

    def __reduce__(self) -> tuple[Any, ...]:
        dataset = self.rows.dataset
        arrays = {
            "x": dataset.x, "y": dataset.y, "bar": dataset.bar, "symbol": dataset.symbol,
            "known_at": dataset.known_at,
        }  # fmt: skip
        about = dataset.tasks, dataset.symbols, self.rows.first_ms, self.rows.last_ms
        return _arrived, (SentArrays(self.disk, arrays), *about)


def _arrived(
    arrays: Arrays, tasks: tuple[Task, ...], symbols: tuple[str, ...], first_ms: int, last_ms: int
) -> TrainingRows:
    """Return the rows in the process that they were sent to."""
    dataset = Dataset(
        x=arrays["x"], y=arrays["y"], bar=arrays["bar"], symbol=arrays["symbol"], tasks=tasks,
        known_at=arrays["known_at"], symbols=symbols,
    )  # fmt: skip
    return TrainingRows(dataset, first_ms, last_ms)

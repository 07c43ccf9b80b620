"""A training as a pure function: what it is asked, what it leaves behind.

Rules: a training is seeded by the run and the due time and depends on its request only; the backtest
and the daemon send the same requests. Must not know in which process it runs: `pool` does.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bot.adapters.files.models import save_model
from bot.adapters.system.disk_room import DiskRoom
from bot.app.symbols import traded_symbols
from bot.blocks import F64, Task
from bot.config import Config
from bot.config.needed_heads import needed_heads
from bot.errors import DataError
from bot.model.dataset import Dataset
from bot.model.room import spans, squares_of
from bot.model.row_forecasts import forecasts_of
from bot.model.threads import single_thread
from bot.model.trained import TrainedModel
from bot.model.training.train import train
from bot.parts.plugins import digests_of


@dataclass(frozen=True)
class TrainingRows:
    """The rows of a training, and the open times of the first and last of their bars."""

    dataset: Dataset
    first_ms: int
    last_ms: int

    def load(self) -> TrainingRows:
        """Return them: they are here already."""
        return self


class RowsSource(Protocol):
    """Where a training's rows come from; a journal is read in the worker, not in the daemon."""

    def load(self) -> TrainingRows:
        """Return the rows."""
        ...


@dataclass(frozen=True)
class TrainingRequest:
    """All that a training depends on, and what its manifest says of it."""

    config: Config
    features: tuple[str, ...]
    source: RowsSource
    due_ms: int
    config_hash: str
    parent_due_ms: int | None
    folder: Path

    @property
    def label(self) -> str:
        """What it is called in errors."""
        return f"the training due at {self.due_ms}"

    def run(self) -> TrainingDone:
        """Train and save the model."""
        return run_training(self)


@dataclass(frozen=True)
class TrainingDone:
    """What a training has left in the registry."""

    model_id: str
    rows: int
    best_epoch: int
    seconds: float


def training_seed(seed: int, due_ms: int) -> int:
    """Return the seed of a training, from the run's seed and the due time.

    >>> training_seed(7, 0) == training_seed(7, 0) != training_seed(8, 0)
    True
    """
    digest = hashlib.sha256(f"{seed}:{due_ms}".encode()).digest()
    return int.from_bytes(digest[:4], "little")


def run_training(request: TrainingRequest) -> TrainingDone:
    """Train, save the model with its manifest, and say what was done."""
    single_thread()
    started = time.perf_counter()
    config = request.config
    seed = training_seed(config.run.seed, request.due_ms)
    rows = request.source.load()
    if rows.dataset.lookback == 1:
        rows = replace(rows, dataset=replace(rows.dataset, room=DiskRoom(request.folder)))
    trained = train(rows.dataset, config.model, config.training, seed, needed=needed_tasks(config))
    check_trained(trained, config)
    manifest: dict[str, Any] = {
        "features": list(request.features),
        "symbols": list(traded_symbols(config)),
        "interval": config.market.interval,
        "due_ms": request.due_ms,
        "rows": len(rows.dataset),
        "first_ms": rows.first_ms,
        "last_ms": rows.last_ms,
        "data_sha256": rows.dataset.digest(),
        "config_hash": request.config_hash,
        "parent_due_ms": request.parent_due_ms,
        "variance_scales": variance_scales(trained, rows.dataset),
        "untrained": [task.name for task in trained.untrained],
    }
    if config.plugins:
        manifest["parts"] = digests_of(config.plugins)
    model_id = save_model(request.folder, trained, manifest)
    return TrainingDone(
        model_id,
        len(rows.dataset),
        int(trained.metrics["best_epoch"]),
        time.perf_counter() - started,
    )


def needed_tasks(config: Config) -> tuple[Task, ...]:
    """Return the tasks whose heads the account reads."""
    return tuple(Task(kind, horizon) for kind, horizon in needed_heads(config))


def check_trained(trained: TrainedModel, config: Config) -> None:
    """Refuse a model that must not trade.

    Raises:
        DataError: a head that the account reads was never trained.
    """
    lost = [task.name for task in trained.untrained if task in needed_tasks(config)]
    if lost:
        raise DataError(
            f"training: {', '.join(lost)} had no weight in any epoch, and the account reads it; "
            "set training.weighting = 'fixed', or another curriculum"
        )


def variance_scales(trained: TrainedModel, dataset: Dataset) -> dict[str, float]:
    """Return for each volatility head the mean of (target / forecast)² over the training rows.

    It turns a forecast of a mean deviation into one of a variance, for QLIKE. A head without labels
    has none.
    """
    scales: dict[str, float] = {}
    heads = [k for k, task in enumerate(dataset.tasks) if task.kind == "volatility"]
    if heads:
        forecast = forecasts_of(trained, dataset)
        for k in heads:
            ratio: F64 = dataset.room.empty(len(dataset))
            np.divide(dataset.y[:, k], forecast[:, k], out=ratio)
            known = sum(int((~np.isnan(ratio[span])).sum()) for span in spans(len(ratio)))
            if known == 0:
                continue
            squares = squares_of(ratio, dataset.room)
            for span in spans(len(squares)):  # as np.nanmean does, which copies
                squares[span][np.isnan(squares[span])] = 0.0
            scales[dataset.tasks[k].name] = float(squares.sum() / known)
    return scales

"""Training in a process of its own: one thread, seeded by the run and the due time.

Rules: a training is a pure function of its request; every one runs in a fresh process, so that
nothing carries over. The backtest and the daemon send the same requests.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import queue
import resource
import signal
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from bot.adapters.files.models import save_model
from bot.app.symbols import traded_symbols
from bot.blocks import Task
from bot.config import Config
from bot.config.needed_heads import needed_heads
from bot.errors import BotError, DataError, ModelError
from bot.model.dataset import Dataset
from bot.model.predict import Predictor
from bot.model.threads import single_thread
from bot.model.trained import TrainedModel
from bot.model.training.train import train
from bot.parts.plugins import load_plugins, loaded

END_PATIENCE_S = 0.3
"""For processes that were ended to be gone; a daemon has a second to stop in all."""

Done_co = TypeVar("Done_co", covariant=True)


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
    if loaded():
        manifest["parts"] = loaded()
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
        forecast = Predictor(trained).predict(*dataset.as_bars())[:, 0]
        for k in heads:
            ratio = dataset.y[:, k] / forecast[:, k]
            if np.isnan(ratio).all():
                continue
            scales[dataset.tasks[k].name] = float(np.nanmean(ratio * ratio))
    return scales


class Job(Protocol[Done_co]):
    """What the pool runs: picklable, and a pure function of itself."""

    @property
    def config(self) -> Config:
        """The settings, whose training.memory_limit_mb bounds the process."""
        ...

    @property
    def label(self) -> str:
        """What it is called in errors."""
        ...

    def run(self) -> Done_co:
        """Do it."""
        ...


class TrainingPool:
    """Run trainings side by side, each in a fresh process of one thread that can be ended.

    The threads that wait for the processes are daemons: a process takes seconds to start where it
    is the first, and one that is being started cannot be ended; nobody waits for it.
    """

    def __init__(self, workers: int) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["bot.app.training.preload"])
        self._workers = workers
        self._threads: list[threading.Thread] = []
        self._waiting: queue.SimpleQueue[tuple[Future[Any], Job[Any], float | None] | None]
        self._waiting = queue.SimpleQueue()
        self._running: set[BaseProcess] = set()
        self._closed = False

    def submit(self, request: Job[Done_co], time_limit_s: float | None = None) -> Future[Done_co]:
        """Start a training as soon as a worker is free; it holds a thread that only waits.

        The future raises ModelError where the worker dies or exceeds its time, and the training's
        own error where it refuses.
        """
        future: Future[Done_co] = Future()
        self._waiting.put((future, request, time_limit_s))
        if len(self._threads) < self._workers:
            thread = threading.Thread(target=self._work_off, name="training", daemon=True)
            thread.start()
            self._threads.append(thread)  # Ctrl-C may come in between: only what runs is joined
        return future

    def shutdown(self) -> None:
        """Drop what has not started and end what is running."""
        self._closed = True
        with suppress(queue.Empty):
            while (item := self._waiting.get_nowait()) is not None:
                item[0].cancel()
        for _ in self._threads:
            self._waiting.put(None)
        for process in list(self._running):
            process.kill()
        patient_until = time.monotonic() + END_PATIENCE_S
        for thread in self._threads:
            thread.join(max(patient_until - time.monotonic(), 0.0))

    def _work_off(self) -> None:
        """Run what waits, one after the other."""
        _leave_interrupts_to_parent()
        while (item := self._waiting.get()) is not None:
            future, request, time_limit_s = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._run(request, time_limit_s))
            except Exception as error:  # noqa: BLE001 - it is raised where the result is taken
                future.set_exception(error)

    def _run(self, request: Job[Done_co], time_limit_s: float | None) -> Done_co:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(sender, request), daemon=True)
        try:
            process.start()
        except (OSError, EOFError) as error:  # the latter where the process that forks has died
            raise ModelError(f"{request.label} could not be started: {error!r}") from error
        self._running.add(process)
        if self._closed:
            process.kill()
        sender.close()
        try:
            if not receiver.poll(time_limit_s):
                process.kill()
                raise ModelError(
                    f"{request.label} took longer than "
                    f"training.time_limit_s = {time_limit_s:g} and was ended"
                )
            result = receiver.recv()
        except (EOFError, OSError):
            process.join()
            raise ModelError(
                f"{request.label} ended without a result "
                f"(exit code {process.exitcode}); was it killed, or short of memory?"
            ) from None
        finally:
            self._running.discard(process)
            receiver.close()
        process.join()
        if isinstance(result, BotError):
            raise result
        return cast(Done_co, result)


def _leave_interrupts_to_parent() -> None:
    """Block Ctrl-C in this thread; the forkserver and every worker are its heirs in that.

    Python's resource tracker is started first, because its start unblocks Ctrl-C.
    """
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _work(sender: Connection, request: Job[Any]) -> None:
    """Train in the worker process, which ends with the one that started it, however that ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit = request.config.training.memory_limit_mb * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        load_plugins(request.config.plugins)
        sender.send(request.run())
    except BotError as error:
        sender.send(error)
    finally:
        sender.close()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

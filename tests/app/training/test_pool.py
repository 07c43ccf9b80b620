"""Trainings: the same in a process of their own as here, and what becomes of one that fails."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bot.adapters.files.models import load_model
from bot.app.training.pool import TrainingPool
from bot.app.training.request import TrainingRequest, TrainingRows, run_training, training_seed
from bot.blocks import Task
from bot.config import load_config
from bot.errors import DataError, ModelError
from bot.model.dataset import Dataset

TASKS = tuple(Task(kind, 2) for kind in ("return", "direction", "volatility", "volume"))
CONFIG = load_config(
    None,
    ["model.hidden=[8]", "model.head_hidden=4", "training.epochs=1", "training.min_rows=300"],
    {},
)


def rows(n: int = 400) -> Dataset:
    random = np.random.default_rng(1)
    y = random.standard_normal((n, 4))
    y[:, 1] = y[:, 0] > 0
    y[:, 2] = np.abs(y[:, 2]) + 0.1
    bar = np.arange(n, dtype=np.int64)
    return Dataset(random.standard_normal((n, 5)), y, bar, np.zeros(n, np.int64), TASKS)


def request(folder: Path, **changes: object) -> TrainingRequest:
    made = TrainingRequest(
        config=CONFIG, features=tuple("abcde"), source=TrainingRows(rows(), 0, 399), due_ms=400,
        config_hash="c", parent_due_ms=None, folder=folder,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


# Tests are no package, so a worker can only be sent what it can import: functions of Python's own.
DYING = SimpleNamespace(load=partial(os._exit, 9))
ENDLESS = SimpleNamespace(load=signal.pause)


@pytest.fixture(scope="module")
def pool() -> Iterator[TrainingPool]:
    made = TrainingPool(2)
    yield made
    made.shutdown()


def test_a_process_trains_the_same_model(pool: TrainingPool, tmp_path: Path) -> None:
    here = run_training(request(tmp_path / "here"))
    there = pool.submit(request(tmp_path / "there")).result(timeout=60)
    assert there.model_id == here.model_id
    assert there.rows == here.rows == 400
    mine, manifest = load_model(tmp_path / "here", here.model_id)
    theirs, other = load_model(tmp_path / "there", there.model_id)
    assert manifest == other
    for name, weights in mine.weights.items():
        np.testing.assert_array_equal(weights, theirs.weights[name])


def test_what_a_training_refuses_reaches_the_caller(pool: TrainingPool, tmp_path: Path) -> None:
    few = request(tmp_path, source=TrainingRows(rows(50), 0, 49))
    with pytest.raises(
        DataError, match=r"50 labelled rows, at least training\.min_rows = 300 are needed"
    ):
        pool.submit(few).result(timeout=60)


def test_a_process_that_dies_is_reported(pool: TrainingPool, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"due at 400 ended without a result \(exit code 9\)"):
        pool.submit(request(tmp_path, source=DYING)).result(timeout=60)


def test_a_training_beyond_its_time_is_ended(pool: TrainingPool, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="took longer"):
        pool.submit(request(tmp_path, source=ENDLESS), time_limit_s=0.1).result(timeout=60)


def test_a_shut_pool_ends_what_runs_and_drops_what_waits(tmp_path: Path) -> None:
    busy = TrainingPool(1)
    running = busy.submit(request(tmp_path, source=ENDLESS))
    waiting = busy.submit(request(tmp_path, source=ENDLESS))
    busy.shutdown()
    assert waiting.cancelled()
    assert running.cancelled() or isinstance(running.exception(), ModelError)


def test_a_shut_pool_does_not_wait_for_a_process_that_is_being_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starting, let_go = threading.Event(), threading.Event()

    def start(process: ForkServerProcess) -> None:
        starting.set()
        let_go.wait(30.0)
        raise EOFError  # as where the process that forks has died

    monkeypatch.setattr(ForkServerProcess, "start", start)
    slow = TrainingPool(1)
    future = slow.submit(request(tmp_path))
    assert starting.wait(30.0)
    began = time.monotonic()
    slow.shutdown()
    assert time.monotonic() - began < 1.0
    let_go.set()
    with pytest.raises(ModelError, match="due at 400 could not be started: EOFError"):
        future.result(timeout=30)


def test_without_temporary_files_a_training_says_which_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    pool = TrainingPool(1)
    future = pool.submit(request(tmp_path))
    with pytest.raises(ModelError, match=r"could not be started: no folder can be written.*TMPDIR"):
        future.result(timeout=30)
    pool.shutdown()


def test_a_seed_for_each_due_time() -> None:
    seeds = {training_seed(seed, due) for seed in range(20) for due in range(20)}
    assert len(seeds) == 400
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_the_due_time_seeds_the_training(tmp_path: Path) -> None:
    one, two = (run_training(request(tmp_path, due_ms=due)) for due in (400, 401))
    assert one.model_id != two.model_id

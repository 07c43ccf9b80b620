"""What a unit costs: both engines get the same units, and the arithmetic of needs is arithmetic."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from bot.app.executors import local
from bot.app.executors.local import LocalJob
from scripts.unit_costs.measuring import Sizes, cost_of, cpu_of_tree, sizes_of, study_of
from scripts.unit_costs.needs import StudyPlanned, needs, rates

SETS = [
    "synthetic.symbols=1", "synthetic.bars=2200", "features.names=core", "model.hidden=[8]", "model.head_hidden=4",
    "training.epochs=1", "training.min_rows=300", "training.window_bars=700", "features.medium_window=30",
    "features.long_window=40", "features.correlation_window=30",
]  # fmt: skip


class Here:
    def __init__(self, workers: int) -> None:
        pass

    def submit(self, job: LocalJob[Any, Any]) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(job.run())
        return future

    def shutdown(self) -> None:
        pass


def test_the_cost_of_an_engine_is_measured_on_whole_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "TrainingPool", Here)
    study = study_of(SETS, tmp_path)
    cost, files = cost_of("local", study, seeds=2, workers=1, idle=3)
    assert len(files) == 4, "two folds, two seeds"
    assert 0.0 < cost.cpu_s < 60.0
    assert cost.all_cpu_s >= 0.8 * cost.cpu_s, "its own is part of it"
    assert cost.first_s > 0.0
    assert cost.idle_ms >= 0.0
    sizes = sizes_of(study)
    assert 300 <= sizes.rows <= 700
    assert sizes.data_mb * 1e6 in [path.stat().st_size for path in (tmp_path / "data").iterdir()]
    assert sizes.peak_mb > 50.0
    assert sizes.cpu_s > 0.0
    assert sizes.result_kb * 1e3 in [len(content) for content in files.values()]


def test_the_cpu_of_a_tree_has_its_children_in_it() -> None:
    before, own = cpu_of_tree(os.getpid()), time.process_time()
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    with subprocess.Popen([sys.executable, "-c", busy], stdin=subprocess.DEVNULL) as child:
        child.wait()
    spent, ours = cpu_of_tree(os.getpid()) - before, time.process_time() - own
    assert 0.45 <= spent - ours < 5.0


def test_needs_are_products_of_what_was_measured() -> None:
    small, large = (
        Sizes(rows=n, data_mb=0.5 * n / 1e3, peak_mb=300.0 + 2.0 * n / 1e3, cpu_s=1.0 + n / 2e4, result_kb=1.0)
        for n in (100_000, 1_100_000)
    )  # fmt: skip
    found = rates(small, large)
    assert (found.cpu_s, found.data_gb, found.memory_gb) == pytest.approx((50.0, 0.5, 2.0))
    planned = StudyPlanned(symbols=100, window_bars=10_000, trials=3, folds=2, seeds=4)
    told = {what: comes for what, _, comes in needs(planned, found, cores=10)}
    assert told == {
        "trainings": "24", "rows a training": "1.0 million", "CPU a training": "50 s", "CPU in all": "0 core hours",
        "time on 10 cores": "0.0 hours", "data a fold, once to each machine": "0.5 GB", "memory a training": "2 GB",
    }  # fmt: skip

"""What a unit costs: both engines get the same units, and the arithmetic of needs is arithmetic."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from bot.app.executors import local
from bot.app.executors.local import LocalJob
from scripts.unit_costs.measuring import cost_of, sizes_of, study_of
from scripts.unit_costs.needs import StudyPlanned, core_hours, fold_gb, trainings

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
    assert cost.taken_s == pytest.approx(cost.wall_s / 4.0)
    assert cost.first_s > 0.0
    assert cost.idle_ms > 0.0
    sizes = sizes_of(study)
    assert 300 <= sizes.rows <= 700
    assert sizes.data_mb * 1e6 in [path.stat().st_size for path in (tmp_path / "data").iterdir()]
    assert sizes.result_kb * 1e3 in [len(content) for content in files.values()]


def test_needs_are_products() -> None:
    small = StudyPlanned(symbols=10, years=1, trials=3, folds=2, seeds=4, features=6)
    assert trainings(small) == 24
    assert fold_gb(small, window_years=0.5) == pytest.approx(10 * 4383 * 10 * 8 / 1e9)
    hours = core_hours(small, window_years=0.5, cpu_s_a_million_rows=100.0)
    assert hours == pytest.approx(24 * 0.04383 * 100.0 / 3600.0)

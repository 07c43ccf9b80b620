"""One training of a comparison: a contender, a fold or the rest of one, a seed.

Rules: a unit is a pure function of its settings and its fold's data, so one that is done stays
done, and its file is the same to the byte whatever ran it; what it cost is measured, and is another file.
It sees the fold's labels only to measure how much worse than in training it does.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bot.adapters.files.arrays import pack_arrays, read_arrays
from bot.adapters.system.atomic_file import write_bytes, write_text
from bot.app.executors.units import Stored
from bot.app.study.contenders import ContenderKind
from bot.app.study.folds import FoldData
from bot.app.study.walk import Fold, name_of
from bot.app.training.request import training_seed, variance_scales
from bot.blocks import F64, Bool, Task
from bot.config import Config
from bot.errors import DataError
from bot.model.dataset import Dataset, split_chronological
from bot.model.plain_learners import PlainModel
from bot.model.predict import Predictor
from bot.model.shrinkage import shrunk
from bot.model.tasks import is_classified
from bot.model.threads import single_thread
from bot.model.training.train import train
from bot.report.skill.measures import clipped, log_loss

TRAINING = {"network": 4, "shuffled": 5, "linear": 5, "trees": 5}
"""The way units of each kind are trained; another number makes all of the kind be trained anew."""

_SHRUNK = "told"
"""The name of shrunk forecasts in files."""


@dataclass(frozen=True)
class UnitForecasts:
    """Forecasts of the judged tasks for the fold's bars, as given and shrunk, and for the training rows."""

    value: F64
    shrunk: F64
    fitted: F64
    variance_scales: dict[str, float]
    parameters: int


@dataclass(frozen=True)
class UnitResult:
    """The bytes of a unit's file, and what it cost: CPU seconds, and on which machine."""

    content: bytes
    cost: dict[str, Any]


@dataclass(frozen=True)
class Unit:
    """A training to be done, and the file that says it is."""

    name: str
    kind: ContenderKind
    config: Config
    judged: tuple[Task, ...]
    span: Fold
    seed: int
    due_ms: int
    data: Path
    result: Path

    @property
    def label(self) -> str:
        """What it is called in errors."""
        return f"{self.name}, {name_of(self.span)}, seed {self.seed + 1}"

    @property
    def fold(self) -> int:
        """The number of its fold."""
        return self.span.number

    @property
    def done(self) -> bool:
        """Tell whether its result is there."""
        return self.result.exists()

    @property
    def fold_data(self) -> Stored[FoldData]:
        """Return where its fold's data are, and how they are read."""
        return Stored(self.data, FoldData.parse)

    def run(self, data: FoldData) -> UnitResult:
        """Train and forecast the fold."""
        single_thread()
        started = time.process_time()
        made = self._make(data)
        seconds = time.process_time() - started
        fitted = self._fitted(data.dataset)
        columns = [data.dataset.tasks.index(task) for task in self.judged]
        naive = fitted.y[:, columns]
        facts = {
            "parameters": made.parameters,
            "variance_scales": made.variance_scales,
            "train_loss": _losses(self.judged, made.fitted, naive, naive),
            "test_loss": _losses(
                self.judged,
                made.value.reshape(-1, len(self.judged)),
                data.labels.reshape(-1, len(self.judged)),
                naive,
            ),
            "rows": len(data.dataset),
            "train_bars": [int(data.dataset.bar[0]), int(data.dataset.bar[-1])],
        }
        content = pack_arrays(facts, {"value": made.value, _SHRUNK: made.shrunk})
        return UnitResult(content, {"seconds": seconds, "machine": platform.node()})

    def land(self, result: UnitResult) -> None:
        """Write a result: first what it cost, then the file that says that it is done."""
        write_text(self._cost, json.dumps(result.cost))
        write_bytes(self.result, result.content)

    @property
    def _cost(self) -> Path:
        return self.result.with_suffix(".json")

    def seconds(self) -> float:
        """Return the CPU seconds that it took; NaN where that is not known any more."""
        try:
            return float(json.loads(self._cost.read_text(encoding="utf-8"))["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return float("nan")

    def _make(self, data: FoldData) -> UnitForecasts:
        if self.kind == "network":
            return self._network(data, data.dataset)
        if self.kind == "shuffled":
            return self._shuffled(data)
        return self._plain(data)

    def _network(
        self, data: FoldData, dataset: Dataset, judged_by: tuple[Task, ...] = ()
    ) -> UnitForecasts:
        config = self.config
        seed = training_seed(config.run.seed + 1000 * self.seed, self.due_ms)
        # a study judges forecasts; it does not look inside
        plain = config.training.model_copy(update={"interpret": False})
        trained = train(dataset, config.model, plain, seed, judged_by=judged_by, needed=self.judged)
        predictor = Predictor(trained)
        fitted = self._fitted(dataset)
        places = np.arange(data.x.shape[1])  # the fold's symbols are those of its rows
        columns = [dataset.tasks.index(task) for task in self.judged]
        value = predictor.predict(data.x, data.ready, data.windows, places)
        return UnitForecasts(
            value[:, :, columns],
            shrunk(trained.shrinkage, trained.tasks, value)[:, :, columns],
            predictor.predict(*fitted.as_bars())[:, 0, columns],
            variance_scales(trained, dataset),
            config.model.members * trained.spec.count_parameters(),
        )

    def _shuffled(self, data: FoldData) -> UnitForecasts:
        """Train a network for each judged task, the labels of all others shuffled among the rows.

        Its best epoch is chosen by that task alone: losses of shuffled labels tell nothing.
        """
        parts = []
        for k, task in enumerate(self.judged):
            rng = np.random.default_rng([self.config.run.seed, self.seed, self.due_ms, k])
            y = data.dataset.y.copy()
            for j, other in enumerate(data.dataset.tasks):
                if other != task:
                    known = np.flatnonzero(~np.isnan(y[:, j]))
                    y[known, j] = y[rng.permutation(known), j]
            parts.append(self._network(data, replace(data.dataset, y=y), (task,)))
        scales = {
            task.name: part.variance_scales[task.name]
            for task, part in zip(self.judged, parts, strict=True)
            if task.kind == "volatility"
        }
        return UnitForecasts(
            np.stack([part.value[:, :, k] for k, part in enumerate(parts)], axis=2),
            np.stack([part.shrunk[:, :, k] for k, part in enumerate(parts)], axis=2),
            np.stack([part.fitted[:, k] for k, part in enumerate(parts)], axis=1),
            scales,
            parts[0].parameters,
        )

    def _plain(self, data: FoldData) -> UnitForecasts:
        kind: Any = self.kind
        columns = [data.dataset.tasks.index(task) for task in self.judged]
        rows = data.dataset.newest()
        judged = replace(rows, y=rows.y[:, columns], tasks=self.judged)
        model = PlainModel(judged, self.config.training, kind)
        value = np.full((*data.ready.shape, len(self.judged)), np.nan)
        value[data.ready] = model.predict(data.x[data.ready])
        fitted = model.predict(self._fitted(judged).x)
        scales: dict[str, float] = {}
        for k, task in enumerate(self.judged):
            if task.kind == "volatility":
                ratio = judged.y[:, k] / model.predict(judged.x)[:, k]
                scales[task.name] = float(np.nanmean(ratio * ratio))
        return UnitForecasts(value, value, fitted, scales, 0)

    def _fitted(self, dataset: Dataset) -> Dataset:
        labelled = dataset.labelled()
        t = self.config.training
        return split_chronological(labelled, t.validation_fraction, t.embargo_bars)[0]


def _losses(tasks: tuple[Task, ...], forecast: F64, y: F64, trained: F64) -> list[float]:
    """Return each task's loss over that of the training rows' mean: log loss for a class, else MSE.

    NaN where a task has no labelled row.
    """
    out = []
    for k, task in enumerate(tasks):
        rows = np.isfinite(forecast[:, k]) & np.isfinite(y[:, k])
        if not rows.any():
            out.append(float("nan"))
            continue
        f, label, mean = forecast[rows, k], y[rows, k], float(np.nanmean(trained[:, k]))
        if is_classified(task):
            loss, naive = (
                float(np.mean(log_loss(clipped(p), label))) for p in (f, np.full(len(f), mean))
            )
        else:
            loss, naive = np.mean((f - label) ** 2), np.mean((mean - label) ** 2)
        out.append(float(loss / naive))
    return out


_FACTS = {"parameters", "variance_scales", "train_loss", "test_loss", "rows", "train_bars"}


def same_forecasts(units: Sequence[Unit]) -> bool:
    """Tell whether all contenders have the same trainings, and so differ in how they trade only."""
    results: dict[str, set[Path]] = {}
    for unit in units:
        results.setdefault(unit.name, set()).add(unit.result)
    return len({frozenset(paths) for paths in results.values()}) == 1


def read_result(unit: Unit, start: int, rows: Bool) -> tuple[F64, F64, dict[str, Any]]:
    """Return the forecasts of the fold's bars as given and shrunk, float64[n, S, K], and the facts.

    Args:
        start: the fold's first bar.
        rows: bool[n, S], those of the fold that it must forecast.

    Raises:
        DataError: the file is damaged or no result of this training.
    """
    facts, arrays = read_arrays(unit.result)
    seconds = facts.pop("seconds", None)  # versions before kept it in this file
    value, shrunk_value = (arrays.get(name) for name in ("value", _SHRUNK))
    shape = (*rows.shape, len(unit.judged))
    if (
        value is None
        or shrunk_value is None
        or not all(_are_forecasts(each, shape, rows) for each in (value, shrunk_value))
        or not _are_facts(facts, len(unit.judged), start)
    ):
        raise DataError(
            f"{unit.result}: is no result of this training; delete it, and it is made anew"
        )
    facts["seconds"] = unit.seconds() if seconds is None else seconds
    return value, shrunk_value, facts


def _are_forecasts(value: F64, shape: tuple[int, ...], rows: Bool) -> bool:
    return (
        value.dtype == np.float64 and value.shape == shape and bool(np.isfinite(value[rows]).all())
    )


def _are_facts(facts: dict[str, Any], tasks: int, start: int) -> bool:
    """Tell whether these can be a training's of so many tasks, on bars before the fold's start."""
    if facts.keys() != _FACTS or not isinstance(facts["variance_scales"], dict):
        return False
    losses, span = (facts["train_loss"], facts["test_loss"]), facts["train_bars"]
    if not all(isinstance(each, list) for each in (*losses, span)):
        return False
    whole = (facts["parameters"], facts["rows"], *span)
    numbers = (*facts["variance_scales"].values(), *losses[0], *losses[1])
    return (
        all(len(each) == tasks for each in losses)
        and all(type(each) is int and each >= 0 for each in whole)
        and len(span) == 2
        and span[0] <= span[1] < start
        and all(type(each) in (int, float) for each in numbers)
    )

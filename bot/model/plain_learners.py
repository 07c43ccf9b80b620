"""Learners that are not networks, one model a task: linear ones and boosted trees.

They are what a network has to beat in `bot compare`, and are never traded. Rules: the same rows,
features, split and logarithms of targets as the networks; what they choose (a penalty, a number of
trees) is chosen on the validation rows, as the networks' epochs are, and so is the level of what was
learned as a logarithm. scikit-learn is asked for when it is used.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from bot.blocks import F64, Task
from bot.config.schema import Training
from bot.errors import DataError, extra_needed
from bot.model.dataset import Dataset, split_chronological
from bot.model.scaler import Scaler
from bot.model.tasks import is_classified

PENALTIES = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)
"""Ridge penalties tried; a logistic regression gets the inverse as its C."""

TREES = 300
"""Most boosting rounds; leaves, rate and penalty are fixed, there is nothing else to choose."""

LearnerKind = Literal["linear", "trees"]


class PlainModel:
    """One fitted learner a task; `predict` maps float64[N, F] to float64[N, K]."""

    def __init__(self, dataset: Dataset, training: Training, kind: LearnerKind) -> None:
        """Fit all tasks.

        Raises:
            ConfigError: scikit-learn is not installed.
            DataError: a task has no labels of both kinds, or none at all.
        """
        fitted, held = split_chronological(
            dataset, training.validation_fraction, training.embargo_bars
        )
        self.tasks = dataset.tasks
        self.scaler = Scaler.fit(fitted, logarithms=training.log_targets)
        fit = _fit_linear if kind == "linear" else _fit_trees
        self._models = [
            fit(task, *_labelled(fitted, k, self.scaler), *_labelled(held, k, self.scaler))
            for k, task in enumerate(self.tasks)
        ]
        self.scaler = self.scaler.levelled(held.y, self.predict(held.x))

    def predict(self, x: F64) -> F64:
        """Return float64[N, K] in the targets' units, a probability for a class."""
        z = self.scaler.features(x).astype(np.float64)
        value: F64 = np.column_stack([predict(z) for predict in self._models])
        logged = np.flatnonzero(self.scaler.log_floor > 0.0)
        value[:, logged] = np.exp(value[:, logged]) * self.scaler.gain[logged]
        return np.maximum(value, self.scaler.floors(self.tasks))


def _labelled(part: Dataset, k: int, scaler: Scaler) -> tuple[F64, F64]:
    rows = ~np.isnan(part.y[:, k])
    if not rows.any():
        raise DataError(f"no row has a label for {part.tasks[k].name}; train on a longer window")
    return scaler.features(part.x[rows]).astype(np.float64), scaler.learned(part.y)[rows, k]


def _fit_linear(task: Task, x: F64, y: F64, held_x: F64, held_y: F64) -> Any:
    """Return the prediction of the penalty that does best on the validation rows."""
    models = _sklearn("linear_model")
    tried = []
    for penalty in PENALTIES:
        if is_classified(task):
            model = models.LogisticRegression(C=1.0 / penalty, max_iter=500).fit(x, y)
            predict = _probability(model)
        else:
            predict = models.Ridge(alpha=penalty).fit(x, y).predict
        tried.append((_loss(task, predict(held_x), held_y), predict))
    return min(tried, key=lambda pair: pair[0])[1]


def _fit_trees(task: Task, x: F64, y: F64, held_x: F64, held_y: F64) -> Any:
    """Return the prediction of as many trees as do best on the validation rows."""
    ensemble = _sklearn("ensemble")
    settings = {
        "max_iter": TREES, "learning_rate": 0.05, "max_leaf_nodes": 15, "min_samples_leaf": 200,
        "l2_regularization": 1.0, "early_stopping": False, "random_state": 0,
    }  # fmt: skip
    if is_classified(task):
        model = ensemble.HistGradientBoostingClassifier(**settings).fit(x, y)
        stages = model.staged_predict_proba
    else:
        model = ensemble.HistGradientBoostingRegressor(**settings).fit(x, y)
        stages = model.staged_predict
    losses = [_loss(task, _column(stage), held_y) for stage in stages(held_x)]
    best = int(np.argmin(losses))

    def predict(z: F64) -> F64:
        return next(_column(stage) for k, stage in enumerate(stages(z)) if k == best)

    return predict


def _probability(model: Any) -> Any:
    return lambda z: model.predict_proba(z)[:, 1]


def _column(stage: F64) -> F64:
    return stage[:, 1] if stage.ndim == 2 else stage


def _loss(task: Task, f: F64, y: F64) -> float:
    if is_classified(task):
        p = np.clip(f, 1e-6, 1.0 - 1e-6)
        return float(-np.mean(np.log(np.where(y > 0.5, p, 1.0 - p))))
    return float(np.mean((f - y) ** 2))


def require_scikit_learn() -> None:
    """Refuse a start without the package that fits these models.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    _sklearn("linear_model")


def _sklearn(module: str) -> Any:
    try:
        import importlib

        return importlib.import_module(f"sklearn.{module}")
    except ModuleNotFoundError:
        raise extra_needed(
            "the linear and boosted contenders need scikit-learn, which is not installed", "compare"
        ) from None

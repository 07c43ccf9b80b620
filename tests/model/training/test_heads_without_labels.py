"""A head without labels is left out of the training; one that is needed ends it, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.files.models import load_model, save_model
from bot.app.loop.forecasters import forecaster_of
from bot.app.training.request import check_trained, needed_tasks, variance_scales
from bot.blocks import FeatureBlock, Task
from bot.config import load_config
from bot.config.schema import Model, Training
from bot.errors import DataError
from bot.model.dataset import Dataset
from bot.model.training.train import TrainedModel, train

MakeDataset = Callable[..., Dataset]
MODEL = Model(hidden=(16,), head_hidden=4, members=1)
TRAINING = Training(epochs=3, batch_size=64, min_rows=10, learning_rate=0.01, weights={})
WAYS: list[dict[str, Any]] = [
    *({"weighting": name} for name in ("fixed", "uncertainty", "dwa", "gradnorm", "famo", "stch")),
    *({"gradients": name} for name in ("pcgrad", "graddrop", "excess_mtl", "aligned_mtl")),
    {"gradients": "graddrop", "gradients_on": "features"},
]


def without(dataset: Dataset, *columns: int, from_bar: int = 0) -> Dataset:
    y = dataset.y.copy()
    for k in columns:
        y[dataset.bar >= from_bar, k] = np.nan
    return replace(dataset, y=y)


def trained_on(dataset: Dataset, architecture: str = "shared_bottom", **how: Any) -> TrainedModel:
    model = MODEL.model_copy(update={"architecture": architecture})
    return train(dataset, model, TRAINING.model_copy(update=how), seed=1)


@pytest.mark.parametrize("how", WAYS, ids=lambda how: "-".join(how.values()))
@pytest.mark.parametrize("lost", [(3,), (2, 3)])
def test_the_others_are_trained(
    make_dataset: MakeDataset, how: dict[str, Any], lost: tuple[int, ...]
) -> None:
    dataset = without(make_dataset(n_bars=130), *lost)
    trained = trained_on(dataset, **how)
    assert trained.untrained == tuple(dataset.tasks[k] for k in lost)
    for epoch in trained.history:
        assert np.isfinite(epoch.train).all()
        assert np.isfinite(epoch.weights).all()
        assert [w == 0.0 for w in epoch.weights] == [k in lost for k in range(4)]
        assert [v is None for v in epoch.validation] == [k in lost for k in range(4)]
    assert trained.metrics["loss_validation"]["return_5"] < 0.95
    assert set(trained.baselines) == {t.name for k, t in enumerate(dataset.tasks) if k not in lost}


@pytest.mark.parametrize("architecture", ["single", "soft", "mmoe", "hierarchical"])
def test_whatever_the_architecture(make_dataset: MakeDataset, architecture: str) -> None:
    trained = trained_on(without(make_dataset(n_bars=130), 3), architecture)
    assert [task.name for task in trained.untrained] == ["volume_5"]


def test_labels_that_only_validation_has_train_nothing(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(n_bars=200)
    y = dataset.y.copy()
    y[dataset.bar < 170, 3] = np.nan
    trained = trained_on(replace(dataset, y=y))
    assert [task.name for task in trained.untrained] == ["volume_5"]


def test_a_needed_head_without_labels_is_no_model(make_dataset: MakeDataset) -> None:
    dataset = without(make_dataset(n_bars=200), 1, from_bar=0)
    needed = (Task("return", 5), Task("direction", 5))
    with pytest.raises(
        DataError, match="no training row has a label for direction_5, which is needed"
    ):
        train(dataset, MODEL, TRAINING, 1, needed=needed)


def test_what_it_never_learned_is_no_forecast(make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = without(make_dataset(n_bars=130), 2, 3)
    trained = trained_on(dataset, interpret=True)
    assert variance_scales(trained, dataset) == {}
    names = tuple("abcdef")
    model_id = save_model(tmp_path, trained, {"features": list(names)})
    read, manifest = load_model(tmp_path, model_id)
    asked = forecaster_of(read, manifest["features"], names, dataset.tasks, model_id)
    block = FeatureBlock(dataset.x[:50, None, :], np.ones((50, 1), dtype=np.bool_))
    value = asked.forecast(np.arange(50), block)
    assert np.isfinite(value[:, :, :2]).all()
    assert np.isnan(value[:, :, 2:]).all()


def test_a_model_whose_signal_was_never_trained_is_refused(make_dataset: MakeDataset) -> None:
    """Whatever way the weight went to 0: settings that say so are refused before."""
    config = load_config(None, [], {})
    trained = trained_on(make_dataset(n_bars=130), weights={"direction": 0.0})
    assert trained.untrained == (Task("direction", 5),)
    with pytest.raises(DataError, match="direction_5 had no weight in any epoch"):
        check_trained(trained, config)
    check_trained(trained_on(make_dataset(n_bars=130)), config)


@pytest.mark.parametrize(
    ("sets", "needed"),
    [
        ([], "return_5 direction_5"),
        (["sizing.method=proportional"], "return_5 direction_5 volatility_5"),
        (
            ["targets.horizons=1,5"],
            "return_1 return_5 direction_1 direction_5 volatility_1 volatility_5",
        ),
        (["targets.horizons=1,5", "signal.horizons=first"], "return_1 direction_1"),
        (
            ["targets.horizons=1,5", "signal.horizons=mean"],
            "return_1 return_5 direction_1 direction_5",
        ),
        (["signal.source=decision", "targets.kinds=return,decision"], "decision_5"),
    ],
)
def test_what_the_account_reads(sets: list[str], needed: str) -> None:
    sets = ["policy.kind=threshold", *sets]
    names = [task.name for task in needed_tasks(load_config(None, sets, {}))]
    assert " ".join(names) == needed

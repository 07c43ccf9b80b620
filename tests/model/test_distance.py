"""How far a bar is from the training rows: against plain numpy, its cut, and what a model says of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.adapters.files.models import load_model, save_model
from bot.blocks import FeatureBlock, Task
from bot.config.schema import Model, Training
from bot.errors import ModelError
from bot.model.dataset import Dataset
from bot.model.distance import distances, reach_of
from bot.model.predict import Predictor
from bot.model.scaler import Scaler
from bot.model.trained import TrainedModel
from bot.model.training.train import parts_of, train

TASKS = (Task("return", 5), Task("direction", 5))
TRAINING = Training(epochs=1, min_rows=10)


def rows(n: int = 400, robust: bool = False) -> tuple[Dataset, Scaler]:
    rng = np.random.default_rng(2)
    x = rng.normal(3.0, [0.1, 1.0, 20.0], (n, 3))
    y = np.stack([rng.normal(size=n), (rng.random(n) < 0.5).astype(float)], axis=1)
    dataset = Dataset(x, y, np.arange(n), np.zeros(n, dtype=np.int64), TASKS)
    return dataset, Scaler.fit(dataset, robust=robust)


@pytest.mark.parametrize("robust", [False, True])
def test_it_is_the_root_of_the_mean_square_of_what_is_standardised(robust: bool) -> None:
    _, scaler = rows(robust=robust)
    x = np.random.default_rng(3).normal(0.0, 50.0, (30, 2, 3))  # far beyond where features are cut
    ready = np.random.default_rng(4).random((30, 2)) < 0.8
    expected = np.sqrt((((x - scaler.feature_mean) / scaler.feature_std) ** 2).mean(axis=2))
    found = distances(x, ready, scaler)
    np.testing.assert_allclose(found[ready], expected[ready], rtol=1e-14)
    assert np.isnan(found[~ready]).all()


def test_a_row_by_itself_has_the_same_bits() -> None:
    _, scaler = rows()
    x, ready = np.random.default_rng(5).normal(size=(50, 3, 3)), np.ones((50, 3), dtype=np.bool_)
    whole = distances(x, ready, scaler)
    for i in range(50):
        one = distances(x[i : i + 1], ready[i : i + 1], scaler)
        assert one.tobytes() == whole[i : i + 1].tobytes()


def trained() -> tuple[TrainedModel, Dataset]:
    dataset, _ = rows()
    return train(dataset, Model(members=1), TRAINING, seed=1), dataset


def test_a_model_knows_its_reach_and_its_manifest_says_it(tmp_path: Path) -> None:
    model, dataset = trained()
    fitted, _ = parts_of(dataset, TRAINING)
    z = (fitted.x - fitted.x.mean(axis=0)) / fitted.x.std(axis=0)
    assert model.reach == pytest.approx(np.quantile(np.sqrt((z**2).mean(axis=1)), 0.999), rel=1e-9)
    assert reach_of(fitted.x, model.scaler) == model.reach
    model_id = save_model(tmp_path, model, {"features": ["a", "b", "c"]})
    back, manifest = load_model(tmp_path, model_id)
    assert back.reach == manifest["reach"] == model.reach


def test_a_bar_is_told_in_times_of_the_reach() -> None:
    model, dataset = trained()
    features = FeatureBlock(dataset.x[:, None, :], np.ones((len(dataset), 1), dtype=np.bool_))
    told = Predictor(model).distance(features)[:, 0]
    assert 0.0 < (told > 1.0).mean() < 0.02


def test_a_model_of_before_is_refused_by_name() -> None:
    model, dataset = trained()
    old = Predictor(replace(model, reach=None))
    features = FeatureBlock(dataset.x[:, None, :], np.ones((len(dataset), 1), dtype=np.bool_))
    with pytest.raises(ModelError, match=r"does not say .*risk\.max_distance = 0"):
        old.distance(features)

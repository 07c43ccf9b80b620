"""The task of three classes: labels, loss, forecast, and its way through training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax

from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.errors import DataError
from bot.model.dataset import Dataset
from bot.model.predict import Predictor
from bot.model.training.losses import NAIVE, TaskLosses
from bot.model.training.train import train
from bot.parts.registry import parts

MakeDataset = Callable[..., Dataset]
DECISION = Task("decision", 5)


def decided(dataset: Dataset) -> Dataset:
    """The planted rows with a decision in the second place, for moves beyond half a percent."""
    r = dataset.y[:, 0]
    decision = np.where(np.isnan(r), np.nan, np.sign(r) * (np.abs(r) > 0.005))
    y = np.column_stack([r, decision, dataset.y[:, 1:]])
    tasks = (dataset.tasks[0], DECISION, *dataset.tasks[1:])
    return replace(dataset, y=y, tasks=tasks)


def test_cross_entropy_by_hand() -> None:
    tasks = (Task("volume", 5), DECISION, Task("return", 5))
    output = torch.tensor([[1.0, 0.5, -1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    target = torch.tensor([[0.0, -1.0, 1.0], [0.0, 1.0, 0.0]])
    labelled = torch.ones(2, 3)
    losses, _ = TaskLosses(tasks, "mse")(output, target, labelled)
    first = -np.log(softmax([0.5, -1.0, 2.0])[0])
    assert losses.tolist() == pytest.approx([0.5, (first + np.log(3)) / 2, 2.0], abs=1e-6)
    assert NAIVE["cross_entropy"] == pytest.approx(np.log(3))


def test_two_decisions_keep_their_columns() -> None:
    tasks = (DECISION, Task("return", 5), Task("decision", 1))
    output, target = torch.randn(9, 7), torch.randint(-1, 2, (9, 3)).float()
    losses, _ = TaskLosses(tasks, "mse")(output, target, torch.ones(9, 3))
    for k, start in ((0, 0), (2, 4)):
        alone = torch.nn.functional.cross_entropy(
            output[:, start : start + 3], (target[:, k] + 1).long()
        )
        torch.testing.assert_close(losses[k], alone)


@pytest.mark.parametrize("name", list(parts("architecture")))
def test_every_architecture_learns_to_decide(name: str, make_dataset: MakeDataset) -> None:
    dataset = decided(make_dataset(n_bars=500))
    model = Model(members=1, architecture=name, hidden=(16,), head_hidden=8, experts=2)
    training = Training(weights={}, epochs=8, batch_size=128, learning_rate=0.01, min_rows=10)
    trained = train(dataset, model, training, seed=1)
    fresh = decided(make_dataset(n_bars=200, seed=50))
    ready = np.ones((len(fresh), 1), dtype=np.bool_)
    position = Predictor(trained).predict(fresh.x[:, None], ready)[:, 0, 1]
    known = ~np.isnan(fresh.y[:, 1])
    assert (np.abs(position) <= 1.0).all()
    assert np.corrcoef(position[known], fresh.y[known, 1])[0, 1] > 0.6
    z = torch.from_numpy(trained.scaler.features(fresh.x)).double()
    with torch.inference_mode():
        p = softmax(trained.network().double()(z)[:, 1:4].numpy(), axis=1)
    np.testing.assert_allclose(position, p[:, 2] - p[:, 0], atol=1e-5)


def test_refuses_other_labels(make_dataset: MakeDataset) -> None:
    dataset = decided(make_dataset(n_bars=20))
    y = dataset.y.copy()
    y[3, 1] = 0.5
    with pytest.raises(DataError, match="expected -1, 0, 1 or NaN"):
        replace(dataset, y=y)

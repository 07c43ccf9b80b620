from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.model.dataset import Dataset
from bot.model.training.train import TrainedModel, train

TASKS = tuple(Task(kind, 5) for kind in ("return", "direction", "volatility", "volume"))


def planted(n_bars: int = 400, symbols: int = 3, n_features: int = 6, seed: int = 1) -> Dataset:
    """Rows whose return follows feature 0 and volatility feature 1; some are unlabelled."""
    rng = np.random.default_rng(seed)
    n = n_bars * symbols
    x = rng.normal(size=(n, n_features)) * np.arange(1, n_features + 1) + 3.0
    z0, z1 = x[:, 0] - 3.0, (x[:, 1] - 3.0) / 2.0
    r = 0.01 * (0.7 * z0 + 0.5 * rng.normal(size=n))
    y = np.column_stack([r, r > 0, 0.01 * np.exp(0.5 * z1), rng.normal(size=n)])
    y[rng.random(y.shape) < 0.02] = np.nan
    return Dataset(
        x=x,
        y=y,
        bar=np.repeat(np.arange(n_bars), symbols),
        symbol=np.tile(np.arange(symbols), n_bars),
        tasks=TASKS,
    )


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Dataset]:
    return planted


@pytest.fixture(scope="session")
def settings() -> tuple[Model, Training]:
    return (
        Model(hidden=(24, 16), head_hidden=8, dropout=0.1, members=1),
        Training(
            epochs=3,
            batch_size=64,
            min_rows=10,
            learning_rate=0.01,
            weights={},
            log_targets=False,
            return_loss="mse",
        ),
    )


@pytest.fixture(scope="session")
def trained(settings: tuple[Model, Training]) -> TrainedModel:
    return train(planted(), *settings, seed=5)

"""Planted structure: sharing helps where tasks share and data are few, and not where they do not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bot.blocks import F64, Task
from bot.config.schema import Model, Training
from bot.model.dataset import Dataset
from bot.model.predict import Predictor
from bot.model.training.train import train

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

TASKS = tuple(Task(kind, 1) for kind in ("return", "volume", "skew", "trend", "gap", "imbalance"))
FEATURES, ROWS, TEST_ROWS, MARKETS = 16, 400, 1500, 12


def market(seed: int, *, shared: bool) -> tuple[Dataset, F64, F64]:
    """Return training rows, and test rows x and noiseless y."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((ROWS + TEST_ROWS, FEATURES))
    ways = 2.0 * rng.standard_normal((len(TASKS), FEATURES, 2)) / math.sqrt(FEATURES)
    if shared:
        ways[:] = ways[0]
    mixes = rng.standard_normal((len(TASKS), 2))
    hidden = np.tanh(np.einsum("nf,kfh->nkh", x, ways))
    mean = np.einsum("nkh,kh->nk", hidden, mixes)
    y = mean / mean.std(axis=0) + rng.standard_normal(mean.shape)
    bar = np.arange(ROWS, dtype=np.int64)
    fitted = Dataset(x[:ROWS], y[:ROWS], bar, np.zeros(ROWS, dtype=np.int64), TASKS)
    return fitted, x[ROWS:], (mean / mean.std(axis=0))[ROWS:]


def error(architecture: str, seed: int, *, shared: bool) -> float:
    """Return the test error, averaged over the tasks, of a network trained on few rows."""
    fitted, x, mean = market(seed, shared=shared)
    model = Model(
        members=1,
        architecture=architecture,
        hidden=(24,),
        head_hidden=8,
        dropout=0.0,
        batch_norm=False,
    )
    training = Training(
        weights={},
        epochs=60,
        batch_size=64,
        min_rows=10,
        learning_rate=0.005,
        patience=8,
        weight_decay=0.0,
        interpret=False,
    )
    predictor = Predictor(train(fitted, model, training, seed))
    forecast = predictor.predict(x[:, None, :], np.ones((len(x), 1), dtype=np.bool_))[:, 0]
    return float(np.mean((forecast - mean) ** 2))


def gain(*, shared: bool) -> tuple[float, float]:
    """Return mean and 95 % half width (Student's t) of single's error less multi-task's."""
    gains = np.array(
        [
            error("single", seed, shared=shared) - error("shared_bottom", seed, shared=shared)
            for seed in range(MARKETS)
        ]
    )
    t = 2.201  # 97.5 % point with 11 degrees of freedom
    return float(gains.mean()), t * float(gains.std(ddof=1)) / math.sqrt(MARKETS)


def test_sharing_helps_tasks_that_share() -> None:
    mean, half_width = gain(shared=True)
    assert mean - half_width > 0.0


def test_sharing_does_not_help_tasks_that_do_not() -> None:
    mean, half_width = gain(shared=False)
    assert mean - half_width <= 0.0


@pytest.mark.parametrize("seed", [1, 2])
def test_the_markets_are_as_hard_as_meant(seed: int) -> None:
    fitted, _, mean = market(seed, shared=True)
    assert fitted.y.shape == (ROWS, len(TASKS))
    assert mean.var(axis=0) == pytest.approx(np.ones(len(TASKS)), rel=0.2)

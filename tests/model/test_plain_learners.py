"""Learners that are not networks find what is there, by the rows they may see."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bot.blocks import F64, Task
from bot.config.schema import Training
from bot.errors import ConfigError
from bot.model.dataset import Dataset
from bot.model.plain_learners import LearnerKind, PlainModel

TASKS = (Task("return", 1), Task("direction", 1), Task("volatility", 1))


def planted(n: int, seed: int) -> Dataset:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 4))
    mean = 0.5 * x[:, 0] - 0.3 * x[:, 1]
    noise = rng.standard_normal(n)
    y: F64 = np.column_stack((mean + noise, 1.0 * (mean + noise > 0.0), np.abs(x[:, 2]) + 0.1))
    return Dataset(x, y, np.arange(n), np.zeros(n, dtype=np.int64), TASKS)


@pytest.mark.parametrize("kind", ["linear", "trees"])
def test_what_is_planted_is_found(kind: LearnerKind) -> None:
    model = PlainModel(planted(4000, 1), Training(), kind)
    test = planted(2000, 2)
    f = model.predict(test.x)
    assert f.shape == (2000, 3)
    best = 0.5 * test.x[:, 0] - 0.3 * test.x[:, 1]
    assert np.corrcoef(f[:, 0], best)[0, 1] > 0.9
    assert np.corrcoef(f[:, 1], best)[0, 1] > 0.9
    assert ((f[:, 1] > 0.0) & (f[:, 1] < 1.0)).all()
    assert (f[:, 2] > 0.0).all()
    fits = np.corrcoef(f[:, 2], test.y[:, 2])[0, 1]
    assert fits > 0.95 if kind == "trees" else abs(fits) < 0.2, "an absolute value is not linear"


def test_what_is_above_zero_is_learned_as_its_logarithm() -> None:
    """A ridge finds what is linear in logarithms, is right in the mean, and is never near zero."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((6000, 4))
    level = np.exp(-3.0 + 0.8 * x[:, 0] - 0.5 * x[:, 1])
    y = np.column_stack(
        (x[:, 2], x[:, 2] > 0.0, level * np.exp(0.4 * rng.standard_normal(len(x)) - 0.08))
    )
    rows = Dataset(x, y, np.arange(len(x)), np.zeros(len(x), dtype=np.int64), TASKS)
    learned, plain = (
        PlainModel(rows.rows(np.arange(6000) < 4000), Training(log_targets=log), "linear")
        for log in (True, False)
    )
    told, floored = learned.predict(x[4000:])[:, 2], plain.predict(x[4000:])[:, 2]
    assert np.corrcoef(np.log(told), np.log(level[4000:]))[0, 1] > 0.999
    assert abs(told.mean() / y[4000:, 2].mean() - 1.0) < 0.05
    assert (floored <= 0.0101 * y[:4000, 2].mean()).mean() > 0.05, "what is linear falls below zero"


def test_rows_behind_the_embargo_are_not_fitted() -> None:
    whole = planted(2000, 3)
    changed = planted(2000, 3)
    changed.y[1599:1600, 0] = 100.0  # the last bar before the validation rows, inside the embargo
    first, second = (PlainModel(d, Training(embargo_bars=10), "linear") for d in (whole, changed))
    assert np.array_equal(first.predict(whole.x), second.predict(whole.x))


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(ConfigError, match="install the extra 'compare'"):
        PlainModel(planted(500, 1), Training(), "linear")

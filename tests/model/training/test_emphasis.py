"""Newer rows count more, labels are less sure, and the step size follows its schedule."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from bot.config.schema import Model, Training
from bot.model.dataset import Dataset
from bot.model.training.emphasis import weighted
from bot.model.training.rows import RowTensors
from bot.model.training.schedule import rate_factor
from bot.model.training.train import train

MakeDataset = Callable[..., Dataset]


def rows_of(dataset: Dataset) -> RowTensors:
    return RowTensors(
        torch.zeros(len(dataset), 2),
        torch.from_numpy(np.nan_to_num(dataset.y).astype(np.float32)),
        torch.from_numpy((~np.isnan(dataset.y)).astype(np.float32)),
    )


def test_a_row_a_half_life_older_counts_half(make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    rows = rows_of(dataset)
    found = weighted(rows, dataset, Training(half_life_bars=50)).labelled.numpy()
    known = ~np.isnan(dataset.y)
    assert ((found > 0) == known).all()
    row_of = {int(bar): k for k, bar in enumerate(dataset.bar) if known[k, 0]}
    assert found[row_of[300], 0] == pytest.approx(2 * found[row_of[250], 0], rel=1e-5)
    weight = 0.5 ** ((dataset.bar.max() - dataset.bar) / 50)
    np.testing.assert_allclose(found[:, 2], known[:, 2] * weight / weight.mean(), rtol=1e-5)


def test_labels_of_directions_alone_are_smoothed(make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    rows = rows_of(dataset)
    found = weighted(rows, dataset, Training(label_smoothing=0.2)).y.numpy()
    np.testing.assert_allclose(
        found[:, 1], 0.9 * rows.y.numpy()[:, 1] + 0.1 * (1 - rows.y.numpy()[:, 1])
    )
    np.testing.assert_array_equal(found[:, [0, 2, 3]], rows.y.numpy()[:, [0, 2, 3]])
    assert rows.y.numpy()[:, 1].max() == 1.0  # what is given stays as it was


def test_by_default_nothing_is_weighed(make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    rows = rows_of(dataset)
    found = weighted(rows, dataset, Training())
    assert torch.equal(found.y, rows.y)
    assert torch.equal(found.labelled, rows.labelled)


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize(
    "change",
    [{"half_life_bars": 20}, {"label_smoothing": 0.3}, {"schedule": "coslog4"}],
    ids=lambda change: next(iter(change)),
)
def test_each_of_them_changes_what_is_learned_and_not_what_judges_it(
    make_dataset: MakeDataset,
    settings: tuple[Model, Training],
    change: dict[str, object],
    members: int,
) -> None:
    model, training = settings
    model = model.model_copy(update={"members": members})
    plain = train(make_dataset(), model, training, seed=5)
    changed = train(make_dataset(), model, training.model_copy(update=change), seed=5)
    assert changed.model_id != plain.model_id
    again = train(make_dataset(), model, training.model_copy(update=change), seed=5)
    assert changed.model_id == again.model_id
    found, before = (m.metrics["loss_validation"] for m in (changed, plain))
    assert found["return_5"] < 1.0  # it still learns what is planted
    assert found.keys() == before.keys()


def test_the_four_cycles_begin_and_end_at_nothing() -> None:
    training = Training(schedule="coslog4", epochs=15)
    factors = np.array([rate_factor(training, step, 100) for step in range(1500)])
    assert factors.max() <= 1.0
    assert factors.min() >= 0.0
    quiet = [int(1500 * (2**k - 1) / 15) for k in range(4)]
    np.testing.assert_allclose(factors[quiet], 0.0, atol=1e-12)
    tops = [int(1500 * (2 ** (k + 0.5) - 1) / 15) for k in range(4)]
    np.testing.assert_allclose(factors[tops], 1.0, atol=2e-3)

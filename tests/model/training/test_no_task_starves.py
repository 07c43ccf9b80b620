"""Four tasks that are alike and easy: whatever weighs or joins them, each must be learned.

Every name that the settings offer is tried, so a new method is held to this too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.model.dataset import Dataset
from bot.model.training.gradients import build_aggregator
from bot.model.training.gradients.aggregator import OfBatch
from bot.model.training.gradients.excess_mtl import ExcessMTL
from bot.model.training.gradients.graddrop import GradDrop
from bot.model.training.losses import naive_losses
from bot.model.training.train import train
from bot.parts.registry import parts

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

TASKS = tuple(Task(kind, 5) for kind in ("return", "direction", "volatility", "volume"))
MODEL = Model(hidden=(24, 16), head_hidden=8, members=1, dropout=0.1)
TRAINING = Training(
    epochs=6,
    batch_size=128,
    min_rows=10,
    learning_rate=0.02,
    patience=12,
    interpret=False,
    weights={},
)


def names(setting: str) -> tuple[str, ...]:
    field = Training.model_fields[setting]
    extra = field.json_schema_extra
    return (
        tuple(parts(str(extra["part"]))) if isinstance(extra, dict) else get_args(field.annotation)
    )


JOINED = [name for name in names("gradients") if name != "sum"]


def settings() -> Iterator[dict[str, Any]]:
    for weighting in names("weighting"):
        variants = names(key) if (key := f"{weighting}_variant") in Training.model_fields else ()
        yield {"weighting": weighting}
        yield from ({"weighting": weighting, key: variant} for variant in variants)
    for gradients in JOINED:
        yield from ({"gradients": gradients, "gradients_on": on} for on in names("gradients_on"))


@pytest.fixture(scope="module")
def benign() -> Dataset:
    """1,200 rows; each task follows a feature of its own and one that all share."""
    rng = np.random.default_rng(1)
    x, noise = rng.normal(size=(1200, 6)), rng.normal(size=(1200, 4))
    z = x[:, :4] + 0.5 * x[:, 4:5] + 0.4 * noise
    y = np.column_stack([0.01 * z[:, 0], z[:, 1] > 0.0, 0.01 * np.exp(0.3 * z[:, 2]), z[:, 3]])
    return Dataset(x, y, np.repeat(np.arange(400), 3), np.tile(np.arange(3), 400), TASKS)


@pytest.mark.parametrize("chosen", list(settings()), ids=lambda c: "-".join(c.values()))
def test_every_task_is_learned(benign: Dataset, chosen: dict[str, Any]) -> None:
    trained = train(benign, MODEL, TRAINING.model_copy(update=chosen), seed=3)
    naive = naive_losses(TASKS, "mse").numpy()
    losses = np.array(list(trained.metrics["loss_validation"].values())) / naive
    assert (losses < 0.7).all(), losses  # without any training about 1
    for epoch in trained.history:
        weights = np.array(epoch.weights)
        assert np.isfinite(weights).all()
        assert (weights > 0.05 * weights.mean()).all(), weights


@pytest.mark.parametrize("name", JOINED)
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
def test_equal_gradients_give_their_sum(name: str, size: float) -> None:
    own = size * torch.randn(12, generator=torch.Generator().manual_seed(0))
    rows = own.repeat(4, 1)
    aggregate = build_aggregator(name, 4)
    tolerance = 0.41 if name == "cagrad" else 0.02  # c of CAGrad: it looks so far from the mean
    for _ in range(2):
        found = aggregate(rows)
        assert float((found - 4 * own).norm()) <= tolerance * float(4 * own.norm())


@pytest.mark.parametrize("name", JOINED)
def test_nothing_comes_of_nothing(name: str) -> None:
    aggregate = build_aggregator(name, 3)
    assert aggregate(torch.zeros(3, 5)).tolist() == [0.0] * 5
    if isinstance(aggregate, OfBatch):
        assert (aggregate.of_batch(torch.zeros(3, 4, 5), torch.ones(4, 5)) == 0.0).all()


@pytest.mark.parametrize("name", JOINED)
def test_no_gradient_outweighs_the_sum_of_all_by_far(name: str) -> None:
    torch.manual_seed(0)
    aggregate = build_aggregator(name, 4)
    for scale in (1.0, 1e-3):
        rows = torch.randn(4, 40) * torch.tensor([[1.0], [1.0], [0.3], [scale]])
        assert float(aggregate(rows).norm()) <= 4.0 * float(rows.norm(dim=1).sum())


def test_excess_risks_weigh_as_the_paper_says() -> None:
    torch.manual_seed(0)
    method, sums = ExcessMTL(), torch.zeros(4, 30)
    sizes = torch.tensor([[1.0], [100.0], [0.01], [1.0]])
    baseline = torch.zeros(4)
    expected = torch.full((4,), 0.25)
    for step in range(60):
        rows = sizes * torch.randn(4, 30)
        sums += rows**2
        risk = (rows**2 / (sums + 1e-7).sqrt()).sum(dim=1)
        if step == 0:
            baseline = risk
        else:
            expected = expected * torch.exp(0.01 * risk / (baseline + 1e-7))
            expected = expected / expected.sum()
        found = method.weights(rows)
        torch.testing.assert_close(found, 4 * expected, rtol=1e-3, atol=1e-5)
        assert float(found.sum()) == pytest.approx(4.0)
        assert float(found.min()) > 0.5  # for all their sizes, none is starved


def test_graddrop_judges_a_unit_once_for_the_batch() -> None:
    # unit 0: both tasks want it larger in sum, though rows disagree; unit 1: they conflict
    h = torch.tensor([[1.0, 1.0], [2.0, -1.0], [0.0, 1.0]])
    gradients = torch.tensor(
        [
            [[3.0, 1.0], [-1.0, -1.0], [9.0, 1.0]],
            [[1.0, -1.0], [1.0, 1.0], [-9.0, -1.0]],
        ]
    )
    torch.manual_seed(0)
    seen = [GradDrop().of_batch(gradients, h) for _ in range(400)]
    for found in seen:
        # sgn(h) leaves the third row out of unit 0's sums: 2 and 2, both kept, in every row
        assert found[:, 0].tolist() == [4.0, 0.0, 0.0]
        one_task = [gradients[k, :, 1].tolist() for k in range(2)]
        assert found[:, 1].tolist() in one_task
    first = np.mean([found[0, 1].item() == 1.0 for found in seen])
    assert first == pytest.approx(0.5, abs=0.1)  # sums of 3 and -3: even odds


def test_batches_of_other_sizes_keep_what_was_learned() -> None:
    torch.manual_seed(0)
    method = ExcessMTL()
    together: list[Tensor] = []
    for rows in (8, 7, 8, 7):
        gradients = torch.randn(3, rows, 5) * torch.tensor([1.0, 2.0, 3.0])[:, None, None]
        joined = method.of_batch(gradients, torch.ones(rows, 5))
        assert joined.shape == (rows, 5)
        together.append(method.weights(gradients.sum(dim=1)))
    assert not torch.equal(together[-1], torch.ones(3))

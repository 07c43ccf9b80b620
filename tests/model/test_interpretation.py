"""What is measured of a network is right, and measuring changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.model.dataset import Dataset
from bot.model.interpretation import evenly_chosen, gradient_cosines, permutation_importance
from bot.model.networks.architectures import Architecture, build_architecture
from bot.model.training.losses import TaskLosses
from bot.model.training.train import train

TASKS = tuple(Task(kind, 5) for kind in ("return", "direction", "volatility", "volume"))
SMALL = Model(members=1, hidden=(12, 8), head_hidden=4, experts=3)


def network_of(name: str) -> Architecture:
    torch.manual_seed(3)
    settings = SMALL.model_copy(update={"architecture": name})
    return build_architecture(settings, 6, TASKS).eval()


def rows_of(n: int = 64) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(n, 6, generator=generator)
    y = torch.randn(n, 4, generator=generator)
    y[:, 1] = (y[:, 1] > 0).float()
    return x, y, torch.ones(n, 4)


@pytest.mark.parametrize("name", ["shared_bottom", "mmoe", "ple", "cross_stitch", "hierarchical"])
def test_the_cosines_are_those_of_each_loss_backpropagated_alone(name: str) -> None:
    network, losses_of, rows = network_of(name), TaskLosses(TASKS, "mse"), rows_of()
    found = np.array(gradient_cosines(network, losses_of, rows))
    alone = []
    for k in range(4):
        network.zero_grad()
        losses_of(network(rows[0]), rows[1], rows[2])[0][k].backward()  # type: ignore[no-untyped-call]
        shared = [p.grad for p in network.shared_parameters()]
        alone.append(torch.cat([g.flatten() for g in shared if g is not None]))
    network.zero_grad()
    for a in range(4):
        for b in range(4):
            expected = torch.nn.functional.cosine_similarity(alone[a], alone[b], dim=0)
            assert found[a, b] == pytest.approx(float(expected), abs=1e-5)


def test_nothing_shared_has_no_cosines_and_an_unlabelled_task_has_none() -> None:
    losses_of, (x, y, known) = TaskLosses(TASKS, "mse"), rows_of()
    assert gradient_cosines(network_of("single"), losses_of, (x, y, known)) == ()
    known[:, 2] = 0.0
    found = gradient_cosines(network_of("shared_bottom"), losses_of, (x, y, known))
    assert found[2] == (None, None, None, None)
    assert found[0][0] == pytest.approx(1.0)


def test_only_a_feature_that_is_read_matters() -> None:
    network, losses_of, rows = network_of("shared_bottom"), TaskLosses(TASKS, "mse"), rows_of()
    with torch.no_grad():
        first = next(p for p in network.parameters() if p.shape == (12, 6))
        first[:, 1:] = 0.0
    before = rows[0].clone()
    found = permutation_importance(network, losses_of, rows, (1,))
    assert np.count_nonzero(found[1:]) == 0
    assert np.all(found[0] != 0.0)
    assert torch.equal(rows[0], before)


@pytest.mark.parametrize("name", ["mmoe", "ple"])
def test_the_weights_of_a_gate_sum_to_one(name: str) -> None:
    gates = network_of(name).gate_use(rows_of()[0])
    readers = [gate.reader for gate in gates if gate.layer == 1]
    assert readers[:4] == [task.name for task in TASKS]
    for gate in gates:
        assert len(gate.experts) == len(gate.weights)
        assert sum(gate.weights) == pytest.approx(1.0, abs=1e-6)


def test_a_training_that_is_looked_into_gives_the_same_model(
    make_dataset: Callable[..., Dataset], settings: tuple[Model, Training]
) -> None:
    model, training = settings
    model = model.model_copy(update={"members": 2, "architecture": "mmoe", "experts": 2})
    looked = train(make_dataset(), model, training, seed=5)
    blind = train(make_dataset(), model, training.model_copy(update={"interpret": False}), seed=5)
    again = train(make_dataset(), model, training, seed=5)
    assert looked.model_id == blind.model_id
    assert looked.insights == again.insights
    assert len(looked.insights) == 2
    assert blind.insights == ()
    assert [e.cosines for e in looked.history] == [e.cosines for e in again.history]
    assert all(epoch.cosines == () for epoch in blind.history)


def test_the_planted_feature_is_the_one_that_matters(
    make_dataset: Callable[..., Dataset], settings: tuple[Model, Training]
) -> None:
    model, training = settings
    longer = training.model_copy(update={"epochs": 8})
    (found,) = train(make_dataset(), model, longer, seed=5).insights
    importance = np.array(found["importance"])
    assert importance[:, 0].argmax() == 0  # the return follows feature 0
    assert importance[:, 2].argmax() == 1  # the volatility follows feature 1


def test_rows_are_spread_over_the_whole_window() -> None:
    chosen = evenly_chosen(1000, 10)
    assert chosen.tolist() == list(range(0, 1000, 100))

"""Gradient methods: PCGrad by its algorithm, the way to the gradients against torchjd's own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchjd import aggregation
from torchjd.autojac import jac_to_grad, mtl_backward

from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.errors import ModelError
from bot.model.dataset import Dataset
from bot.model.networks.architectures import Architecture, build_architecture
from bot.model.networks.architectures.shared_bottom import SharedBottom
from bot.model.training.gradients import build_aggregator, build_gradients
from bot.model.training.gradients.aggregator import Aggregator
from bot.model.training.gradients.base import Sum
from bot.model.training.gradients.jacobian_descent import CAGRAD_C, NAMES
from bot.model.training.gradients.pcgrad import pcgrad
from bot.model.training.gradients.per_task import PerTask
from bot.model.training.train import train
from bot.parts.registry import parts

MakeDataset = Callable[..., Dataset]
F = 5
TASKS = tuple(Task(kind, 5) for kind in ("return", "direction", "volatility", "volume"))
ROWS = st.lists(
    st.lists(st.floats(-3, 3, width=32), min_size=4, max_size=4), min_size=2, max_size=2
)


def built(name: str) -> Architecture:
    torch.manual_seed(2)
    settings = Model(
        members=1, architecture=name, hidden=(12, 8), head_hidden=4, dropout=0.0, experts=2
    )
    return build_architecture(settings, F, TASKS)


def terms_of(output: Tensor) -> tuple[Tensor, Tensor]:
    aims = torch.linspace(-1, 1, len(output))[:, None] * torch.tensor([1.0, -2.0, 0.5, 3.0])
    return (output - aims).square().mean(dim=0), torch.ones(4, dtype=torch.bool)


def gradients_of(network: Architecture) -> dict[str, Tensor]:
    found = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
    network.zero_grad(set_to_none=True)
    return found


def test_pcgrad_by_hand() -> None:
    # g1·g2 = -1: g1 loses -1/2 of (-1, 1), g2 loses -1/1 of (1, 0)
    both = pcgrad(torch.tensor([[1.0, 0.0], [-1.0, 1.0]]))
    assert both.tolist() == pytest.approx([0.5 + 0.0, 0.5 + 1.0])
    agree = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert pcgrad(agree).tolist() == [2.0, 1.0]


@given(ROWS)
def test_pcgrad_of_two_is_torchjds_and_conflicts_with_neither(rows: list[list[float]]) -> None:
    g = torch.tensor(rows)
    if (g.norm(dim=1) < 0.01).any():
        return
    found = pcgrad(g)
    torch.testing.assert_close(found, aggregation.PCGrad()(g), rtol=1e-3, atol=1e-3)
    assert (g @ found > -1e-3 * g.norm(dim=1) * (1 + found.norm())).all()


@given(st.integers(0, 2**31), st.integers(2, 6))
def test_pcgrad_by_its_algorithm(seed: int, k: int) -> None:
    torch.manual_seed(seed)
    g = torch.randn(k, 7, dtype=torch.float64)
    torch.manual_seed(seed + 1)
    found = pcgrad(g)
    torch.manual_seed(seed + 1)
    orders = torch.rand(k, k).argsort(dim=1).tolist()
    total = torch.zeros(7, dtype=torch.float64)
    for i in range(k):
        own = g[i].clone()
        for j in orders[i]:
            if j != i and own @ g[j] < 0:
                own -= (own @ g[j]) / g[j].square().sum() * g[j]
        total += own
    torch.testing.assert_close(found, total)


@given(st.integers(0, 2**31), st.floats(0.1, 10))
def test_pcgrad_grows_with_its_gradients(seed: int, scale: float) -> None:
    torch.manual_seed(seed)
    g = torch.randn(3, 5)
    torch.manual_seed(seed)
    once = pcgrad(g)
    torch.manual_seed(seed)
    torch.testing.assert_close(pcgrad(scale * g), scale * once, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "on"),
    [
        *((name, "parameters") for name in parts("architecture") if name not in ("single", "soft")),
        ("shared_bottom", "features"),
        ("mmoe", "features"),
    ],
)
def test_summing_the_tasks_gradients_is_the_plain_gradient(name: str, on: str) -> None:
    x = torch.randn(64, F)
    network = built(name)
    Sum().backward(network, x, terms_of)
    expected = gradients_of(network)
    seen: list[Tensor] = []

    def total(rows: Tensor) -> Tensor:
        seen.append(rows)
        return rows.sum(dim=0)

    method = PerTask(network, list(network.parameters()), on, lambda _: total)  # type: ignore[arg-type]
    method.backward(network, x, terms_of)
    found = gradients_of(network)
    assert found.keys() == expected.keys()
    for key, gradient in expected.items():
        torch.testing.assert_close(found[key], gradient, rtol=1e-3, atol=1e-5)
    assert seen[0].shape[0] == 4
    if on == "parameters":
        terms, _ = terms_of(network(x))
        for k in range(4):
            parts = torch.autograd.grad(
                terms[k], network.shared_parameters(), retain_graph=True, materialize_grads=True
            )
            alone = torch.cat([part.flatten() for part in parts])
            torch.testing.assert_close(seen[0][k], alone, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["upgrad", "aligned_mtl", "cagrad"])
def test_on_parameters_is_torchjds_multi_task_backward(name: str) -> None:
    network = built("shared_bottom")
    assert isinstance(network, SharedBottom)
    x = torch.randn(64, F)
    training = Training().model_copy(update={"gradients": name})
    method = build_gradients(training, network, list(network.parameters()))
    method.backward(network, x, terms_of)
    found = gradients_of(network)
    features = network.encoder(x)
    terms, _ = terms_of(network.heads(features))
    heads = list(network.heads.parameters())
    mtl_backward(
        list(terms),
        features=features,
        tasks_params=[heads] * 4,
        shared_params=list(network.encoder.parameters()),
        retain_graph=True,
    )
    theirs = getattr(aggregation, NAMES[name])(**({"c": CAGRAD_C} if name == "cagrad" else {}))
    jac_to_grad(list(network.encoder.parameters()), theirs)
    shared = set(map(id, network.encoder.parameters()))
    places = [key for key, p in network.named_parameters() if id(p) in shared]
    expected = gradients_of(network)
    ours, his = (torch.cat([each[key].flatten() for key in places]) for each in (found, expected))
    # theirs is a mean, or as short as the shortest singular value: the direction is the same
    torch.testing.assert_close(ours / ours.norm(), his / his.norm(), rtol=2e-2, atol=2e-4)
    for key in expected.keys() - set(places):
        torch.testing.assert_close(found[key], expected[key], rtol=2e-2, atol=2e-4)


def test_planted_conflict_is_reduced() -> None:
    torch.manual_seed(1)
    shared = torch.randn(50)
    g = torch.stack([shared + torch.randn(50), -3 * shared + torch.randn(50), torch.randn(50)])
    plain = (g @ g.sum(dim=0)).min() / g.sum(dim=0).norm()
    for name in ("pcgrad", "upgrad", "mgda", "cagrad", "aligned_mtl"):
        joined = build_aggregator(name, 3)(g)
        assert (g @ joined).min() / joined.norm() > plain


def test_a_task_without_rows_is_left_out() -> None:
    network = built("shared_bottom")
    met: list[int] = []

    def build(n: int) -> Aggregator:
        met.append(n)
        return lambda rows: rows.sum(dim=0)

    method = PerTask(network, list(network.parameters()), "parameters", build)

    def without(*absent: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        present = torch.tensor([k not in absent for k in range(4)])
        return lambda output: (terms_of(output)[0] * present, present)

    for absent in ((), (2,), (0, 1, 2), (2,), ()):
        method.backward(network, torch.randn(32, F), without(*absent))
    assert met == [4, 3]  # one for each set of tasks, none for a task that is alone


@pytest.mark.parametrize("name", ["single", "soft"])
def test_refuses_what_shares_nothing(name: str) -> None:
    network = built(name)
    with pytest.raises(ModelError, match="shares nothing"):
        build_gradients(
            Training(weights={}, gradients="pcgrad"), network, list(network.parameters())
        )


@pytest.mark.parametrize("name", ["ple", "cross_stitch", "hierarchical"])
def test_refuses_features_where_there_are_none(name: str) -> None:
    network = built(name)
    training = Training(weights={}, gradients="pcgrad", gradients_on="features")
    with pytest.raises(ModelError, match="set 'parameters'"):
        build_gradients(training, network, list(network.parameters()))


@pytest.mark.parametrize("on", ["parameters", "features"])
@pytest.mark.parametrize("name", [name for name in parts("gradient_method") if name != "sum"])
def test_every_method_trains_the_same_bits_and_learns(
    make_dataset: MakeDataset, name: str, on: str
) -> None:
    training = Training(weights={}, epochs=3, batch_size=128, min_rows=10, learning_rate=0.01)
    training = training.model_copy(update={"gradients": name, "gradients_on": on})
    dataset = make_dataset(n_bars=130)
    first, again = (
        train(dataset, Model(members=1, hidden=(16,)), training, seed=3) for _ in range(2)
    )
    assert first.model_id == again.model_id
    assert first.metrics["score"] < 0.97
    assert np.isfinite([epoch.score for epoch in first.history]).all()

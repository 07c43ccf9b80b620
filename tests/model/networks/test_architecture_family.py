"""Every architecture: its paper's equation, what it shares, and the laws that hold for all."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.errors import ConfigError
from bot.model.dataset import Dataset
from bot.model.networks.architectures import Architecture, build_architecture
from bot.model.networks.architectures.base import SharedRepresentation
from bot.model.networks.architectures.cross_stitch import CrossStitch
from bot.model.networks.architectures.hierarchical import Hierarchical
from bot.model.networks.architectures.mmoe import Mmoe
from bot.model.networks.architectures.ple import Ple
from bot.model.networks.architectures.towers import Single, Soft
from bot.model.networks.parameter_matching import check_match, count_parameters, matched
from bot.model.predict import TILE, Predictor
from bot.model.tasks import owners
from bot.model.trained import ModelSpec, join_members, weights_of
from bot.model.training.train import TrainedModel, train
from bot.parts.registry import parts

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

MakeDataset = Callable[..., Dataset]
F, ROWS = 5, 16
TASKS = tuple(Task(kind, 5) for kind in ("return", "direction", "volatility", "volume"))
WITH_DECISION = (TASKS[0], Task("decision", 5), *TASKS[1:])
SMALL = Model(members=1, hidden=(12, 7), head_hidden=3, experts=3, own_experts=2, dropout=0.0)
NAMES = list(parts("architecture"))
VARIANTS = [
    *({"architecture": name} for name in NAMES),
    {"architecture": "ple", "extraction_layers": 1},
    {"architecture": "ple", "extraction_layers": 3},
    {"architecture": "mmoe", "members": 2},
]


def built(tasks: tuple[Task, ...] = TASKS, **given: object) -> Architecture:
    """A network whose running statistics are not those of the start."""
    settings = SMALL.model_copy(update=given)
    torch.manual_seed(3)
    network = build_architecture(settings, F, tasks)
    for _ in range(5):
        network(rows_for(settings, 64) * 3 + 1)
    return network


def rows_for(settings: Model, n: int) -> Tensor:
    """Rows, or windows of them where the encoder reads windows."""
    return torch.randn(n, *([settings.bars_read] if settings.bars_read > 1 else []), F)


def test_mmoe_by_its_equation() -> None:
    network = built(architecture="mmoe").eval()
    assert isinstance(network, Mmoe)
    x = torch.randn(ROWS, F)
    experts = [expert(x) for expert in network.experts]
    for k in range(4):
        gate = torch.softmax(x @ network.gate.weight[3 * k : 3 * k + 3].T, dim=1)
        mixed = sum((gate[:, e : e + 1] * experts[e] for e in range(3)), torch.zeros(()))
        alone = network.heads(mixed)[:, k]
        torch.testing.assert_close(network(x)[:, k], alone)
    torch.testing.assert_close(network.gates(x).sum(dim=2), torch.ones(ROWS, 4))


def test_ple_by_its_equations() -> None:
    network = built(architecture="ple").eval()
    assert isinstance(network, Ple)
    layers: Any = network.layers
    first, last = layers
    x = torch.randn(ROWS, F)

    def mixed(weight: Tensor, state: Tensor, experts: list[Tensor]) -> Tensor:
        gate = torch.softmax(state @ weight.T, dim=1)
        return sum((gate[:, [e]] * h for e, h in enumerate(experts)), torch.zeros(()))

    own = [[expert(x) for expert in experts] for experts in first.own]
    shared = [expert(x) for expert in first.shared]
    states = [mixed(first.gates[k].weight, x, own[k] + shared) for k in range(4)]
    assert first.shared_gate is not None
    assert last.shared_gate is None
    common = mixed(first.shared_gate.weight, x, [h for hs in own for h in hs] + shared)
    top = [expert(common) for expert in last.shared]
    for k in range(4):
        mine = [expert(states[k]) for expert in last.own[k]]
        final = mixed(last.gates[k].weight, states[k], mine + top)
        torch.testing.assert_close(network(x)[:, k], network.heads(final)[:, k])


def test_cross_stitch_by_its_equation() -> None:
    network = built(architecture="cross_stitch").eval()
    assert isinstance(network, CrossStitch)
    expected = torch.full((4, 4), 0.1 / 3).fill_diagonal_(0.9)
    for stitch in network.stitches:
        torch.testing.assert_close(stitch.detach(), expected)
        nn.init.normal_(stitch)
    x = torch.randn(ROWS, F)
    states = [x] * 4
    for stage, alpha in zip(network.stages, network.stitches, strict=True):
        outputs = [layer(h) for layer, h in zip(stage, states, strict=True)]
        states = [
            sum((alpha[a, b] * outputs[b] for b in range(4)), torch.zeros(())) for a in range(4)
        ]
    for k in range(4):
        torch.testing.assert_close(network(x)[:, k], network.heads(states[k])[:, k])
    base, stitches = network.parameter_groups(0.01, 0.1)
    assert (stitches["lr"], stitches["weight_decay"]) == (pytest.approx(0.1), 0.0)
    assert len(base["params"]) + len(stitches["params"]) == len(list(network.parameters()))


def test_hierarchical_levels_see_what_is_below_them() -> None:
    network = built(WITH_DECISION, architecture="hierarchical").eval()
    assert isinstance(network, Hierarchical)
    x = torch.randn(ROWS, F)
    z = network.encoder(x)
    levels: Any = network.levels
    low, middle, high = levels
    r1 = low.hidden(z)
    r2 = middle.hidden(torch.cat([z, r1], dim=1))
    r3 = high.hidden(torch.cat([z, r1, r2], dim=1))
    # the tasks are return, decision (3 columns), direction, volatility, volume
    one, two, three = low.read(r1), middle.read(r2), high.read(r3)
    expected = torch.cat([one[:, :1], three, two, one[:, 1:]], dim=1)
    torch.testing.assert_close(network(x), expected)


def test_single_tasks_do_not_touch_one_another() -> None:
    network = built(architecture="single")
    assert isinstance(network, Single)
    network(torch.randn(ROWS, F))[:, 2].sum().backward()
    touched = {n for n, p in network.named_parameters() if p.grad is not None and p.grad.any()}
    assert {name.split(".")[1] for name in touched} == {"2"}


def test_soft_penalty_by_its_double_sum() -> None:
    network = built(architecture="soft", soft_penalty=0.3)
    assert isinstance(network, Soft)
    towers = [
        torch.cat([p.flatten() for p in encoder.parameters()]) for encoder in network.encoders
    ]
    double = sum(
        (a - b).square().sum() for i, a in enumerate(towers) for j, b in enumerate(towers) if i != j
    )
    torch.testing.assert_close(network.penalty(), 0.3 / 4 * double, rtol=1e-4, atol=1e-6)
    for encoder in list(network.encoders)[1:]:
        encoder.load_state_dict(network.encoders[0].state_dict())
    assert float(network.penalty().detach()) == pytest.approx(0.0, abs=1e-9)


OVER_WINDOWS = [
    {"architecture": name, "encoder": encoder, "lookback": 9}
    for name in NAMES
    for encoder in ("gru", "tcn")
]


@pytest.mark.parametrize("given", [*VARIANTS[:-1], *OVER_WINDOWS], ids=str)
def test_shared_is_what_several_tasks_reach(given: dict[str, object]) -> None:
    network = built(WITH_DECISION, **given)
    owner = torch.tensor(owners(WITH_DECISION))
    x = rows_for(SMALL.model_copy(update=given), 200)
    output = network(x)
    assert output.shape == (200, 7)
    reached = {name: torch.zeros(p.shape) for name, p in network.named_parameters()}
    for k in range(5):
        total = output[:, owner == k].square().sum()
        gradients = torch.autograd.grad(
            total, list(network.parameters()), retain_graph=True, allow_unused=True
        )
        for name, gradient in zip(reached, gradients, strict=True):
            if gradient is not None:
                # a bias before BatchNorm has a gradient that is 0 but for rounding
                reached[name] += gradient.abs() > 0
    several = {name for name, count in reached.items() if (count > 1).any()}
    shared = {id(p) for p in network.shared_parameters()}
    assert {n for n, p in network.named_parameters() if id(p) in shared} == several
    assert all(any(p is q for q in network.shared_parameters()) for p in network.last_shared())
    assert bool(network.last_shared()) == bool(shared)
    if isinstance(network, SharedRepresentation):
        h = network.encode(x)
        torch.testing.assert_close(
            network.decode(x, h.expand(len(WITH_DECISION), *h.shape)), output
        )


@pytest.mark.parametrize("given", VARIANTS, ids=str)
def test_trains_the_same_bits_and_forecasts_the_same_after_a_pipe(
    given: dict[str, object], make_dataset: MakeDataset
) -> None:
    model = SMALL.model_copy(update={**given, "dropout": 0.1})
    training = Training(weights={}, epochs=2, batch_size=128, min_rows=10)
    dataset = make_dataset(n_bars=150)
    first = train(dataset, model, training, seed=4)
    again = train(dataset, model, training, seed=4)
    assert first.model_id == again.model_id
    assert first.history == again.history
    sent: TrainedModel = pickle.loads(pickle.dumps(first))
    assert ModelSpec.from_json(sent.spec.to_json()) == first.spec
    x = make_dataset(n_bars=50, seed=8).x.reshape(50, 3, -1)
    ready = np.ones(x.shape[:2], dtype=np.bool_)
    forecasts = [Predictor(each).predict(x, ready).tobytes() for each in (first, sent)]
    assert forecasts[0] == forecasts[1]


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(VARIANTS),
    st.integers(1, 11),
    st.lists(st.integers(1, 299), max_size=6),
    st.integers(1, 9),
    st.integers(0, 2**31),
)
def test_any_cut_gives_the_same_bits_however_thin_the_layers(
    trained: TrainedModel,
    given: dict[str, object],
    width: int,
    cuts: list[int],
    head: int,
    seed: int,
) -> None:
    update = {**given, "hidden": (width, width), "head_hidden": head}
    predictor = Predictor(_fresh(trained, SMALL.model_copy(update=update)))
    assert predictor.rows_a_tile == TILE  # on the machines that this was tried on
    x = np.random.default_rng(seed).normal(size=(300, 2, 6))
    ready = np.random.default_rng(seed + 1).random((300, 2)) < 0.8
    whole = predictor.predict(x, ready)
    edges = [0, *sorted(set(cuts)), 300]
    parts = [predictor.predict(x[a:b], ready[a:b]) for a, b in pairwise(edges)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_forecasts_are_those_of_the_network(name: str, trained: TrainedModel) -> None:
    model = _fresh(trained, SMALL.model_copy(update={"architecture": name}))
    x = np.random.default_rng(2).normal(size=(40, 1, 6))
    forecast = Predictor(model).predict(x, np.ones((40, 1), dtype=np.bool_))[:, 0]
    with torch.inference_mode():
        z = torch.from_numpy(model.scaler.features(x[:, 0])).double()
        raw = model.network().double()(z).numpy()
    s = model.scaler
    expected = raw * s.target_std + s.target_mean
    np.testing.assert_allclose(forecast[:, 0], expected[:, 0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(forecast[:, 1], 1 / (1 + np.exp(-raw[:, 1])), rtol=1e-4)


def _fresh(trained: TrainedModel, settings: Model) -> TrainedModel:
    """An untrained model of these settings behind the scaler of a trained one."""
    spec = ModelSpec(settings, trained.spec.n_features, trained.tasks)
    torch.manual_seed(1)
    weights = [weights_of(spec.build()) for _ in range(settings.members)]
    return replace(trained, spec=spec, weights=join_members(weights))


def test_a_machine_whose_bits_depend_on_the_place_gets_a_row_a_tile(
    trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(2).normal(size=(20, 1, 6))
    ready = np.ones((20, 1), dtype=np.bool_)
    monkeypatch.setattr(Predictor, "is_steady", lambda self: False)
    careful = Predictor(trained)
    assert careful.rows_a_tile == 1
    monkeypatch.undo()
    assert careful.predict(x, ready).tobytes() == Predictor(trained).predict(x, ready).tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_matched_parameters(name: str) -> None:
    settings = Model(members=1, architecture=name, match_parameters=True)
    wanted = count_parameters(Model(members=1), 22, TASKS)
    network = ModelSpec(settings, 22, TASKS).build()
    assert wanted * 0.93 <= sum(p.numel() for p in network.parameters()) <= wanted


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("hidden", [(2, 64), (4, 96), (8, 8, 80)])
def test_widths_that_grow_are_matched_as_closely(name: str, hidden: tuple[int, ...]) -> None:
    """No network in steps of the widest layer comes nearer; by the first one's it was a quarter."""
    settings = Model(members=1, architecture=name, hidden=hidden, match_parameters=True)
    shared = settings.model_copy(update={"architecture": "shared_bottom"})
    wanted, widest = count_parameters(shared, F, TASKS), max(hidden)
    counts = [
        count_parameters(
            settings.model_copy(
                update={
                    "hidden": tuple(max(1, round(w * k / widest)) for w in hidden),
                    "head_hidden": max(1, round(settings.head_hidden * k / widest)),
                }
            ),
            F, TASKS,
        )
        for k in range(1, 2 * widest + 1)
    ]  # fmt: skip
    found = count_parameters(matched(settings, F, TASKS), F, TASKS)
    assert found == max(count for count in counts if count <= wanted)
    assert found >= 0.8 * wanted


@pytest.mark.parametrize("name", sorted(parts("architecture")))
@pytest.mark.parametrize("hidden", [(128, 64), (16,), (8, 4), (2,), (1,)])
def test_no_more_parameters_than_promised(name: str, hidden: tuple[int, ...]) -> None:
    settings = Model(
        members=1, architecture=name, hidden=hidden, head_hidden=4, match_parameters=True
    )
    wanted = count_parameters(
        settings.model_copy(update={"architecture": "shared_bottom"}), F, TASKS
    )
    found = count_parameters(matched(settings, F, TASKS), F, TASKS)
    if found <= wanted:
        check_match(settings, F, TASKS)
        return
    with pytest.raises(ConfigError, match=f"has {wanted} parameters.* at least {found}; widen"):
        check_match(settings, F, TASKS)
    rows = Dataset(
        np.ones((40, F)), np.ones((40, 4)), np.arange(40), np.zeros(40, dtype=np.int64), TASKS
    )
    with pytest.raises(ConfigError, match=r"model\.match_parameters"):
        train(rows, settings, Training(weights={}, min_rows=10), seed=1)

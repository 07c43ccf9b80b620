"""Steps by hand: a network comes out as autograd trains it but for rounding, each member by itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.errors import ModelError
from bot.model.dataset import Dataset
from bot.model.predict import Predictor
from bot.model.trained import ModelSpec, TrainedModel
from bot.model.training import train as training_module
from bot.model.training.by_hand import why_autograd
from bot.model.training.by_hand.flat import FlatParameters
from bot.model.training.by_hand.losses import DERIVED, LossGradients
from bot.model.training.by_hand.steps import StepsByHand
from bot.model.training.course import Course, Parts, begin
from bot.model.training.losses import ReturnLoss, TaskLosses
from bot.model.training.rows import RowTensors
from bot.model.training.train import train
from tests.model.networks.test_snapshots import patient_minimum

MakeDataset = Callable[..., Dataset]

TASKS = tuple(Task(kind, 5) for kind in ("return", "direction", "volatility", "decision", "volume"))
COLUMNS = 7
"""Of these tasks: a decision has three."""


def batch(n: int, seed: int, features: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return x, y and labelled of all kinds of task; a third is unlabelled, and one task never is."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, features)) + 1.0
    y = 1.5 * rng.normal(size=(n, len(TASKS)))
    y[:, 1], y[:, 3] = y[:, 1] > 0, np.sign(np.round(y[:, 3]))
    known = rng.random(y.shape) < 2 / 3
    known[:, 4] = False
    arrays = (x, y * known, known)
    return tuple(torch.from_numpy(a.astype(np.float32)) for a in arrays)  # type: ignore[return-value]


@pytest.mark.parametrize("return_loss", ["mse", "huber"])
def test_losses_and_their_derivatives_are_those_of_autograd(return_loss: ReturnLoss) -> None:
    _, y, known = batch(200, seed=2)
    output = torch.from_numpy(np.random.default_rng(3).normal(size=(200, COLUMNS)) * 3.0).float()
    output[0, 1], output[1, 1], output[2, 3] = 80.0, -80.0, 60.0  # nothing overflows
    output.requires_grad_()
    losses, count = TaskLosses(TASKS, return_loss)(output, y, known)
    factors = torch.tensor([1.0, 0.5, 2.0, 3.0, 0.1])
    (losses * factors).sum().backward()  # type: ignore[no-untyped-call]
    derived = LossGradients(TASKS, return_loss)
    found, counted, slopes = derived(output.detach().numpy(), y.numpy(), known.numpy())
    np.testing.assert_allclose(found, losses.detach(), rtol=1e-5)
    np.testing.assert_array_equal(counted, count)
    assert output.grad is not None
    np.testing.assert_allclose(derived.weighted(slopes, factors.numpy()), output.grad, atol=1e-7)


def course_of(seed: int, rows: RowTensors, model: Model, training: Training) -> Course:
    spec = ModelSpec(model, rows.x.shape[1], TASKS)
    return begin(spec, Parts(rows, rows), training=training, seed=seed)


def gradients_of(modules: Sequence[torch.nn.Module]) -> list[np.ndarray[Any, Any]]:
    return [
        np.concatenate(
            [p.grad.flatten().numpy() for p in module.parameters() if p.grad is not None]
        )
        for module in modules
    ]


@pytest.mark.parametrize("architecture", ["shared_bottom", "single"])
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_gradients_of_every_member_are_those_of_autograd(
    architecture: str, batch_norm: bool, dropout: float
) -> None:
    model = Model(
        architecture=architecture, hidden=(12, 7), head_hidden=6, dropout=dropout,
        batch_norm=batch_norm,
    )  # fmt: skip
    training = Training(weights={"return": 1.0, "direction": 0.3})
    x, y, known = batch(150, seed=4)
    rows = RowTensors(x, y, known)
    chosen = torch.randperm(150)[:101]
    for seed in (1, 2):
        course = course_of(seed, rows, model, training)
        torch.random.set_rng_state(course.random_state)
        by_autograd = copy.deepcopy(course.network).train()
        losses, count = course.losses_of(by_autograd(x[chosen]), y[chosen], known[chosen])
        course.weighting.terms(losses, count > 0).sum().backward()  # type: ignore[no-untyped-call]
        parts = by_autograd.apart() or [by_autograd]
        steps = StepsByHand(course)
        found, _ = steps.backward(chosen, torch.ones(len(TASKS), dtype=torch.bool))
        np.testing.assert_allclose(found, losses.detach(), rtol=1e-5)
        for own, expected in zip(
            gradients_of(course.stopping.modules), gradients_of(parts), strict=True
        ):
            np.testing.assert_allclose(own, expected, atol=1e-5 * max(1.0, abs(expected).max()))
        for name, value in by_autograd.named_buffers():
            if value.is_floating_point():
                np.testing.assert_allclose(course.network.get_buffer(name), value, atol=1e-6)


@pytest.mark.parametrize("clip_norm", [0.05, 1e6])
def test_a_step_is_torchs_adamw_on_the_clipped_gradient(clip_norm: float) -> None:
    training = Training(clip_norm=clip_norm, weight_decay=0.3, learning_rate=0.02)
    torch.manual_seed(2)
    module = torch.nn.Linear(9, 7)
    other = copy.deepcopy(module)
    optimizer = torch.optim.AdamW(other.parameters(), lr=0.02, weight_decay=0.3)
    flat = FlatParameters(module, training)
    for _ in range(20):
        for own, expected in zip(module.parameters(), other.parameters(), strict=True):
            expected.grad = torch.randn_like(expected)
            assert own.grad is not None
            own.grad.copy_(expected.grad)
        torch.nn.utils.clip_grad_norm_(other.parameters(), clip_norm)
        optimizer.step()
        flat.move()
        for own, expected in zip(module.parameters(), other.parameters(), strict=True):
            np.testing.assert_allclose(own.detach(), expected.detach(), atol=2e-6)


def trained_both_ways(
    dataset: Dataset, model: Model, training: Training, monkeypatch: pytest.MonkeyPatch
) -> tuple[TrainedModel, TrainedModel]:
    by_hand = train(dataset, model, training, seed=5)
    monkeypatch.setattr(training_module, "why_autograd", lambda *_: "asked for")
    return by_hand, train(dataset, model, training, seed=5)


@pytest.mark.parametrize(
    ("model_with", "training_with"),
    [
        ({}, {}),
        ({"batch_norm": False, "dropout": 0.0}, {"return_loss": "huber"}),
        ({"architecture": "single"}, {"clip_norm": 0.1}),
        ({"hidden": (9,)}, {"weighting": "uncertainty"}),
        ({}, {"weighting": "dwa", "weight_decay": 0.1}),
        ({}, {"weighting": "stch"}),
        ({}, {"weights": {"volume": 0.0}, "stages": ("return for 1", "all")}),
        ({"architecture": "single", "match_parameters": True}, {"batch_size": 10_000}),
    ],
)
def test_members_come_out_as_by_autograd(
    make_dataset: MakeDataset,
    settings: tuple[Model, Training],
    monkeypatch: pytest.MonkeyPatch,
    model_with: dict[str, Any],
    training_with: dict[str, Any],
) -> None:
    """Shuffles, dropout, clipping, decay, weights and stages: the epochs differ by rounding only.

    A bias before BatchNorm has no gradient but rounding, which Adam makes into steps of its full
    size: the running mean that validation uses lags behind these steps. Together it has none.
    """
    model = settings[0].model_copy(update={"members": 3, **model_with})
    training = settings[1].model_copy(update=training_with)
    by_hand, by_autograd = trained_both_ways(make_dataset(n_bars=150), model, training, monkeypatch)
    assert by_hand.metrics["steps"] == "by hand"
    assert by_autograd.metrics["steps"] == "autograd: asked for"
    assert [e.number for e in by_hand.history] == [e.number for e in by_autograd.history]
    for found, expected in zip(by_hand.history, by_autograd.history, strict=True):
        np.testing.assert_allclose(found.train, expected.train, rtol=2e-4, atol=1e-5)
        own, other = (np.array(epoch.validation, np.float64) for epoch in (found, expected))
        atol = 1e-2 if model.batch_norm else 1e-5
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=atol)
        np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-3, atol=1e-5)
    for insight, other_insight in zip(by_hand.insights, by_autograd.insights, strict=True):
        importance = np.array(insight["importance"], np.float64)
        atol = 0.05 if model.batch_norm else 1e-4
        np.testing.assert_allclose(
            importance, np.array(other_insight["importance"], np.float64), atol=atol
        )
    assert {k: v.shape for k, v in by_hand.weights.items()} == {
        k: v.shape for k, v in by_autograd.weights.items()
    }


def test_each_member_stops_by_itself_and_keeps_its_best_epoch(
    make_dataset: MakeDataset, settings: tuple[Model, Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members end at different epochs, and the weights kept are those that were measured as best."""
    model = settings[0].model_copy(update={"members": 4})
    training = settings[1].model_copy(update={"epochs": 40, "patience": 2})
    by_hand, by_autograd = trained_both_ways(make_dataset(n_bars=150), model, training, monkeypatch)

    def courses(trained: TrainedModel) -> list[list[float]]:
        starts = [i for i, epoch in enumerate(trained.history) if epoch.number == 1]
        ends = [*starts[1:], len(trained.history)]
        pairs = zip(starts, ends, strict=True)
        return [[epoch.score for epoch in trained.history[a:b]] for a, b in pairs]

    lengths = [len(scores) for scores in courses(by_hand)]
    assert len(set(lengths)) > 1
    assert lengths == [len(scores) for scores in courses(by_autograd)]
    for scores in courses(by_hand):
        assert int(np.argmin(scores)) == len(scores) - 1 - training.patience
    best = np.mean([min(scores) for scores in courses(by_hand)])
    assert by_hand.metrics["score"] == pytest.approx(best)
    assert by_hand.metrics["score"] == pytest.approx(by_autograd.metrics["score"], rel=5e-3)


def test_bits_are_decided_by_rows_settings_and_seed(
    make_dataset: MakeDataset, settings: tuple[Model, Training]
) -> None:
    model = settings[0].model_copy(update={"members": 3})
    dataset, before = make_dataset(n_bars=150), torch.get_rng_state()
    first = train(dataset, model, settings[1], seed=9)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    again = train(dataset, model, settings[1], seed=9)
    assert again.model_id == first.model_id
    assert again.history == first.history
    assert train(dataset, model, settings[1], seed=8).model_id != first.model_id


def test_more_members_leave_the_others_as_they_are(
    make_dataset: MakeDataset, settings: tuple[Model, Training]
) -> None:
    """No member hears of another: not of its shuffles, its gradient, or its end."""
    training = settings[1].model_copy(update={"epochs": 12, "patience": 1})
    dataset = make_dataset(n_bars=150)
    two, five = (
        train(dataset, settings[0].model_copy(update={"members": members}), training, seed=9)
        for members in (2, 5)
    )
    for name, array in two.weights.items():
        assert array.tobytes() == five.weights[name].tobytes(), name


def test_forecasts_are_as_good_as_those_of_separate_trainings(
    make_dataset: MakeDataset, settings: tuple[Model, Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted return: the correlation with what is to come, member by member and of the mean."""
    model = settings[0].model_copy(update={"members": 5})
    training = settings[1].model_copy(update={"epochs": 5})
    x = make_dataset(n_bars=600, seed=8).x
    signal = x[:, 0] - 3.0
    rows = x.reshape(600, 3, -1)
    ready = np.ones((600, 3), dtype=np.bool_)
    both = []
    for trained in trained_both_ways(make_dataset(), model, training, monkeypatch):
        members = Predictor(trained).predict_members(rows, ready)
        returns = [member[..., 0].ravel() for member in members]
        each = [np.corrcoef(own, signal)[0, 1] for own in returns]
        both.append(np.array([*each, np.corrcoef(np.mean(returns, axis=0), signal)[0, 1]]))
    by_hand, by_autograd = both
    assert by_autograd.min() > 0.9
    assert abs(by_hand[:-1].mean() - by_autograd[:-1].mean()) < 0.01
    assert by_hand[-1] == pytest.approx(by_autograd[-1], abs=0.01)
    assert by_hand[-1] > by_hand[:-1].mean()


def test_a_loss_that_is_no_number_ends_the_training(
    make_dataset: MakeDataset, settings: tuple[Model, Training]
) -> None:
    model = settings[0].model_copy(update={"members": 2, "batch_norm": False})
    training = settings[1].model_copy(update={"learning_rate": 1e20, "epochs": 20})
    with pytest.raises(ModelError, match="no number"):
        train(make_dataset(n_bars=150), model, training, seed=1)


@pytest.mark.parametrize(
    ("model_with", "training_with", "why"),
    [
        ({"members": 1}, {}, "a single member"),
        ({"architecture": "ple"}, {}, "model.architecture = ple"),
        ({"encoder": "gru"}, {}, "model.encoder = gru"),
        ({"symbol_embedding": 2}, {}, "the network knows symbols"),
        ({"heads": "per_symbol"}, {}, "the network knows symbols"),
        ({}, {"gradients": "pcgrad"}, "training.gradients = pcgrad"),
        ({}, {"weighting": "gradnorm"}, "training.weighting = gradnorm"),
        ({}, {"weighting": "famo"}, "training.weighting = famo"),
        ({}, {}, None),
        ({"architecture": "single"}, {"weighting": "stch"}, None),
    ],
)
def test_what_is_left_to_autograd(
    model_with: dict[str, Any], training_with: dict[str, Any], why: str | None
) -> None:
    model = Model().model_copy(update={"members": 3, **model_with})
    assert why_autograd(model, Training().model_copy(update=training_with), TASKS) == why


def test_a_loss_without_a_derivative_is_left_to_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(DERIVED, "huber")
    for return_loss, why in (("huber", "the loss of return_5 is huber"), ("mse", None)):
        training = Training(return_loss=return_loss)
        assert why_autograd(Model(members=3), training, TASKS) == why


def test_each_head_of_each_member_is_kept_at_its_own_best_epoch(
    make_dataset: MakeDataset, settings: tuple[Model, Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the losses of the member's own epochs, as by autograd, and so are the forecasts."""
    change = {"members": 3, "batch_norm": False, "dropout": 0.0}
    model = settings[0].model_copy(update=change)
    long = {"epochs": 12, "patience": 3, "best_epoch": "per_head"}
    training = settings[1].model_copy(update=long)
    dataset = make_dataset(n_bars=150)
    by_hand, by_autograd = trained_both_ways(dataset, model, training, monkeypatch)
    assert by_hand.metrics["steps"] == "by hand"
    assert by_hand.snapshots == by_autograd.snapshots
    starts = [i for i, epoch in enumerate(by_hand.history) if epoch.number == 1]
    for kept, start, end in zip(
        by_hand.snapshots, starts, [*starts[1:], len(by_hand.history)], strict=True
    ):
        losses = np.array([epoch.validation for epoch in by_hand.history[start:end]], np.float64)
        best = [patient_minimum(own.tolist(), 3) for own in losses.T]
        assert len(set(best)) > 1
        assert [sorted(set(best)).index(number) for number in best] == list(kept)
    x, ready, *_ = make_dataset(n_bars=20, seed=4).as_bars()
    members = [Predictor(each).predict_members(x, ready) for each in (by_hand, by_autograd)]
    for own, other in zip(*members, strict=True):
        np.testing.assert_allclose(own, other, rtol=2e-3, atol=1e-5)


def test_autograd_trains_what_steps_by_hand_cannot(
    make_dataset: MakeDataset, settings: tuple[Model, Training]
) -> None:
    model = settings[0].model_copy(update={"members": 2})
    training = settings[1].model_copy(update={"weighting": "famo", "epochs": 1})
    trained = train(make_dataset(n_bars=60), model, training, seed=1)
    assert trained.metrics["steps"] == "autograd: training.weighting = famo"
    assert len(trained.networks()) == 2

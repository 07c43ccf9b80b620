"""Where a training computes: the device that is chosen, and that everything of a step is on it.

There need not be a GPU for most of it. What is made without a device shows under a default device that
holds no numbers, and what is made on the wrong one in steps on that same device.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.errors import ConfigError
from bot.model.dataset import Dataset
from bot.model.device import CPU, check_device, device_of, facts_of
from bot.model.interpretation import interpretation
from bot.model.row_forecasts import forecasts_of
from bot.model.trained import ModelSpec, TrainedModel, weights_of
from bot.model.training import curriculum
from bot.model.training.autograd import AutogradSteps
from bot.model.training.course import Parts, begin
from bot.model.training.descent import epoch
from bot.model.training.rows import RowTensors
from bot.model.training.train import train
from bot.model.training.weighting.fixed import Fixed
from bot.parts.registry import parts

META = torch.device("meta")
FEATURES, LOOKBACK = 5, 4
TASKS = tuple(Task(kind, 2) for kind in ("return", "direction", "volatility", "decision"))


def cases() -> Iterator[Any]:
    """Yield settings of the model and of the training: each part once, and each way to train."""
    for name in parts("weighting"):
        yield pytest.param({}, {"weighting": name}, id=name)
    for name in parts("gradient_method"):
        for on in ("parameters", "features"):
            yield pytest.param({}, {"gradients": name, "gradients_on": on}, id=f"{name} on {on}")
    for name in parts("architecture"):
        yield pytest.param({"architecture": name}, {}, id=name)
    for name in parts("encoder"):
        yield pytest.param({"encoder": name}, {}, id=name)
    yield pytest.param({"members": 2}, {}, id="ensemble")
    yield pytest.param({"heads": "per_symbol", "symbol_embedding": 2}, {}, id="symbols")
    yield pytest.param({"members": 2}, {"best_epoch": "per_head"}, id="snapshots")
    yield pytest.param({}, {"half_life_bars": 50, "label_smoothing": 0.1}, id="emphasis")


CASES = list(cases())


def but_for(*ids: str) -> list[Any]:
    return [case for case in CASES if case.id not in ids]


def settings_of(model: dict[str, Any], training: dict[str, Any]) -> tuple[Model, Training]:
    small = {"members": 1, "hidden": (12, 8), "head_hidden": 4, "lookback": LOOKBACK}
    quick = {"epochs": 2, "batch_size": 64, "min_rows": 10, "weights": {}, "learning_rate": 0.01}
    return Model(**(small | model)), Training(**(quick | training))


def rows_for(model: Model, n: int = 300) -> Dataset:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, FEATURES))
    move = x[:, 0] + 0.5 * rng.normal(size=n)
    y = np.column_stack([move, move > 0.0, np.exp(0.5 * x[:, 1]), np.sign(np.round(move))])
    y[::7, 2] = np.nan
    bar, symbol, names = np.arange(n) // 2, np.arange(n) % 2, ("A", "B")
    if model.bars_read == 1:
        return Dataset(x, y, bar, symbol, TASKS, symbols=names)
    last = np.arange(LOOKBACK - 1, n)
    return Dataset(
        x, y[last], bar[last], symbol[last], TASKS, last=last, lookback=LOOKBACK, symbols=names
    )


@pytest.mark.parametrize(
    ("setting", "there", "expected"),
    [("cpu", False, "cpu"), ("cpu", True, "cpu"), ("auto", False, "cpu"), ("auto", True, "cuda"),
     ("cuda", True, "cuda")],
)  # fmt: skip
def test_the_device_is_the_one_that_is_set_and_there(
    monkeypatch: pytest.MonkeyPatch, setting: str, there: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert device_of(setting).type == expected


@pytest.mark.parametrize(
    ("built", "told"),
    [(None, "is built without CUDA; install a build of torch with it, or set training.device = 'cpu'"),
     ("13.0", "is built for CUDA 13.0 and finds no GPU; look at 'nvidia-smi'")],
)  # fmt: skip
def test_a_gpu_that_is_not_there_is_refused_by_key_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, built: str | None, told: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built)
    with pytest.raises(ConfigError) as refused:
        check_device("cuda")
    assert str(refused.value).startswith(f"training.device = 'cuda': torch {torch.__version__} ")
    assert told in str(refused.value)
    model, training = settings_of({}, {"device": "cuda"})
    with pytest.raises(ConfigError, match=r"training\.device = 'cuda'"):
        train(rows_for(model), model, training, seed=3)


def test_a_model_says_where_it_was_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"a GPU at {device}")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert facts_of(torch.device("cuda")) == {
        "device": "cuda", "name": "a GPU at cuda", "cuda": "13.0",
    }  # fmt: skip
    model, training = settings_of({}, {})
    assert train(rows_for(model), model, training, seed=3).trained_on == {"device": "cpu"}


@pytest.mark.parametrize(
    ("model", "training"), but_for("fairgrad on parameters", "fairgrad on features")
)
def test_nothing_of_a_training_is_left_to_the_default_device(
    model: dict[str, Any], training: dict[str, Any]
) -> None:
    """What is would meet numbers on a device that holds none, and fail.

    torchjd's solver of fairgrad does, so it is tried on a GPU alone.
    """
    given = settings_of(model, training)
    usual = train(rows_for(given[0]), *given, seed=3)
    with META:
        found = train(rows_for(given[0]), *given, seed=3)
    assert found.model_id == usual.model_id
    assert found.history == usual.history


def test_what_is_left_to_the_default_device_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curriculum, "CPU", None)
    model, training = settings_of({}, {})
    with META, pytest.raises(NotImplementedError, match="meta"):
        train(rows_for(model), model, training, seed=3)


class AllOnes(TorchFunctionMode):
    """Where Python asks for numbers that the meta device does not hold, they are 1."""

    ASKS = frozenset(
        {
            torch.Tensor.__bool__,
            torch.Tensor.__float__,
            torch.Tensor.tolist,
            torch.Tensor.cpu,
            torch.nonzero,
        }
    )
    PICKS = frozenset({torch.Tensor.__getitem__, torch.Tensor.__setitem__})

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        brought = func is torch.Tensor.to and args[1] == CPU
        if (func in self.ASKS or brought) and args[0].device == META:
            args = (torch.ones_like(args[0], device=CPU), *args[1:])
        elif func in self.PICKS and _is_mask(args[1]):
            args = (args[0], slice(None), *args[2:])
        return func(*args, **(kwargs or {}))


def _is_mask(index: Any) -> bool:
    return isinstance(index, torch.Tensor) and index.device == META and index.dtype == torch.bool


def steps_elsewhere(given: tuple[Model, Training]) -> torch.Tensor:
    """Train an epoch on the meta device, from rows on the CPU, and judge it; return its losses."""
    model, training = given
    n = 2 * training.batch_size
    last = torch.arange(LOOKBACK - 1, n) if model.bars_read > 1 else None
    labels = torch.ones(n if last is None else len(last), len(TASKS))
    place = torch.zeros(len(labels)) if model.knows_symbols else None
    rows = RowTensors(
        torch.ones(n, FEATURES), labels, labels, last=last, lookback=model.bars_read,
        symbol=place, device=META,
    )  # fmt: skip
    spec = ModelSpec(model, FEATURES, TASKS, ("A", "B") if model.knows_symbols else ())
    with AllOnes():
        course = begin(spec, Parts(rows, rows), training=training, seed=1)
        steps = AutogradSteps(course)
        losses = epoch(course, steps)
        course.see(losses, steps.forward())
        kept = weights_of(course.network)
        insights = interpretation(course.network, course.losses_of, rows.sample(20), [1])
    assert len(kept) >= len(list(course.network.parameters()))
    assert len(insights["importance"]) == FEATURES
    assert {p.device for p in course.network.parameters()} == {META}
    return losses


@pytest.fixture
def plain_adamw(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fused step of the optimiser knows no meta device."""
    usual = torch.optim.AdamW
    monkeypatch.setattr(torch.optim, "AdamW", lambda groups, fused: usual(groups, fused=not fused))


@pytest.mark.usefixtures("plain_adamw")
@pytest.mark.parametrize(("model", "training"), but_for("symbols"))
def test_every_step_is_on_the_device_of_its_rows(
    model: dict[str, Any], training: dict[str, Any]
) -> None:
    """Rows cannot be counted by symbol on the meta device."""
    losses = steps_elsewhere(settings_of(model, training))
    assert losses.device == META
    assert losses.shape == (len(TASKS),)


@pytest.mark.usefixtures("plain_adamw")
def test_a_step_that_meets_another_device_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Fixed.__init__
    monkeypatch.setattr(
        Fixed, "__init__", lambda self, tasks, weights, _: usual(self, tasks, weights)
    )
    with pytest.raises(RuntimeError, match="device"):
        steps_elsewhere(settings_of({}, {}))


def here_and_there(given: tuple[Model, Training]) -> tuple[Dataset, TrainedModel, TrainedModel]:
    """Train on the CPU and on the GPU; return the rows and both models."""
    rows = rows_for(given[0])
    here = train(rows, *given, seed=3)
    there = train(rows, given[0], given[1].model_copy(update={"device": "cuda"}), seed=3)
    assert there.trained_on["name"] == torch.cuda.get_device_name()
    assert {array.dtype for array in there.weights.values()} == {np.dtype(np.float32)}
    return rows, here, there


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is here to train on")
@pytest.mark.parametrize(("model", "training"), CASES)
def test_a_gpu_trains_what_the_cpu_does_but_for_rounding(
    model: dict[str, Any], training: dict[str, Any]
) -> None:
    """Weights, order of rows and dropout are drawn alike; a forecast is made on the CPU from either.

    The bias before a BatchNorm moves nothing but its running mean: its gradient is rounding alone, which
    Adam makes as large as any other. So forecasts are held side by side without one, and with one the losses
    of training, which do not know the running mean.
    """
    _, here, there = here_and_there(settings_of(model, training))
    losses, expected = ([epoch.train for epoch in each.history] for each in (there, here))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    rows, here, there = here_and_there(settings_of(model | {"batch_norm": False}, training))
    found, usual = forecasts_of(there, rows), forecasts_of(here, rows)
    np.testing.assert_allclose(found, usual, atol=5e-4 * float(np.nanstd(usual, axis=0).max()))

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import Task
from bot.config.schema import Training
from bot.errors import ModelError
from bot.model.training.weighting import build_weighting
from bot.model.training.weighting.fixed import Fixed
from bot.model.training.weighting.uncertainty import S_BOUND, Uncertainty

TASKS = (Task("return", 5), Task("direction", 5))
ALL = torch.tensor([True, True])
Variant = Literal["paper", "document"]


def with_s(variant: Variant, *s: float) -> Uncertainty:
    weighting = Uncertainty(TASKS, variant, 0.025)
    with torch.no_grad():
        weighting.s.copy_(torch.tensor(s))
    return weighting


def test_uncertainty_by_hand() -> None:
    # sigma^2 = 4 for the return, 1/4 for the direction; losses 8 and 0.5
    s = (math.log(4.0), -math.log(4.0))
    losses = torch.tensor([8.0, 0.5])
    paper = with_s("paper", *s)
    # 8/(2*4) + log 2 and 0.5/0.25 + log(1/2)
    assert paper.terms(losses, ALL).sum().item() == pytest.approx(1.0 + 2.0, abs=1e-6)
    assert paper.weights().tolist() == pytest.approx([0.125, 4.0])
    document = with_s("document", *s)
    assert document.terms(losses, ALL).sum().item() == pytest.approx(2.0 + 2.0, abs=1e-6)
    assert document.weights().tolist() == pytest.approx([0.25, 4.0])


@pytest.mark.parametrize("variant", ["paper", "document"])
def test_uncertainty_gradients_numerically(variant: Variant) -> None:
    weighting = with_s(variant, 0.3, -0.7)
    losses = torch.tensor([1.3, 0.4], requires_grad=True)
    weighting.terms(losses, ALL).sum().backward()  # type: ignore[no-untyped-call]
    assert weighting.s.grad is not None
    assert losses.grad is not None
    step = 1e-2
    for k in range(2):
        around = []
        for sign in (1.0, -1.0):
            moved = [0.3, -0.7]
            moved[k] += sign * step
            around.append(with_s(variant, *moved).terms(losses.detach(), ALL).sum().item())
        numeric = (around[0] - around[1]) / (2 * step)
        assert float(weighting.s.grad[k]) == pytest.approx(numeric, abs=1e-3)
    torch.testing.assert_close(losses.grad, weighting.weights())


@pytest.mark.parametrize(("variant", "half"), [("paper", 0.5), ("document", 1.0)])
def test_uncertainty_settles_at_one_over_twice_the_loss(variant: Variant, half: float) -> None:
    losses = torch.tensor([3.0, 0.2])
    weighting = Uncertainty(TASKS, variant, 0.025)
    descent = torch.optim.SGD([weighting.s], lr=0.5)
    for _ in range(300):
        descent.zero_grad()
        weighting.terms(losses, ALL).sum().backward()  # type: ignore[no-untyped-call]
        descent.step()
    np.testing.assert_allclose(weighting.weights().numpy(), 1.0 / (2.0 * losses.numpy()), rtol=1e-3)
    expected = np.log(2.0 * np.array([half, 1.0]) * losses.numpy())
    np.testing.assert_allclose(weighting.s.detach().numpy(), expected, atol=1e-3)


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_uncertainty_stays_within_its_bounds(a: float, b: float) -> None:
    weighting = with_s("paper", a, b)
    assert (weighting.weights() > 0).all()
    assert torch.isfinite(weighting.terms(torch.tensor([1.0, 1.0]), ALL).sum())
    assert (weighting.s.detach().abs() <= S_BOUND).all()


def test_absent_tasks_add_nothing() -> None:
    weighting = with_s("paper", 1.0, 2.0)
    losses = torch.tensor([0.7, 0.0], requires_grad=True)
    weighting.terms(losses, torch.tensor([True, False])).sum().backward()  # type: ignore[no-untyped-call]
    assert weighting.s.grad is not None
    assert weighting.s.grad[1] == 0.0
    assert weighting.s.grad[0] != 0.0


def test_fixed_weights_go_by_kind() -> None:
    weighting = build_weighting(TASKS, Training(weights={"direction": 0.25}), [])
    assert isinstance(weighting, Fixed)
    assert weighting.terms(torch.tensor([2.0, 4.0]), ALL).sum().item() == 3.0
    assert weighting.weights().tolist() == [1.0, 0.25]
    assert weighting.parameter_groups(0.1) == []
    none = build_weighting(TASKS, Training(weights={"direction": 0.0}), [])
    assert none.active().tolist() == [True, False]
    with pytest.raises(ModelError, match="every head has weight 0"):
        build_weighting(TASKS, Training(weights={"direction": 0.0, "return": 0.0}), [])


def test_what_is_learned_does_not_decay() -> None:
    weighting = build_weighting(TASKS, Training(weights={}, weighting="uncertainty"), [])
    assert isinstance(weighting, Uncertainty)
    (group,) = weighting.parameter_groups(0.01)
    assert group == {"params": [weighting.s], "lr": 0.025, "weight_decay": 0.0}  # its own rate

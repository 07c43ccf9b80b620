from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from bot.blocks import Task
from bot.model.training.losses import NAIVE, TaskLosses, loss_of

TASKS = (Task("direction", 5), Task("return", 5), Task("volatility", 5), Task("return", 1))


def test_losses_by_hand() -> None:
    output = torch.tensor([[0.0, 3.0, 1.0, 9.0], [2.0, 0.5, 1.0, 9.0]])
    target = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]])
    labelled = torch.tensor([[1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    losses, count = TaskLosses(TASKS, "huber")(output, target, labelled)
    bce = (math.log(2.0) + 2.0 + math.log1p(math.exp(-2.0))) / 2
    assert losses.tolist() == pytest.approx([bce, (2.5 + 0.125) / 2, 1.0, 0.0], abs=1e-6)
    assert count.tolist() == [2.0, 2.0, 1.0, 0.0]
    losses, _ = TaskLosses(TASKS, "mse")(output, target, labelled)
    assert losses.tolist() == pytest.approx([bce, (9.0 + 0.25) / 2, 1.0, 0.0], abs=1e-6)


def test_an_unlabelled_row_has_no_gradient() -> None:
    output = torch.randn(5, 4, requires_grad=True)
    labelled = torch.ones(5, 4)
    labelled[2, 1] = 0.0
    labelled[:, 3] = 0.0
    losses, _ = TaskLosses(TASKS, "huber")(output, torch.zeros(5, 4), labelled)
    (gradient,) = torch.autograd.grad(losses.sum(), output)
    assert torch.equal(gradient == 0.0, labelled == 0.0)


def test_order_of_tasks_does_not_matter() -> None:
    order = [2, 0, 3, 1]
    output, target = torch.randn(50, 4), torch.rand(50, 4).round()
    labelled = torch.rand(50, 4).round()
    straight, _ = TaskLosses(TASKS, "huber")(output, target, labelled)
    turned, _ = TaskLosses([TASKS[k] for k in order], "huber")(
        output[:, order], target[:, order], labelled[:, order]
    )
    torch.testing.assert_close(turned, straight[order])


def test_naive_losses_are_those_of_a_head_that_knows_nothing() -> None:
    def huber(e: float) -> float:
        return float(norm.pdf(e) * (e * e / 2 if abs(e) < 1 else abs(e) - 0.5))

    assert NAIVE["huber"] == pytest.approx(quad(huber, -30, 30, points=[-1, 1])[0], abs=1e-6)
    assert NAIVE["mse"] == 1.0
    assert NAIVE["bce"] == pytest.approx(np.log(2.0))
    names = [loss_of(task, "huber") for task in TASKS]
    expected = torch.tensor([NAIVE[name] for name in names])
    assert torch.equal(TaskLosses(TASKS, "huber").naive, expected)

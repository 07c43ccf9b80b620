"""DWA, GradNorm, FAMO and STCH: torchjd or the paper's algorithm as oracle, and invariances."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchjd import scalarization

from bot.blocks import Task
from bot.config.schema import Training
from bot.errors import ModelError
from bot.model.training.weighting import Weighting, build_weighting
from bot.model.training.weighting.dwa import Dwa
from bot.model.training.weighting.famo import Famo
from bot.model.training.weighting.gradnorm import GradNorm
from bot.model.training.weighting.stch import Stch

ALL = torch.ones(3, dtype=torch.bool)
TASKS = tuple(Task(kind, 5) for kind in ("return", "direction", "volume"))
NAIVE = torch.tensor([1.0, math.log(2.0), 1.0])
LOSSES = st.lists(st.floats(0.05, 5.0), min_size=3, max_size=3)


def gradient(objective: Callable[[Tensor], Tensor], losses: list[float]) -> list[float]:
    leaf = torch.tensor(losses, requires_grad=True)
    (found,) = torch.autograd.grad(objective(leaf), leaf)
    return found.tolist()


def of(weighting: Weighting, present: Tensor = ALL) -> Callable[[Tensor], Tensor]:
    return lambda losses: weighting.terms(losses, present).sum()


def test_dwa_by_hand_and_like_torchjd() -> None:
    ours, theirs = Dwa(2, 2.0), scalarization.DWA(temperature=2.0)
    epochs = [[4.0, 1.0], [2.0, 1.0], [1.0, 0.9], [0.9, 0.3]]
    for number, losses in enumerate(epochs):
        expected = gradient(theirs, losses)
        assert ours.weights().tolist() == pytest.approx(expected, abs=1e-6)
        if number == 2:  # ratios 1/2 and 1
            a, b = math.exp(0.25), math.exp(0.5)
            assert expected == pytest.approx([2 * a / (a + b), 2 * b / (a + b)], abs=1e-6)
        ours.on_epoch_end(torch.tensor(losses))
        theirs.step()


@given(LOSSES, st.sampled_from([0.05, 0.5, 1.0, 3.0]))
def test_stch_is_torchjds_on_normalised_log_losses(losses: list[float], mu: float) -> None:
    theirs = scalarization.STCH(mu, weights=torch.ones(3))
    expected = gradient(lambda x: 3 * theirs(torch.log(x / NAIVE)), losses)
    ours = Stch(NAIVE, mu)
    found = gradient(of(ours), losses)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(ours.weights(), found, rtol=1e-4)


def test_stch_at_mu_one_is_the_sum_of_normalised_losses() -> None:
    losses = [0.3, 0.6, 0.9]
    found = np.array(gradient(of(Stch(NAIVE, 1.0)), losses)) * NAIVE.numpy()
    np.testing.assert_allclose(found, found[0], rtol=1e-5)


@given(st.lists(LOSSES, min_size=2, max_size=6))
def test_famo_is_torchjds(course: list[list[float]]) -> None:
    ours, theirs = Famo(3, 0.025, 1), scalarization.FAMO(3, lr=0.025, weight_decay=0.001)
    for before, after in pairwise(course):
        expected = gradient(theirs, before)
        np.testing.assert_allclose(gradient(of(ours), before), expected, rtol=1e-4, atol=1e-6)
        ours.after_step(torch.tensor(after))
        theirs.update(torch.tensor(after))
        torch.testing.assert_close(ours.logits.detach(), theirs._w.detach())
        assert float(ours.weights().sum()) == pytest.approx(1.0, abs=1e-4)


@given(LOSSES, LOSSES, st.floats(0.1, 10.0))
def test_famo_and_dwa_do_not_mind_the_scale_of_a_loss(
    before: list[float], after: list[float], scale: float
) -> None:
    scales = torch.tensor([scale, 1.0, 1.0])
    moved = []
    for factor in (torch.ones(3), scales):
        famo, dwa = Famo(3, 0.025, 1), Dwa(3, 2.0)
        famo.terms(torch.tensor(before) * factor, ALL)
        famo.after_step(torch.tensor(after) * factor)
        dwa.on_epoch_end(torch.tensor(before) * factor)
        dwa.on_epoch_end(torch.tensor(after) * factor)
        moved.append((famo.logits.grad, dwa.weights()))
    assert moved[0][0] is not None
    assert moved[1][0] is not None
    torch.testing.assert_close(moved[0][0], moved[1][0], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(moved[0][1], moved[1][1], atol=1e-4, rtol=1e-3)


def linear_losses(w: Tensor, sizes: list[float], values: list[float]) -> Tensor:
    """Losses of these values whose gradients on W have these norms."""
    return torch.stack(
        [
            torch.tensor(v) + s * (w[k] - w[k].detach())
            for k, (s, v) in enumerate(zip(sizes, values, strict=True))
        ]
    )


def test_gradnorm_by_its_algorithm() -> None:
    shared = torch.randn(2, requires_grad=True)
    ours = GradNorm(torch.ones(2), [shared], alpha=1.0, rate=0.1, variant="paper")
    w = torch.ones(2, requires_grad=True)
    descent = torch.optim.Adam([w], lr=0.1)
    for sizes, values in (
        ([3.0, 1.0], [0.5, 1.0]),
        ([3.0, 1.0], [0.5, 1.0]),
        ([1.0, 2.0], [1.0, 1.0]),
    ):
        terms = ours.terms(linear_losses(shared, sizes, values), torch.tensor([True, True]))
        torch.testing.assert_close(terms.detach(), w.detach() * torch.tensor(values))
        # algorithm 1, written straight
        size = w * torch.tensor(sizes)
        progress = torch.tensor(values) / torch.tensor(values).mean()
        target = (size.mean() * progress).detach()
        descent.zero_grad()
        (size - target).abs().sum().backward()  # type: ignore[no-untyped-call]
        descent.step()
        with torch.no_grad():
            w *= 2.0 / w.sum()
        torch.testing.assert_close(ours.weights(), w.detach())
    first = GradNorm(torch.ones(2), [shared], alpha=1.0, rate=0.1, variant="paper")
    first.terms(linear_losses(shared, [3.0, 1.0], [1.0, 1.0]), torch.tensor([True, True]))
    assert first.weights()[0] < 1.0 < first.weights()[1]  # the larger gradient is turned down


def test_gradnorm_of_the_document_is_renormalised() -> None:
    shared = torch.randn(2, requires_grad=True)
    ours = GradNorm(torch.ones(2), [shared], alpha=0.5, rate=0.1, variant="document")
    ours.terms(linear_losses(shared, [4.0, 1.0], [1.0, 1.0]), torch.tensor([True, True]))
    raw = np.sqrt(np.array([4.0, 1.0]) / 2.5)
    np.testing.assert_allclose(ours.weights(), 2 * raw / raw.sum(), rtol=1e-6)
    for _ in range(50):
        ours.terms(linear_losses(shared, [4.0, 1.0], [1.0, 1.0]), torch.tensor([True, True]))
    assert float(ours.weights().sum()) == pytest.approx(2.0, abs=1e-4)


def test_gradnorm_needs_something_shared() -> None:
    with pytest.raises(ModelError, match="last shared layer"):
        build_weighting(TASKS, Training(weights={}, weighting="gradnorm"), [])


@pytest.mark.parametrize("name", ["fixed", "uncertainty", "dwa", "gradnorm", "famo", "stch"])
@given(data=st.data())
def test_order_of_tasks_does_not_matter_and_absent_ones_add_nothing(
    name: str, data: st.DataObject
) -> None:
    values, sizes = data.draw(LOSSES), data.draw(LOSSES)
    order = data.draw(st.permutations(range(3)))
    present = torch.tensor([True, data.draw(st.booleans()), True])
    found = []
    for turn in (list(range(3)), order):
        shared = torch.randn(3, requires_grad=True)
        training = Training().model_copy(update={"weighting": name})
        weighting = build_weighting([TASKS[k] for k in turn], training, [shared])
        seen = []
        for _ in range(2):
            losses = linear_losses(shared, [sizes[k] for k in turn], [values[k] for k in turn])
            terms = weighting.terms(losses, present[turn])
            (slopes,) = torch.autograd.grad(terms.sum(), losses)
            if weighting.looks_back:
                weighting.after_step(0.9 * losses.detach() ** 1.1)
            seen.append((terms.detach(), slopes))
        terms, slopes = seen[-1]
        found.append((terms, slopes))
        assert (terms[~present[turn]] == 0).all()
        assert (slopes[~present[turn]] == 0).all()
    torch.testing.assert_close(found[1][0], found[0][0][order], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found[1][1], found[0][1][order], rtol=1e-4, atol=1e-6)


def test_updates_at_every_so_many_steps_alone() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    gradnorm = GradNorm(torch.ones(2), [weight], alpha=1.0, rate=0.1, variant="paper", every=3)
    famo = Famo(2, 0.1, 3)
    present = torch.ones(2, dtype=torch.bool)
    moved, looked = [], []
    for _ in range(7):
        before = gradnorm.weights().clone()
        gradnorm.terms(weight.square() * torch.tensor([1.0, 5.0]), present)
        moved.append(not torch.equal(before, gradnorm.weights()))
        looked.append(famo.looks_back)
        famo.terms(weight.square(), present)
    assert moved == looked == [True, False, False, True, False, False, True]

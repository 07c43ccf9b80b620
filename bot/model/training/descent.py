"""The steps of one network: batches, gradients, the optimiser.

Owns `descend`. Rule: everything random comes from torch's global generator, which goes on from where
the course left it. What becomes of the epochs is `course`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bot.config.schema import Training
from bot.model.training.course import Course
from bot.model.training.gradients import GradientMethod, build_gradients
from bot.model.training.rows import batches
from bot.model.training.schedule import rate_factor


class _Steps(NamedTuple):
    """What the network is moved by."""

    gradients: GradientMethod
    optimizer: torch.optim.Optimizer
    rates: tuple[float, ...]
    """The step sizes of the network's own parameters, the optimiser's first groups."""

    def set_rate(self, training: Training, step: int, steps_an_epoch: int) -> None:
        """Set the step sizes of a step."""
        if training.schedule != "constant":
            factor = rate_factor(training, step, steps_an_epoch)
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=False):
                group["lr"] = rate * factor


def descend(course: Course) -> None:
    """Run the epochs of a course until it is over.

    Raises:
        DataError: no task that is trained has a label among the validation rows.
        ModelError: the loss stopped being a number, or settings do not suit one another.
    """
    torch.random.set_rng_state(course.random_state)
    steps = _prepare(course)
    while not course.see(_epoch(course, steps)):
        pass


def _prepare(course: Course) -> _Steps:
    """Build what moves the network and what its weighting learns."""
    training = course.training
    own = course.network.parameter_groups(training.learning_rate, training.weight_decay)
    groups = [
        *own,
        *course.weighting.parameter_groups(training.learning_rate),
    ]
    learned = [parameter for group in groups for parameter in group["params"]]
    return _Steps(
        build_gradients(training, course.network, learned),
        torch.optim.AdamW(groups, fused=True),
        tuple(float(group["lr"]) for group in own),
    )


def _epoch(course: Course, steps: _Steps) -> Tensor:
    """Pass once over the shuffled rows; return the mean loss of each task, float32[K]."""
    network, weighting, rows = course.network, course.weighting, course.parts.fitted
    network.train()
    clipped = [list(module.parameters()) for module in course.stopping.modules]
    active = course.active()
    total, labelled = torch.zeros(rows.y.shape[1]), torch.zeros(rows.y.shape[1])
    cut = batches(len(rows.y), course.training.batch_size)
    for place, chosen in enumerate(cut):
        steps.set_rate(course.training, len(course.history) * len(cut) + place, len(cut))
        x, y, known = rows.at(chosen)
        seen: list[Tensor] = []

        def terms_of(output: Tensor) -> tuple[Tensor, Tensor]:
            losses, count = course.losses_of(output, y, known)  # noqa: B023 - called at once
            seen[:] = losses.detach(), count  # noqa: B023
            present = (count > 0) & active
            return weighting.terms(losses, present), present

        before = torch.random.get_rng_state() if weighting.looks_back else None
        steps.optimizer.zero_grad(set_to_none=True)
        steps.gradients.backward(network, x, terms_of)
        for parameters in clipped:
            torch.nn.utils.clip_grad_norm_(parameters, course.training.clip_norm)
        steps.optimizer.step()
        if before is not None:
            torch.random.set_rng_state(before)  # the same dropout as in the step
            with torch.no_grad():
                afterwards, _ = course.losses_of(network(x), y, known)
            weighting.after_step(afterwards)
        losses, count = seen
        total += losses * count
        labelled += count
    return total / labelled.clamp(min=1.0)

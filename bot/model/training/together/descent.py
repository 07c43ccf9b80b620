"""The epochs of all members of an ensemble, batch by batch.

Owns `descend_together`. Rules: a member is trained as if it were alone, by its own seed: first
weights, shuffles, dropout, clipping and stopping are its own; one that is done is left as it is. A
batch goes forward and backward through one member after the other, because one fits the cache and
many would not; what they share is memory, the optimiser's step, and steps without autograd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bot.blocks import F32
from bot.model.training.course import Course
from bot.model.training.rows import batches
from bot.model.training.together.flat import FlatParameters
from bot.model.training.together.losses import LossGradients
from bot.model.training.together.tower import Buffers, Tower, towers_of


@dataclass(frozen=True, slots=True)
class Member:
    """A network in training among others.

    Attributes:
        generator: what its shuffles and its dropout are drawn from.
        flat: its parameters; what is clipped and kept by itself has one of its own.
    """

    course: Course
    generator: torch.Generator
    losses_of: LossGradients
    flat: list[FlatParameters]
    towers: list[Tower]

    @classmethod
    def of(cls, course: Course, losses_of: LossGradients, buffers: Buffers) -> Member:
        """Make a member of a course; its network's parameters move into rows."""
        generator = torch.Generator()
        generator.set_state(course.random_state)
        flat = [FlatParameters(module) for module in course.stopping.modules]
        return cls(course, generator, losses_of, flat, towers_of(course.network, buffers))

    def backward(self, chosen: Tensor, active: Tensor) -> tuple[F32, F32]:
        """Fill the gradients for a batch; return the losses of the tasks and how many rows have each.

        Args:
            active: bool[K], the tasks that are trained.
        """
        course = self.course
        x, y, known = course.parts.fitted.at(chosen)
        columns = [tower.forward(x, self.generator) for tower in self.towers]
        output = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
        losses, count, slopes = self.losses_of(output, y.numpy(), known.numpy())
        present = torch.from_numpy(count > 0) & active
        factors = course.weighting.factors(torch.from_numpy(losses), present)
        gradient = self.losses_of.weighted(slopes, factors.numpy())
        first = 0
        for tower, own in zip(self.towers, columns, strict=True):
            tower.backward(x, gradient[:, first : first + own.shape[1]])
            first += own.shape[1]
        for row in self.flat:
            row.clip(course.training.clip_norm)
        return losses, count


def descend_together(courses: Sequence[Course]) -> None:
    """Run the epochs of all courses until each is over.

    Raises:
        DataError: no task that is trained has a label among the validation rows.
        ModelError: the loss of a member stopped being a number.
    """
    buffers: Buffers = {}
    losses_of = LossGradients(courses[0].tasks, courses[0].training.return_loss)
    going = [Member.of(course, losses_of, buffers) for course in courses]
    optimizer = _optimizer(going)
    while going:
        losses = _epoch(going, optimizer)
        seen = list(zip(going, losses, strict=True))
        going = [member for member, own in seen if not member.course.see(own)]


def _optimizer(members: Sequence[Member]) -> torch.optim.Optimizer:
    """Return one for the parameters of all members, and for what their weightings learn."""
    training = members[0].course.training
    values = [own.values for member in members for own in member.flat]
    groups = [
        {"params": values, "lr": training.learning_rate, "weight_decay": training.weight_decay}
    ]
    for member in members:
        groups += member.course.weighting.parameter_groups(training.learning_rate)
    return torch.optim.AdamW(groups, fused=True)


def _epoch(members: Sequence[Member], optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Pass once over the rows, shuffled for each; return its mean losses of the tasks, float32[K]."""
    course = members[0].course
    n, n_tasks = course.parts.fitted.y.shape
    shuffled = [batches(n, course.training.batch_size, member.generator) for member in members]
    active = [member.course.active() for member in members]
    total, labelled = np.zeros((2, len(members), n_tasks), np.float32)
    for chosen in zip(*shuffled, strict=True):
        for m, member in enumerate(members):
            losses, count = member.backward(chosen[m], active[m])
            total[m] += losses * count
            labelled[m] += count
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return list(torch.from_numpy(total / np.maximum(labelled, 1.0)))

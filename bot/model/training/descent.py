"""The epochs of one network: shuffled batches, and a step for each.

Owns `descend`. Rule: rows are shuffled by the generator that the steps draw from. How a step is made
is `autograd` or `by_hand`; what becomes of the epochs is `course`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from bot.model.training.course import Course
from bot.model.training.rows import batches
from bot.model.training.schedule import rate_factor


class Steps(Protocol):
    """What moves a network."""

    @property
    def generator(self) -> torch.Generator:
        """What everything random is drawn from; it goes on from where the course left it."""

    def take(self, chosen: Tensor, active: Tensor, factor: float) -> tuple[Tensor, Tensor]:
        """Move the network by a batch; return the tasks' losses and how many rows have a label of each.

        Args:
            chosen: int64[B], the rows.
            active: bool[K], the tasks that are trained.
            factor: on the step size of the network's own parameters.
        """

    def forward(self) -> Callable[[Tensor], Tensor]:
        """Return the quickest forward pass of the network as it is now, in eval mode."""


def descend(course: Course, steps: Steps) -> None:
    """Run the epochs of a course until it is over.

    Raises:
        DataError: no task that is trained has a label among the validation rows.
        ModelError: the loss stopped being a number, or settings do not suit one another.
    """
    while not course.see(epoch(course, steps), steps.forward()):
        pass


def epoch(course: Course, steps: Steps) -> Tensor:
    """Pass once over the shuffled rows; return the mean loss of each task, float32[K]."""
    course.network.train()
    rows = course.parts.fitted
    n, n_tasks = rows.y.shape
    active = course.active()
    total, labelled = torch.zeros(2, n_tasks, device=rows.device)
    cut = batches(n, course.training.batch_size, steps.generator, rows.order)
    for place, chosen in enumerate(cut):
        factor = rate_factor(course.training, len(course.history) * len(cut) + place, len(cut))
        losses, count = steps.take(chosen, active, factor)
        total += losses * count
        labelled += count
    mean: Tensor = total / labelled.clamp(min=1.0)
    return mean

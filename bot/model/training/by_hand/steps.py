"""The steps of one network whose gradients are written out by hand.

Owns `StepsByHand`. Rules: random numbers are those that `training.autograd` would draw from the
same state, and so are shuffles, dropout, clipping and decay: a network comes out as it does there but
for rounding. A batch stays in the cache from its forward pass to its step.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bot.blocks import F32
from bot.model.networks.architectures import Architecture
from bot.model.training.by_hand.flat import FlatParameters
from bot.model.training.by_hand.losses import LossGradients
from bot.model.training.by_hand.tower import Tower, towers_of
from bot.model.training.course import Course

TILE = 1024
"""Validation rows that are read at a time: what lies between the layers then stays in the cache."""


class StepsByHand:
    """What a network is moved by: forward and backward through a batch, and AdamW.

    The parameters move into rows of memory; what is clipped and kept by itself has one of its own.
    """

    def __init__(self, course: Course) -> None:
        self.generator = torch.Generator()
        self.generator.set_state(course.random_state)
        training = course.training
        self._course = course
        self._flat = [FlatParameters(module, training) for module in course.stopping.modules]
        self._towers: list[Tower] = towers_of(course.network)
        self._losses_of = LossGradients(course.tasks, training.return_loss)
        groups = course.weighting.parameter_groups(training.learning_rate)
        self._learned = torch.optim.AdamW(groups, fused=True) if groups else None

    def take(self, chosen: Tensor, active: Tensor, factor: float) -> tuple[Tensor, Tensor]:
        """Move the network by a batch, and what its weighting learns.

        Args and return value are those of `descent.Steps`.
        """
        losses, count = self.backward(chosen, active)
        self.move(factor)
        return torch.from_numpy(losses), torch.from_numpy(count)

    def forward(self) -> Callable[[Tensor], Tensor]:
        """Return the forward pass that a model forecasts by."""
        return folded(self._course.network)

    def backward(self, chosen: Tensor, active: Tensor) -> tuple[F32, F32]:
        """Fill the gradients for a batch; return the losses of the tasks and how many rows have each.

        Args:
            active: bool[K], the tasks that are trained.
        """
        x, y, known = self._course.parts.fitted.at(chosen)
        columns = [tower.forward(x, self.generator) for tower in self._towers]
        output = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
        losses, count, slopes = self._losses_of(output, y.numpy(), known.numpy())
        present = torch.from_numpy(count > 0) & active
        factors = self._course.weighting.factors(torch.from_numpy(losses), present)
        gradient = self._losses_of.weighted(slopes, factors.numpy())
        first = 0
        for tower, own in zip(self._towers, columns, strict=True):
            tower.backward(x, gradient[:, first : first + own.shape[1]])
            first += own.shape[1]
        return losses, count

    def move(self, factor: float = 1.0) -> None:
        """Move the parameters by their gradients, and what the weighting learns by its own.

        Args:
            factor: on the step size of the parameters.
        """
        for row in self._flat:
            row.move(factor)
        if self._learned is not None:
            self._learned.step()
            self._learned.zero_grad(set_to_none=True)


def folded(network: Architecture) -> Callable[[Tensor], Tensor]:
    """Return the forward pass that a model forecasts by, on float32[N, F] of any length."""
    forward = network.fold(TILE)

    def read(x: Tensor) -> Tensor:
        padded = functional.pad(x, (0, 0, 0, -len(x) % TILE))
        return torch.cat([forward(tile).clone() for tile in torch.split(padded, TILE)])[: len(x)]

    return read

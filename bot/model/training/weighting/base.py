"""What a weighting is: from the losses of K tasks to the terms whose sum is descended.

Rules: a weighting sees losses, never data or networks' outputs; what it learns by descent is in
parameter groups of its own, without weight decay.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bot.blocks import Task
from bot.config.schema import Training


@dataclass(frozen=True, slots=True)
class Given:
    """What a weighting is built from.

    Attributes:
        tasks: K of them, in the order of the losses.
        naive: float32[K], the loss of a head that knows nothing; it is on the device of the losses.
        last_shared: weights of the network's last shared layer; empty where none is shared.
    """

    tasks: Sequence[Task]
    training: Training
    naive: Tensor
    last_shared: Sequence[Tensor]

    @property
    def device(self) -> torch.device:
        """Return where the losses are, and so whatever is computed with them."""
        return self.naive.device


class Weighting(ABC):
    """From the losses of K tasks to their objective."""

    @property
    def looks_back(self) -> bool:
        """Return whether `after_step` wants the losses of the coming batch after its step."""
        return False

    @abstractmethod
    def terms(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return float32[K], whose sum has the gradient that is descended; it may be negative.

        Args:
            losses: float32[K], with gradients.
            present: bool[K], the task has a label in this batch and is trained now; the terms of
                others are 0 and have no gradient.
        """

    def factors(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return float32[K], the derivative of the sum of the terms by each loss, for `losses` as they are.

        What the weighting itself learns gets its gradient too. Where terms are weights times losses,
        this need not be left to autograd.
        """
        measured = losses.detach().requires_grad_()
        self.terms(measured, present).sum().backward()  # type: ignore[no-untyped-call]
        assert measured.grad is not None
        return measured.grad

    @abstractmethod
    def weights(self) -> Tensor:
        """Return float32[K], the factor on each loss at this moment, for the log."""

    def active(self) -> Tensor:
        """Return bool[K], the tasks that are trained; only they decide when to stop."""
        return torch.ones_like(self.weights(), dtype=torch.bool)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return what is learned, as groups for the optimiser; nothing by default."""
        del learning_rate
        return []

    def after_step(self, losses: Tensor) -> None:
        """Look at the losses of the batch after the step, float32[K]; by default do nothing."""
        del losses

    def on_epoch_end(self, losses: Tensor) -> None:
        """Look at the epoch's mean training losses, float32[K]; by default do nothing."""
        del losses


def where_present(values: Tensor, present: Tensor) -> Tensor:
    """Return the values, 0 and without a gradient where the task is absent."""
    return torch.where(present, values, values.new_zeros(()))

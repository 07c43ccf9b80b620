"""How the losses of the tasks become the one number that is descended.

Owns the weightings and their registry. Rules: a weighting sees losses, never data or networks'
outputs; what it learns is in parameter groups of its own, without weight decay. A new weighting is
a subclass of `Weighting` and a line in `WEIGHTINGS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from bot.blocks import Task
from bot.config.sections import Training
from bot.errors import ModelError
from bot.model.tasks import is_classified

S_BOUND = 5.0
"""log σ² is kept within ±S_BOUND: a noise of e^±2.5 of the target's scale says enough."""


class Weighting(ABC):
    """From the losses of K tasks to their objective."""

    @abstractmethod
    def combine(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return the objective, a scalar; it may be negative.

        Args:
            losses: float32[K], with gradients.
            present: bool[K], the task has a label in this batch; others must add nothing.
        """

    @abstractmethod
    def weights(self) -> Tensor:
        """Return float32[K], the factor on each loss at this moment, for the log."""

    def active(self) -> Tensor:
        """Return bool[K], the tasks that are trained now; only they decide when to stop."""
        return self.weights() > 0.0

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return what is learned, as groups for the optimiser; nothing by default."""
        del learning_rate
        return []

    def on_epoch_end(self, losses: Tensor) -> None:
        """Look at the epoch's mean training losses, float32[K]; by default do nothing."""
        del losses


class Fixed(Weighting):
    """Σ w_k L_k with given weights: the baseline to beat (Kurin 2022, Xin 2022)."""

    def __init__(self, tasks: Sequence[Task], weights: Mapping[str, float]) -> None:
        self._weights = torch.tensor([weights.get(task.kind, 1.0) for task in tasks])

    def combine(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return Σ w_k L_k over the tasks present."""
        return (self._weights * losses * present).sum()

    def weights(self) -> Tensor:
        """Return the given weights."""
        return self._weights


class Uncertainty(Weighting):
    """Homoscedastic uncertainty: Kendall, Gal & Cipolla 2018, eq. 7 and 10.

    With s = log σ² learned for each task, from 0: ½ e^(−s) L + ½ s for a regression (eq. 7) and
    e^(−s) L + ½ s for a classification (eq. 10). The variant `document` is the classification's
    form for every task, written there with log σ: e^(−2 log σ) L + log σ; it only moves s by log 2.
    At the optimum the objective is ½ Σ log L_k and a constant: the scale of a loss does not matter.
    """

    def __init__(self, tasks: Sequence[Task], variant: Literal["paper", "document"]) -> None:
        self.s = torch.zeros(len(tasks), requires_grad=True)
        self._factor = torch.tensor(
            [1.0 if variant == "document" or is_classified(task) else 0.5 for task in tasks]
        )

    def combine(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return Σ c_k e^(−s_k) L_k + ½ s_k over the tasks present, s first brought into bounds."""
        with torch.no_grad():
            self.s.clamp_(-S_BOUND, S_BOUND)
        each = self._factor * torch.exp(-self.s) * losses + 0.5 * self.s
        return (each * present).sum()

    def weights(self) -> Tensor:
        """Return c_k e^(−s_k)."""
        return self._factor * torch.exp(-self.s.detach().clamp(-S_BOUND, S_BOUND))

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return s in a group of its own: decay would pull every σ towards 1."""
        return [{"params": [self.s], "lr": learning_rate, "weight_decay": 0.0}]


WEIGHTINGS: dict[str, Callable[[Sequence[Task], Training], Weighting]] = {
    "fixed": lambda tasks, training: Fixed(tasks, training.weights),
    "uncertainty": lambda tasks, training: Uncertainty(tasks, training.uncertainty_variant),
}
"""Builders by the name in training.weighting."""


def build_weighting(tasks: Sequence[Task], training: Training) -> Weighting:
    """Build what training.weighting names.

    Raises:
        ModelError: no task has a weight above 0.
    """
    weighting = WEIGHTINGS[training.weighting](tasks, training)
    if not weighting.active().any():
        raise ModelError("training.weights: every head has weight 0; give one a positive weight")
    return weighting

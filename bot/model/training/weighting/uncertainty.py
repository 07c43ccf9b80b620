"""Homoscedastic uncertainty (Kendall, Gal & Cipolla 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from bot.blocks import Task
from bot.model.device import CPU
from bot.model.tasks import labels_of
from bot.model.training.weighting.base import Given, Weighting
from bot.parts.registry import shipped

S_BOUND = 5.0
"""log σ² is kept within ±S_BOUND: a noise of e^±2.5 of the target's scale says enough."""


class Uncertainty(Weighting):
    """Learned noise a task: eq. 7 and 10.

    With s = log σ² learned for each task, from 0: ½ e^(−s) L + ½ s for a regression (eq. 7) and
    e^(−s) L + ½ s for a classification (eq. 10). The variant `document` is the classification's
    form for every task, written there with log σ: e^(−2 log σ) L + log σ; it only moves s by log 2.
    At the optimum the objective is ½ Σ log L_k and a constant: the scale of a loss does not matter.
    """

    def __init__(
        self, tasks: Sequence[Task], variant: Literal["paper", "document"], rate: float,
        device: torch.device = CPU,
    ) -> None:  # fmt: skip
        self._rate = rate
        self.s = torch.zeros(len(tasks), requires_grad=True, device=device)
        self._factor = torch.tensor(
            [1.0 if variant == "document" or labels_of(task) else 0.5 for task in tasks],
            device=device,
        )

    def terms(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return c_k e^(−s_k) L_k + ½ s_k for the tasks present, s first brought into bounds."""
        with torch.no_grad():
            self.s.clamp_(-S_BOUND, S_BOUND)
        each = self._factor * torch.exp(-self.s) * losses + 0.5 * self.s
        return each * present

    def weights(self) -> Tensor:
        """Return c_k e^(−s_k)."""
        return self._factor * torch.exp(-self.s.detach().clamp(-S_BOUND, S_BOUND))

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return s in a group of its own: decay would pull every σ towards 1.

        It learns at its own rate: at the network's it would not arrive within a training.
        """
        del learning_rate
        return [{"params": [self.s], "lr": self._rate, "weight_decay": 0.0}]


@shipped(
    "weighting",
    "uncertainty",
    keys=("training.uncertainty_variant", "training.weighting_rate"),
    doc=Uncertainty.__doc__,
)
def uncertainty(given: Given) -> Weighting:
    """Build it from the settings."""
    t = given.training
    return Uncertainty(given.tasks, t.uncertainty_variant, t.weighting_rate, given.device)

"""Dynamic weight average (Liu, Johns & Davison 2019)."""

from __future__ import annotations

import torch
from torch import Tensor

from bot.model.device import CPU
from bot.model.training.weighting.base import Given, Weighting
from bot.parts.registry import shipped


class Dwa(Weighting):
    """Weight by how slowly a loss falls, eq. 7.

    With L_k(t) the mean loss of epoch t and r_k(t−1) = L_k(t−1)/L_k(t−2),
    w_k(t) = K exp(r_k/T) / Σ_i exp(r_i/T). The first two epochs are equal.
    """

    def __init__(self, n_tasks: int, temperature: float, device: torch.device = CPU) -> None:
        self._weights = torch.ones(n_tasks, device=device)
        self._temperature = temperature
        self._before: Tensor | None = None

    def terms(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return w_k L_k for the tasks present."""
        return self._weights * losses * present

    def factors(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return w_k for the tasks present."""
        del losses
        return self._weights * present

    def weights(self) -> Tensor:
        """Return the weights of the epoch that comes next."""
        return self._weights

    def on_epoch_end(self, losses: Tensor) -> None:
        """Set the weights from the last two epochs."""
        if self._before is not None:
            # a task without labels has a loss of 0 in every epoch, and stays where it is
            known = self._before > 0.0
            ratio = torch.where(known, losses / self._before.where(known, losses.new_ones(())), 1.0)
            self._weights = len(losses) * torch.softmax(ratio / self._temperature, dim=0)
        self._before = losses


@shipped("weighting", "dwa", keys=("training.dwa_temperature",), doc=Dwa.__doc__)
def dwa(given: Given) -> Weighting:
    """Build it from the settings."""
    return Dwa(len(given.tasks), given.training.dwa_temperature, given.device)

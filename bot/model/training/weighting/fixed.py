"""Given weights: the plain sum, and the baseline to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from bot.blocks import Task
from bot.model.device import CPU
from bot.model.training.weighting.base import Given, Weighting
from bot.parts.registry import shipped


class Fixed(Weighting):
    """Σ w_k L_k with given weights: the baseline to beat (Kurin 2022, Xin 2022)."""

    def __init__(
        self, tasks: Sequence[Task], weights: Mapping[str, float], device: torch.device = CPU
    ) -> None:
        each = [weights.get(task.kind, 1.0) for task in tasks]
        self._weights = torch.tensor(each, device=device)

    def terms(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return w_k L_k for the tasks present."""
        return self._weights * losses * present

    def factors(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return w_k for the tasks present."""
        del losses
        return self._weights * present

    def weights(self) -> Tensor:
        """Return the given weights."""
        return self._weights

    def active(self) -> Tensor:
        """Return where the weight is not 0."""
        return self._weights > 0.0


@shipped("weighting", "fixed", keys=("training.weights",), doc=Fixed.__doc__)
def fixed(given: Given) -> Weighting:
    """Build it from the settings."""
    return Fixed(given.tasks, given.training.weights, given.device)

"""Smooth Tchebycheff scalarisation (Lin et al. 2024)."""

from __future__ import annotations

import torch
from torch import Tensor

from bot.model.training.weighting.base import Given, Weighting, where_present
from bot.parts.registry import shipped


class Stch(Weighting):
    """The worst task first, smoothly: g = μ log Σ_k exp(y_k/μ) over y_k = log(L_k / N_k).

    N_k is the loss of a head that knows nothing, in place of the nadir that the authors estimate in
    warm-up epochs; their ideal point is 0 and their preferences are equal. The objective is K g,
    whose gradient is Σ_k w_k ∇L_k with w_k = K softmax(y/μ)_k / L_k: at μ = 1 that is the plain
    sum of L_k/N_k, rescaled, and small μ is the worst task alone.
    """

    def __init__(self, naive: Tensor, mu: float) -> None:
        self._naive, self._mu = naive, mu
        self._weights = 1.0 / naive

    def terms(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return K p_k log L_k with the softmax p held constant."""
        # log needs a positive number even where the task is absent
        log_losses = torch.log(torch.where(present, losses, self._naive))
        y = log_losses.detach() - torch.log(self._naive)
        share = torch.softmax((y / self._mu).masked_fill(~present, -torch.inf), dim=0)
        scaled = present.sum() * share
        self._weights = torch.where(present, scaled / losses.detach(), self._weights)
        return where_present(scaled * log_losses, present)

    def weights(self) -> Tensor:
        """Return K p_k / L_k of the last batch."""
        return self._weights


@shipped("weighting", "stch", keys=("training.stch_mu",), doc=Stch.__doc__)
def stch(given: Given) -> Weighting:
    """Build it from the settings."""
    return Stch(given.naive, given.training.stch_mu)

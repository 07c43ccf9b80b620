"""Gradient sign dropout (Chen et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from bot.model.device import CPU
from bot.model.training.gradients.aggregator import OfBatch
from bot.parts.registry import shipped


class GradDrop(OfBatch):
    """Of each element keep the gradients of one sign, drawn by how much they weigh (algorithm 1).

    With P = ½ (1 + Σ_k G_k / Σ_k |G_k|) the tasks with G_k > 0 are kept with probability P, and else
    those with G_k < 0; there is no leakage. On parameters G_k is the gradient itself. On features it
    is sgn(h) ∘ ∂L_k/∂h summed over the batch (lines 3 to 5): a unit's sign is judged once for all
    rows, by what the task wants of its size, and the mask then holds for every row.
    """

    def __call__(self, rows: Tensor) -> Tensor:
        """Return float32[P].

        With s = Σ g and a = Σ |g| the sums of one sign are (s + a)/2 and (s − a)/2, so nothing has
        to be sorted out task by task.
        """
        total, size = rows.sum(dim=0), rows.abs().sum(dim=0)
        return 0.5 * (total + torch.where(_positive(total, size), size, -size))

    def of_batch(self, gradients: Tensor, h: Tensor) -> Tensor:
        """Return float32[B, W] from the tasks' gradients float32[K, B, W] on h float32[B, W]."""
        wanted = (torch.sign(h) * gradients).sum(dim=1)
        positive = _positive(wanted.sum(dim=0), wanted.abs().sum(dim=0))
        kept = torch.where(positive, wanted > 0.0, wanted < 0.0)
        return (kept[:, None] * gradients).sum(dim=0)


def _positive(total: Tensor, size: Tensor) -> Tensor:
    """Draw where the positive sign is kept."""
    drawn = torch.rand(size.shape, dtype=size.dtype, device=CPU).to(size.device)
    return drawn * 2.0 * size < size + total


shipped("gradient_method", "graddrop", doc=GradDrop.__doc__)(lambda _: GradDrop())

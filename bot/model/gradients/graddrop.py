"""Gradient sign dropout (Chen et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor


def graddrop(jacobian: Tensor) -> Tensor:
    """Return float32[P]: of each element the gradients of one sign, drawn by how much they weigh.

    With P = ½ (1 + Σ g / Σ |g|) the positive ones are kept with probability P and else the negative
    ones (algorithm 1, without leakage). With s = Σ g and a = Σ |g| their sums are (s + a)/2 and
    (s − a)/2, so nothing has to be sorted out task by task.
    """
    total, size = jacobian.sum(dim=0), jacobian.abs().sum(dim=0)
    positive = torch.rand(size.shape, dtype=size.dtype) * 2.0 * size < size + total
    return 0.5 * (total + torch.where(positive, size, -size))

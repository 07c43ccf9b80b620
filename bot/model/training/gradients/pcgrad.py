"""Projecting conflicting gradients (Yu et al. 2020, algorithm 1)."""

from __future__ import annotations

import torch
from torch import Tensor

from bot.model.device import CPU
from bot.parts.registry import shipped


def pcgrad(jacobian: Tensor) -> Tensor:
    """Return Σ_i g_i^PC, float32[P], from the tasks' gradients g, float32[K, P].

    For each task i, over the others j in random order: if g_i^PC · g_j < 0 then
    g_i^PC ← g_i^PC − (g_i^PC · g_j)/‖g_j‖² g_j, with the original g_j. Each g_i^PC is a sum of the
    g with known factors, so all products come from the K × K matrix of g_i · g_j.
    """
    k = len(jacobian)
    products: list[list[float]] = (jacobian @ jacobian.t()).double().tolist()
    orders: list[list[int]] = torch.rand(k, k, device=CPU).argsort(dim=1).tolist()
    total = [0.0] * k
    for i in range(k):
        factors = [float(i == j) for j in range(k)]
        for j in orders[i]:
            along = sum(factors[m] * products[m][j] for m in range(k))
            if j != i and along < 0.0:
                factors[j] -= along / products[j][j]
        total = [a + b for a, b in zip(total, factors, strict=True)]
    return torch.tensor(total, dtype=jacobian.dtype, device=jacobian.device) @ jacobian


shipped("gradient_method", "pcgrad", doc=pcgrad.__doc__)(lambda _: pcgrad)

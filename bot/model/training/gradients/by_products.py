"""Methods that only need to know the products g_i · g_j: MGDA, Gradient Vaccine, ConFIG.

Rules: the products are made once, as a matrix, and what follows is done on K × K plain numbers,
which for a few tasks is several times quicker than tensors of that size. Each gives what torchjd's
method of that name gives, draws included.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from bot.model.device import CPU
from bot.model.training.gradients.aggregator import as_sum, of_any_size
from bot.parts.registry import shipped

MOST_ITERATIONS, LEAST_STEP = 100, 0.001
"""When MGDA's search ends."""

BETA = 0.5
"""β of Gradient Vaccine: how quickly its targets follow the cosines that are met."""

_TINY = 1e-8
_LEAST_RANK = 1e-3  # below it float32 products say nothing about rank


def mgda(jacobian: Tensor) -> Tensor:
    """Return the shortest vector in the convex hull of the gradients (Désidéri 2012), float32[P].

    min_α ‖Σ_k α_k g_k‖² over the simplex by Frank and Wolfe's method with its exact step (Sener &
    Koltun 2018, algorithm 2), from equal weights. G α and αᵀ G α follow each step by hand.
    """
    products = _products(jacobian)
    k = len(products)
    alpha = [1.0 / k] * k
    along = [sum(row) / k for row in products]
    length = sum(along) / k
    for _ in range(MOST_ITERATIONS):
        t = min(range(k), key=along.__getitem__)
        a, c = along[t], products[t][t]
        step = _line_step(a, length, c)
        rest = 1.0 - step
        alpha = [rest * value for value in alpha]
        alpha[t] += step
        along = [
            rest * value + step * product for value, product in zip(along, products[t], strict=True)
        ]
        length = rest * rest * length + 2.0 * step * rest * a + step * step * c
        if step < LEAST_STEP:
            break
    return _combined(alpha, jacobian)


def _line_step(a: float, b: float, c: float) -> float:
    """Return the γ in [0, 1] with the least (1−γ)² b + 2γ(1−γ) a + γ² c."""
    if c <= a:
        return 1.0
    if b <= a:
        return 0.0
    return (b - a) / (b + c - 2.0 * a)


class GradientVaccine:
    """Turn each gradient until its cosines reach what is usual (Wang et al. 2021, algorithm 1).

    For task i, over the others j in random order: where cos(g_i', g_j) = φ is below its moving
    average φ̂, g_i' ← g_i' + ‖g_i'‖ (φ̂ √(1−φ²) − φ √(1−φ̂²)) / (‖g_j‖ √(1−φ̂²)) g_j (eq. 3), and
    φ̂ ← (1−β) φ̂ + β φ (eq. 4). The averages start at 0, which is PCGrad's target.
    """

    def __init__(self, n_tasks: int) -> None:
        self._usual = [[0.0] * n_tasks for _ in range(n_tasks)]

    def __call__(self, jacobian: Tensor) -> Tensor:
        """Return the sum of the turned gradients, float32[P]."""
        products = _products(jacobian)
        k = len(products)
        sizes = [math.sqrt(max(products[j][j], 0.0)) for j in range(k)]
        total = [0.0] * k
        for i in range(k):
            others = [j for j in range(k) if j != i]
            order = [others[place] for place in torch.randperm(k - 1, device=CPU).tolist()]
            total = [
                a + b for a, b in zip(total, self._turned(i, order, products, sizes), strict=True)
            ]
        return _combined(total, jacobian)

    def _turned(
        self, i: int, order: list[int], products: list[list[float]], sizes: list[float]
    ) -> list[float]:
        """Return the factors of the gradients in g_i'."""
        factors = [float(i == j) for j in range(len(products))]
        along = products[i]
        for j in order:
            own = math.sqrt(max(sum(a * f for a, f in zip(along, factors, strict=True)), 0.0))
            cosine = along[j] / (own * sizes[j] + _TINY)
            usual = self._usual[i][j]
            if cosine < usual:
                sine = math.sqrt(max(1.0 - usual * usual, 0.0))
                turn = usual * math.sqrt(max(1.0 - cosine * cosine, 0.0)) - cosine * sine
                factor = own * turn / (sizes[j] * sine + _TINY)
                factors[j] += factor
                along = [a + factor * p for a, p in zip(along, products[j], strict=True)]
            self._usual[i][j] = (1.0 - BETA) * usual + BETA * cosine
        return factors


def config(jacobian: Tensor) -> Tensor:
    """Return ConFIG's direction (Liu et al. 2024, eq. 2 and 3), float32[P].

    With U the unit gradients, u = U⁺ 1 / ‖U⁺ 1‖ has the same cosine with each gradient, and the
    length is Σ_k g_k · u. U⁺ = Uᵀ (U Uᵀ)⁺, so all that is inverted is the K × K matrix of cosines;
    singular values of U below max(K, P) ε of the largest count as zero, as in the authors' code.
    """
    products = np.array(_products(jacobian))
    sizes = np.sqrt(np.diagonal(products))
    scale = np.divide(1.0, sizes, out=np.zeros_like(sizes), where=sizes > 0.0)
    cosines = products * np.outer(scale, scale)
    share = max(max(jacobian.shape) * float(torch.finfo(jacobian.dtype).eps), _LEAST_RANK)
    weights = np.linalg.pinv(cosines, rcond=share * share, hermitian=True).sum(axis=1) * scale
    length = math.sqrt(max(float(weights @ products @ weights), 0.0))
    if length == 0.0:
        return jacobian.new_zeros(jacobian.shape[1])
    unit = weights / length
    return _combined((float((products @ unit).sum()) * unit).tolist(), jacobian)


def _products(jacobian: Tensor) -> list[list[float]]:
    """Return g_i · g_j."""
    products: list[list[float]] = (jacobian @ jacobian.t()).double().tolist()
    return products


def _combined(weights: list[float], jacobian: Tensor) -> Tensor:
    return torch.tensor(weights, dtype=jacobian.dtype, device=jacobian.device) @ jacobian


shipped("gradient_method", "mgda", doc=mgda.__doc__)(lambda _: as_sum(mgda))
shipped("gradient_method", "gradvac", doc=GradientVaccine.__doc__)(
    lambda n_tasks: of_any_size(GradientVaccine(n_tasks))
)
shipped("gradient_method", "config", doc=config.__doc__)(lambda _: config)

"""Excess risks as weights (He et al. 2024)."""

from __future__ import annotations

from torch import Tensor

from bot.model.training.gradients.aggregator import OfBatch
from bot.parts.registry import shipped

STEP = 0.01
"""η of eq. 9. At torchjd's 1 a single step leaves one task."""

WARM_UP_STEPS = 1
"""Steps of equal weights whose risks are the baseline that later ones are held against.

The first batch, as in LibMTL; without it the raw risks, whose scales differ by orders of magnitude
between tasks, would be the first step's exponent.
"""


class ExcessMTL(OfBatch):
    """Weigh the tasks by how far they are from convergence.

    A task's excess risk is estimated as gᵀ H⁻¹ g with H = diag(√Σ g²) over the steps (eq. 6 and 7),
    taken over its baseline (section 3.2); w_k ← w_k exp(η risk_k), on the simplex (eq. 9). The
    gradient is K Σ w_k g_k. On features the risks are those of the gradient summed over the batch,
    as in LibMTL: the places of the rows in a batch mean nothing from one step to the next.
    """

    def __init__(self) -> None:
        from torchjd.aggregation import ExcessMTLWeighting

        self._weighting = ExcessMTLWeighting(STEP, WARM_UP_STEPS)

    def __call__(self, rows: Tensor) -> Tensor:
        """Return float32[P]."""
        return self.weights(rows) @ rows

    def of_batch(self, gradients: Tensor, h: Tensor) -> Tensor:
        """Return float32[B, W]."""
        del h
        weights = self.weights(gradients.sum(dim=1))
        return (weights[:, None, None] * gradients).sum(dim=0)

    def weights(self, rows: Tensor) -> Tensor:
        """Return K w, float32[K], and take a step."""
        weights: Tensor = self._weighting(rows)
        return len(rows) * weights


shipped("gradient_method", "excess_mtl", doc=ExcessMTL.__doc__)(lambda _: ExcessMTL())

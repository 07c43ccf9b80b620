"""Gradient normalisation (Chen, Badrinarayanan, Lee & Rabinovich 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from bot.errors import ModelError
from bot.model.training.weighting.base import Given, Weighting
from bot.parts.registry import shipped

LEAST = 0.1
"""No task has less than about this, where equal weights are 1.

The paper leaves open what a weight of 0 or below would mean, and a task without weight is not learned.
"""


class GradNorm(Weighting):
    """Bring the tasks' gradients on the last shared layer W to sizes that suit their progress.

    With G_k = ‖∇_W w_k L_k‖, their mean Ḡ, and r_k = (L_k/L_k(0)) / mean: descend
    Σ_k |G_k − Ḡ r_k^α| in w, the target held constant (eq. 1 and 2), then renormalise to Σ w = K
    (algorithm 1). L_k(0) is the loss of a head that knows nothing, not the noisy one of the first
    batch. The network's step uses the weights from before.

    The variant `document` sets w_k ← w_k (‖∇_W L_k‖ / mean)^α in each step instead. It has no r_k
    and feeds on itself, since large gradients get larger weights: it is renormalised here too,
    without which its weights explode, and still it ends on few tasks: all others are at LEAST.

    The norms take nearly as long as a step: with `every` above 1 they are taken at every so many
    steps only, and w moves so much the further.
    """

    def __init__(
        self,
        naive: Tensor,
        last_shared: Sequence[Tensor],
        *,
        alpha: float,
        rate: float,
        variant: Literal["paper", "document"],
        every: int = 1,
    ) -> None:
        self._w = torch.ones_like(naive, requires_grad=True)
        self._naive, self._shared = naive, list(last_shared)
        self._alpha, self._variant = alpha, variant
        self._descent = torch.optim.Adam([self._w], lr=rate * every)
        self._every, self._step = every, 0

    def terms(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return w_k L_k for the tasks present, then move w; losses need their graph."""
        terms = self._w.detach().clone() * losses * present
        updates, self._step = self._step % self._every == 0, self._step + 1
        if updates and present.sum() > 1:
            self._learn(self._norms(losses, present), losses.detach(), present)
        return terms

    def weights(self) -> Tensor:
        """Return the weights of the step that comes next."""
        return self._w.detach()

    def _norms(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return ‖∇_W L_k‖, float32[K], 0 where absent."""
        norms = torch.zeros_like(losses, requires_grad=False)
        for k in torch.nonzero(present).flatten().tolist():
            gradients = torch.autograd.grad(losses[k], self._shared, retain_graph=True)
            norms[k] = torch.cat([g.flatten() for g in gradients]).norm()
        return norms

    def _learn(self, norms: Tensor, losses: Tensor, present: Tensor) -> None:
        """Move the weights of the tasks present and keep their sum."""
        w = self._w.detach()
        total = w[present].sum()
        if self._variant == "document":
            power = self._alpha * self._every
            change = (norms[present] / norms[present].mean()) ** power
            w[present] *= change
        else:
            size = w * norms
            progress = losses / self._naive
            progress = progress / progress[present].mean()
            target = size[present].mean() * progress**self._alpha
            self._w.grad = torch.sign(size - target) * norms * present
            self._descent.step()
        w[present] = w[present].clamp(min=LEAST)
        w[present] *= total / w[present].sum()


@shipped(
    "weighting",
    "gradnorm",
    keys=(
        "training.gradnorm_alpha",
        "training.gradnorm_variant",
        "training.weighting_rate",
        "training.weighting_every",
    ),
    doc=GradNorm.__doc__,
)
def gradnorm(given: Given) -> Weighting:
    """Build it from the settings."""
    if not given.last_shared:
        raise ModelError(
            "training.weighting = 'gradnorm' looks at the last shared layer, and this "
            "model.architecture shares none; choose another of the two"
        )
    return GradNorm(
        given.naive,
        given.last_shared,
        alpha=given.training.gradnorm_alpha,
        rate=given.training.weighting_rate,
        variant=given.training.gradnorm_variant,
        every=given.training.weighting_every,
    )

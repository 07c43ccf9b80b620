"""Fast adaptive multitask optimisation (Liu, Feng, Stone & Liu 2023)."""

from __future__ import annotations

import torch
from torch import Tensor

from bot.model.device import CPU
from bot.model.training.weighting.base import Given, Weighting, where_present
from bot.parts.registry import shipped

DECAY = 0.001
"""γ of algorithm 2: it pulls the logits back to equal weights."""

_TINY = 1e-8  # a loss of 0 has no logarithm


class Famo(Weighting):
    """Let all log-losses fall at the same rate, without a second backward pass (algorithm 1).

    z = softmax(ξ); the step descends c Σ_k z_k log L_k with c = 1 / Σ_k (z_k/L_k) held constant.
    After it the same batch tells δ_k = log L_k(before) − log L_k(after), and ξ takes an Adam step
    along (∂z/∂ξ)ᵀ δ + γ ξ: tasks that fell more than others lose weight. Both passes see the same
    dropout, so that δ is the step's doing. Looking costs half a step: with `every` above 1 it is
    done at every so many steps only, and ξ moves so much the further.
    """

    def __init__(self, n_tasks: int, rate: float, every: int, device: torch.device = CPU) -> None:
        self.logits = torch.zeros(n_tasks, requires_grad=True, device=device)
        self._descent = torch.optim.Adam([self.logits], lr=rate * every, weight_decay=DECAY)
        self._every, self._step = every, 0
        self._weights = torch.ones(n_tasks, device=device)
        self._before = torch.zeros(n_tasks, device=device)
        self._present = torch.ones(n_tasks, dtype=torch.bool, device=device)

    @property
    def looks_back(self) -> bool:
        """Return whether this step is one after which it looks."""
        return self._step % self._every == 0

    def terms(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return c z_k log L_k for the tasks present, with c z held constant."""
        self._step += 1
        self._present, self._before = present, losses.detach()
        z = self._share().detach()
        c = 1.0 / where_present(z / (self._before + _TINY), present).sum()
        self._weights = where_present(c * z / (self._before + _TINY), present)
        log_losses = torch.log(torch.where(present, losses, losses.new_ones(())) + _TINY)
        return where_present(c * z * log_losses, present)

    def weights(self) -> Tensor:
        """Return c z_k / L_k of the last batch; they sum to 1 over the tasks present."""
        return self._weights

    def after_step(self, losses: Tensor) -> None:
        """Move the logits by what the step did to each loss of the same batch."""
        fallen = torch.log(self._before + _TINY) - torch.log(losses + _TINY)
        fallen = where_present(fallen, self._present)
        (self.logits.grad,) = torch.autograd.grad(self._share(), self.logits, fallen)
        self._descent.step()

    def _share(self) -> Tensor:
        """Return z, 0 where the task is absent."""
        return torch.softmax(self.logits.masked_fill(~self._present, -torch.inf), dim=0)


@shipped(
    "weighting",
    "famo",
    keys=("training.weighting_rate", "training.weighting_every"),
    doc=Famo.__doc__,
)
def famo(given: Given) -> Weighting:
    """Build it from the settings."""
    t = given.training
    return Famo(len(given.tasks), t.weighting_rate, t.weighting_every, given.device)

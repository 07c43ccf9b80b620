"""The losses of the tasks with their gradients, without autograd.

Owns `LossGradients`. Rule: it says what `training.losses` says, with the derivative beside; by
hand are trained only tasks whose losses are all DERIVED, which `chosen` sees to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bot.blocks import F32, I8, I64, Task
from bot.compiled import njit
from bot.model.tasks import CHOICES, owners
from bot.model.training.losses import Loss, ReturnLoss, loss_of

_MSE, _HUBER, _BCE, _CROSS_ENTROPY = range(4)

DERIVED: dict[Loss, int] = {
    "mse": _MSE, "huber": _HUBER, "bce": _BCE, "cross_entropy": _CROSS_ENTROPY,
}  # fmt: skip
"""The losses whose derivative is known here, by the number that the compiled loop has for them."""


class LossGradients:
    """Losses of K tasks on a batch, and what each column of the output does to them."""

    def __init__(self, tasks: Sequence[Task], return_loss: ReturnLoss) -> None:
        self._loss: I8 = np.array([DERIVED[loss_of(t, return_loss)] for t in tasks], np.int8)
        self._owner: I64 = np.array(owners(tasks), np.int64)
        self._column: I64 = np.searchsorted(self._owner, np.arange(len(tasks)))

    def __call__(self, output: F32, target: F32, labelled: F32) -> tuple[F32, F32, F32]:
        """Return the losses float32[K], the labelled rows float32[K], and the derivatives.

        These are float32[B, C], each of the loss that the column belongs to.
        """
        losses, count = np.zeros((2, len(self._loss)), np.float32)
        slopes = np.empty_like(output)
        _measure(output, target, labelled, self._loss, self._column, losses, count, slopes)
        return losses, count, slopes

    def weighted(self, slopes: F32, factors: F32) -> F32:
        """Return the derivatives of the sum of the losses, each times its factor float32[K]."""
        weighted: F32 = slopes * factors[self._owner]
        return weighted


@njit(cache=True)
def _measure(
    output: F32, target: F32, labelled: F32, loss: I8, column: I64, losses: F32, count: F32,
    slopes: F32,
) -> None:  # fmt: skip
    n, tasks = target.shape
    total, known = np.zeros(tasks), np.zeros(tasks)
    for i in range(n):
        for k in range(tasks):
            known[k] += labelled[i, k]
    for i in range(n):
        for k in range(tasks):
            share = labelled[i, k] / max(known[k], 1.0)
            c = column[k]
            if loss[k] == _CROSS_ENTROPY:
                total[k] += share * _choose(
                    output[i, c : c + CHOICES], target[i, k], share, slopes[i, c : c + CHOICES]
                )
                continue
            z = np.float64(output[i, c])
            if loss[k] == _BCE:
                small = math.exp(-abs(z))
                value = max(z, 0.0) - z * target[i, k] + math.log1p(small)
                slope = (1.0 if z >= 0.0 else small) / (1.0 + small) - target[i, k]
            else:
                off = z - target[i, k]
                if loss[k] == _MSE:
                    value, slope = off * off, 2.0 * off
                elif abs(off) < 1.0:
                    value, slope = 0.5 * off * off, off
                else:
                    value, slope = abs(off) - 0.5, math.copysign(1.0, off)
            total[k] += share * value
            slopes[i, c] = share * slope
    losses[:] = total
    count[:] = known


@njit(cache=True)
def _choose(logits: F32, target: float, share: float, slopes: F32) -> float:
    """Return the cross-entropy of a row's logits, and write its derivative times `share`."""
    top = np.float64(logits.max())
    total = 0.0
    for j in range(CHOICES):
        total += math.exp(logits[j] - top)
    chosen = int(target + 1.0)
    for j in range(CHOICES):
        slopes[j] = share * (math.exp(logits[j] - top) / total - (1.0 if j == chosen else 0.0))
    loss: float = math.log(total) + top - logits[chosen]
    return loss

"""The losses of the tasks, over labelled rows only.

Owns `TaskLosses`. Rules: a loss is the mean over the rows that have the label, in standardised
units; a task without a label in a batch has loss 0 and is marked absent. Knows no weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from bot.blocks import Task
from bot.model.device import CPU
from bot.model.tasks import CHOICES, is_classified, is_decided, owners

ReturnLoss = Literal["mse", "huber"]
Loss = Literal["mse", "huber", "bce", "cross_entropy"]

NAIVE: dict[Loss, float] = {
    "mse": 1.0,
    "huber": 0.424660,
    "bce": math.log(2.0),
    "cross_entropy": math.log(CHOICES),
}
"""Loss of a head that knows nothing: 0 for a standard normal target, even odds for a class.

Losses divided by it can be averaged over tasks. Huber's is erf(1/√2) + φ(1) − 1/2, with φ the
standard normal density.
"""


def loss_of(task: Task, return_loss: ReturnLoss) -> Loss:
    """Name the loss of a task: from logits for classes, the chosen one for returns, else MSE.

    >>> loss_of(Task("volatility", 5), "huber")
    'mse'
    """
    if is_decided(task):
        return "cross_entropy"
    if is_classified(task):
        return "bce"
    return return_loss if task.kind == "return" else "mse"


def naive_losses(
    tasks: Sequence[Task], return_loss: ReturnLoss, device: torch.device = CPU
) -> Tensor:
    """Return float32[K], the loss of each task without any knowledge."""
    return torch.tensor([NAIVE[loss_of(task, return_loss)] for task in tasks], device=device)


class TaskLosses:
    """Losses of K tasks on a batch, one torch call for all tasks of the same loss.

    Huber (1964) has its corner at 1, that is at one standard deviation of the target:
    e²/2 for |e| < 1, else |e| − 1/2.
    """

    def __init__(
        self, tasks: Sequence[Task], return_loss: ReturnLoss, device: torch.device = CPU
    ) -> None:
        names = [loss_of(task, return_loss) for task in tasks]
        groups = {
            name: [k for k, other in enumerate(names) if other == name]
            for name in dict.fromkeys(names)
        }
        owner = owners(tasks)
        columns = {
            name: [c for k in places for c, o in enumerate(owner) if o == k]
            for name, places in groups.items()
        }
        self._targets = {name: torch.tensor(ks, device=device) for name, ks in groups.items()}
        self._columns = {name: torch.tensor(cs, device=device) for name, cs in columns.items()}
        self.naive = naive_losses(tasks, return_loss, device)
        self._back = torch.argsort(torch.cat(list(self._targets.values())))

    def __call__(self, output: Tensor, target: Tensor, labelled: Tensor) -> tuple[Tensor, Tensor]:
        """Return (losses [K], labelled rows [K]).

        Args:
            output: float32[B, C], the columns of the heads: standardised values and logits.
            target: float32[B, K], finite everywhere (0 where there is no label).
            labelled: float32[B, K], 1 where there is a label, else 0.
        """
        parts = [
            _elementwise(name, output[:, columns], target[:, self._targets[name]])
            for name, columns in self._columns.items()
        ]
        per_row = torch.cat(parts, dim=1)[:, self._back]
        count = labelled.sum(dim=0)
        return (per_row * labelled).sum(dim=0) / count.clamp(min=1.0), count


def _elementwise(name: Loss, output: Tensor, target: Tensor) -> Tensor:
    """Return float32[B, n], the loss of each row for n tasks; output holds all their columns."""
    if name == "cross_entropy":
        logits = output.reshape(len(output), -1, CHOICES).transpose(1, 2)
        return functional.cross_entropy(logits, (target + 1.0).long(), reduction="none")
    if name == "bce":
        return functional.binary_cross_entropy_with_logits(output, target, reduction="none")
    if name == "huber":
        return functional.huber_loss(output, target, reduction="none", delta=1.0)
    return functional.mse_loss(output, target, reduction="none")

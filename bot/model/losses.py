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
from bot.model.tasks import is_classified

Loss = Literal["mse", "huber", "bce"]

NAIVE: dict[Loss, float] = {"mse": 1.0, "huber": 0.424660, "bce": math.log(2.0)}
"""Loss of a head that knows nothing: 0 for a standard normal target, 1/2 for an even direction.

Losses divided by it can be averaged over tasks. Huber's is erf(1/√2) + φ(1) − 1/2, with φ the
standard normal density.
"""


def loss_of(task: Task, return_loss: Literal["mse", "huber"]) -> Loss:
    """Name the loss of a task: BCE from logits, the chosen one for returns, MSE for the rest.

    >>> loss_of(Task("volatility", 5), "huber")
    'mse'
    """
    if is_classified(task):
        return "bce"
    return return_loss if task.kind == "return" else "mse"


class TaskLosses:
    """Losses of K tasks on a batch, one torch call for all tasks of the same loss.

    Huber (1964) has its corner at 1, that is at one standard deviation of the target:
    e²/2 for |e| < 1, else |e| − 1/2.
    """

    def __init__(self, tasks: Sequence[Task], return_loss: Literal["mse", "huber"]) -> None:
        names = [loss_of(task, return_loss) for task in tasks]
        self._columns = {
            name: torch.tensor([k for k, other in enumerate(names) if other == name])
            for name in dict.fromkeys(names)
        }
        self.naive = torch.tensor([NAIVE[name] for name in names])
        order = torch.cat(list(self._columns.values()))
        self._back = torch.argsort(order)

    def __call__(self, output: Tensor, target: Tensor, labelled: Tensor) -> tuple[Tensor, Tensor]:
        """Return (losses [K], labelled rows [K]).

        Args:
            output: float32[B, K], the heads: standardised values and logits.
            target: float32[B, K], finite everywhere (0 where there is no label).
            labelled: float32[B, K], 1 where there is a label, else 0.
        """
        parts = [
            _elementwise(name, output[:, columns], target[:, columns])
            for name, columns in self._columns.items()
        ]
        per_row = torch.cat(parts, dim=1)[:, self._back]
        count = labelled.sum(dim=0)
        return (per_row * labelled).sum(dim=0) / count.clamp(min=1.0), count


def _elementwise(name: Loss, output: Tensor, target: Tensor) -> Tensor:
    if name == "bce":
        return functional.binary_cross_entropy_with_logits(output, target, reduction="none")
    if name == "huber":
        return functional.huber_loss(output, target, reduction="none", delta=1.0)
    return functional.mse_loss(output, target, reduction="none")

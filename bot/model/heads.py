"""The heads: two layers a column of the output, all columns computed as one.

Owns `Heads`. Rules: a column is a small network of its own on the representation it reads; a task
of several columns (a decision) has one for each. Knows no losses.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bot.blocks import Task
from bot.model.encoders import Layer
from bot.model.steady_linear import SteadyLinear, steady_linear
from bot.model.tasks import owners


class Heads(nn.Module):
    """C columns of two layers each.

    The first layers are one matrix; the second is a product a column. Each column starts as two
    `nn.Linear` of its own would.
    """

    def __init__(self, width: int, tasks: Sequence[Task], hidden: int) -> None:
        super().__init__()
        self._owners = owners(tasks)
        self._read_alike = len(self._owners) == len(tasks)
        n = len(self._owners)
        self.first = SteadyLinear(width, n * hidden)
        bound = hidden**-0.5
        self.weight = nn.Parameter(torch.empty(n, hidden).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n).uniform_(-bound, bound))

    @property
    def hidden_width(self) -> int:
        """Return the width of all hidden layers together."""
        return self.weight.numel()

    def forward(self, h: Tensor) -> Tensor:
        """Map float32[B, width] to float32[B, C]."""
        return self.read(self.hidden(h))

    def hidden(self, h: Tensor) -> Tensor:
        """Map float32[B, width] to the hidden layers side by side, float32[B, C·hidden]."""
        return torch.relu(self.first(h))

    def read(self, hidden: Tensor) -> Tensor:
        """Map the hidden layers to the columns, float32[B, C]."""
        return (hidden.view(-1, *self.weight.shape) * self.weight).sum(dim=2) + self.bias

    def apart(self, h: Tensor) -> Tensor:
        """Map a representation for each task, float32[K, B, width], to float32[B, C]."""
        if not self._read_alike:
            h = h[self._owners]
        n, hidden = self.weight.shape
        weight, bias = self.first.weight.view(n, hidden, -1), self.first.bias.view(n, 1, hidden)
        if self.training:
            inner = torch.baddbmm(bias, h, weight.transpose(1, 2))
        else:
            each = zip(h, weight, bias[:, 0], strict=True)
            inner = torch.stack([steady_linear(x, w, b) for x, w, b in each])
        return (torch.relu(inner) * self.weight[:, None]).sum(dim=2).t() + self.bias

    def fold(self) -> list[Layer]:
        """Return both layers in float64, the second as one matrix that is zero between columns."""
        n, hidden = self.weight.shape
        second = torch.zeros(n, hidden, n, dtype=torch.float64)
        for k in range(n):
            second[k, :, k] = self.weight.detach()[k]
        return [
            (self.first.weight.detach().double().t(), self.first.bias.detach().double()),
            (second.flatten(0, 1), self.bias.detach().double()),
        ]

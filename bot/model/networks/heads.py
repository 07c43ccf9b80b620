"""The heads: two layers a column of the output, all columns computed as one.

Owns `Heads`. Rules: a column is a small network of its own on the representation it reads; a task
of several columns (a decision) has one for each. Where symbols have heads of their own, `places`
says whose rows come next. Knows no losses.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bot.blocks import Task
from bot.model.networks.encoders import Layer
from bot.model.networks.own_heads import OwnHeads, with_none
from bot.model.networks.tile_invariant_linear import SteadyLinear, steady_linear
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
        self.own: OwnHeads | None = None
        self.places = torch.empty(0, dtype=torch.int64)
        """int64[B], the symbol of each row of the coming batch; read where there are own heads."""

    def give_own(self, n_symbols: int) -> None:
        """Let each symbol deviate from these heads; it starts at them."""
        columns, hidden = self.weight.shape
        self.own = OwnHeads(n_symbols, columns, hidden, self.first.in_features)

    def settle(self, place: int) -> None:
        """Become the heads of one symbol, and plain ones."""
        if self.own is None:
            return
        with torch.no_grad():
            self.first.weight.add_(with_none(self.own.first_weight)[place])
            self.first.bias.add_(with_none(self.own.first_bias)[place])
            self.weight.add_(with_none(self.own.weight)[place])
            self.bias.add_(with_none(self.own.bias)[place])
        self.own = None

    @property
    def hidden_width(self) -> int:
        """Return the width of all hidden layers together."""
        return self.weight.numel()

    def forward(self, h: Tensor) -> Tensor:
        """Map float32[B, width] to float32[B, C]."""
        return self.read(self.hidden(h))

    def hidden(self, h: Tensor) -> Tensor:
        """Map float32[B, width] to the hidden layers side by side, float32[B, C·hidden]."""
        inner = self.first(h)
        if self.own is not None:
            inner = inner + self.own.first(h, self.places)
        return torch.relu(inner)

    def read(self, hidden: Tensor) -> Tensor:
        """Map the hidden layers to the columns, float32[B, C]."""
        return self._read(hidden.view(-1, *self.weight.shape))

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
        if self.own is not None:
            inner = inner + self.own.first_apart(h, self.places)
            return self._read(torch.relu(inner).transpose(0, 1))
        return (torch.relu(inner) * self.weight[:, None]).sum(dim=2).t() + self.bias

    def _read(self, hidden: Tensor) -> Tensor:
        """Map float32[B, C, hidden] to float32[B, C]."""
        if self.own is None:
            return (hidden * self.weight).sum(dim=2) + self.bias
        weight, bias = self.own.second(self.places)
        return (hidden * (self.weight + weight)).sum(dim=2) + self.bias + bias

    def fold(self) -> list[Layer]:
        """Return both layers in float64, the second as one matrix that is zero between columns."""
        n, hidden = self.weight.shape
        second = self.weight.new_zeros(n, hidden, n, dtype=torch.float64)
        for k in range(n):
            second[k, :, k] = self.weight.detach()[k]
        return [
            (self.first.weight.detach().double().t(), self.first.bias.detach().double()),
            (second.flatten(0, 1), self.bias.detach().double()),
        ]

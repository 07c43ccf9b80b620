"""What each symbol's heads add to the heads that all symbols share.

Owns `OwnHeads`. Rules: everything starts at zero, so a symbol starts from the shared heads, and one
that was not trained on stays there (place -1). Rows of a batch are grouped by symbol, so that the
cost does not grow with the number of symbols.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

UNKNOWN = -1
"""The place of a symbol that the network was not trained on."""


class OwnHeads(nn.Module):
    """Deviations of S symbols from C heads of one hidden layer each."""

    def __init__(self, n_symbols: int, columns: int, hidden: int, width: int) -> None:
        super().__init__()
        self.first_weight = nn.Parameter(torch.zeros(n_symbols, columns * hidden, width))
        self.first_bias = nn.Parameter(torch.zeros(n_symbols, columns * hidden))
        self.weight = nn.Parameter(torch.zeros(n_symbols, columns, hidden))
        self.bias = nn.Parameter(torch.zeros(n_symbols, columns))

    def first(self, h: Tensor, places: Tensor) -> Tensor:
        """Return what is added to the hidden layers before ReLU, float32[B, C·hidden].

        Args:
            h: float32[B, width], what the heads read.
            places: int64[B], the symbol of each row.
        """

        def add(part: Tensor, s: int) -> Tensor:
            return functional.linear(part, self.first_weight[s], self.first_bias[s])

        return self._grouped(h, places, 0, add, self.first_bias.shape[1])

    def first_apart(self, h: Tensor, places: Tensor) -> Tensor:
        """Return the same where each head reads its own, float32[C, B, hidden] of [C, B, width]."""
        _, columns, hidden = self.weight.shape

        def add(part: Tensor, s: int) -> Tensor:
            weight = self.first_weight[s].view(columns, hidden, -1)
            bias = self.first_bias[s].view(columns, 1, hidden)
            return torch.baddbmm(bias, part, weight.transpose(1, 2))

        return self._grouped(h, places, 1, add, hidden)

    def second(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is added to the second layer of each row, float32[B, C, hidden] and [B, C]."""
        return with_none(self.weight)[places], with_none(self.bias)[places]

    def _grouped(
        self, h: Tensor, places: Tensor, rows: int, add: Callable[[Tensor, int], Tensor], width: int
    ) -> Tensor:
        """Apply `add` to the rows (a dimension of h) of each symbol; 0 for an unknown one."""
        n = len(self.bias)
        group = torch.where(places == UNKNOWN, n, places)
        order = torch.argsort(group, stable=True)
        counts = torch.bincount(group, minlength=n + 1).tolist()
        *known, unknown = torch.split(h.index_select(rows, order), counts, dim=rows)
        parts = [add(part, s) for s, part in enumerate(known)]
        parts.append(unknown.new_zeros(*unknown.shape[:-1], width))
        return torch.cat(parts, dim=rows).index_select(rows, torch.argsort(order))


def with_none(own: Tensor) -> Tensor:
    """Return a parameter [S, …] with zeros behind the last symbol, where place -1 points to."""
    return torch.cat([own, own.new_zeros(1, *own.shape[1:])])

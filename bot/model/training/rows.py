"""The rows that a network is trained on, and how they are cut into batches.

Owns `RowTensors` and `batches`. Rules: what is shuffled is shuffled by torch's global generator, or by
the one that is given. Rows stay where they lie, on the disk perhaps; what is taken of them is moved to the
device that trains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from bot.model.device import CPU
from bot.model.interpretation import evenly_chosen
from bot.model.room import spans


class RowTensors(NamedTuple):
    """What a network is trained on.

    Attributes:
        x: float32[N, F]; with `last` a table float32[R, F].
        y: float32[N, K], 0 where unlabelled.
        labelled: float32[N, K].
        last: int64[N], where each row's window ends in x.
        lookback: length of the windows.
        symbol: float32[N], the place of each row's symbol, for a network that knows symbols.
        order: int64[N], room for the order of the rows in an epoch; made anew in each without.
        device: where what is taken goes; all of the above are on the CPU.
    """

    x: Tensor
    y: Tensor
    labelled: Tensor
    last: Tensor | None = None
    lookback: int = 1
    symbol: Tensor | None = None
    order: Tensor | None = None
    device: torch.device = CPU

    def features(self, chosen: Tensor) -> Tensor:
        """Return what the network reads of the chosen rows, float32[B, F] or float32[B, L, F].

        The place of the symbol is one more column.
        """
        if self.last is None:
            x = self.x.index_select(0, chosen)
        else:
            back = torch.arange(1 - self.lookback, 1, device=CPU)
            x = self.x[self.last[chosen, None] + back]
        if self.symbol is not None:
            places = self.symbol[chosen].view(-1, *[1] * (x.dim() - 1))
            x = torch.cat([x, places.expand(*x.shape[:-1], 1)], dim=-1)
        return x.to(self.device)

    def at(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the chosen rows as a step sees them: features, y and labelled."""
        y, labelled = self.y.index_select(0, chosen), self.labelled.index_select(0, chosen)
        return self.features(chosen), y.to(self.device), labelled.to(self.device)

    def any_labelled(self) -> Tensor:
        """Return bool[K], whether any row has a label of the task."""
        found = [self.labelled[span].any(dim=0) for span in spans(len(self.labelled))]
        return torch.stack(found).any(dim=0)

    def labels(self, span: slice) -> tuple[Tensor, Tensor]:
        """Return y and labelled of a span of rows."""
        return self.y[span].to(self.device), self.labelled[span].to(self.device)

    def sample(self, most: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return copies of what the network reads, y and labelled, of at most so many rows."""
        return self.at(evenly_chosen(len(self.y), most))


def batches(
    n: int, batch_size: int, generator: torch.Generator | None = None, order: Tensor | None = None
) -> Sequence[Tensor]:
    """Cut n rows, shuffled, into nearly equal batches of at most `batch_size` (or 3) rows.

    Their order is written into `order`, int64[n], where it is given.

    Equal ones, because a rest of one row has no variance for BatchNorm and a small one is noise.
    """
    shuffled = torch.randperm(n, generator=generator, out=order, device=CPU)
    return shuffled.tensor_split(min(math.ceil(n / batch_size), n // 2))

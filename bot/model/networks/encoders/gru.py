"""The gated recurrent unit (Cho et al. 2014): reads the window bar by bar, oldest first."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from bot.config.schema import Model
from bot.model.networks.encoders.base import Dropout, Encoder
from bot.model.networks.tile_invariant_linear import SteadyLinear
from bot.parts.registry import shipped


class GruLayer(nn.Module):
    """h_t = z_t h_{t−1} + (1 − z_t) n_t from h = 0 (Cho 2014, eq. 5 to 8).

    r = σ(W_r x + b_r + U_r h + c_r), z = σ(W_z x + b_z + U_z h + c_z) and
    n = tanh(W_n x + b_n + r (U_n h + c_n)): the reset gate works on the product U_n h, as in cuDNN
    and `torch.nn.GRU`, so that all three products with h are one.
    """

    def __init__(self, read: int, write: int, dropout: float, *, last: bool) -> None:
        super().__init__()
        self.width = write
        self.input = SteadyLinear(read, 3 * write)
        self.hidden = SteadyLinear(write, 3 * write)
        self.dropout = Dropout(dropout)
        self._last = last

    def forward(self, x: Tensor) -> Tensor:
        """Map float32[B, L, in] to float32[B, L, width]; the last layer to its newest, [B, width]."""
        given = self.input(x.transpose(0, 1).contiguous())
        h = x.new_zeros(len(x), self.width)
        states = []
        for now in given.unbind():
            before = self.hidden(h)
            gates = torch.sigmoid(now[:, : 2 * self.width] + before[:, : 2 * self.width])
            reset, keep = gates.chunk(2, dim=1)
            new = torch.tanh(now[:, 2 * self.width :] + reset * before[:, 2 * self.width :])
            h = new + keep * (h - new)
            states.append(h)
        if self._last:
            dropped: Tensor = self.dropout(h)
            return dropped
        several: Tensor = self.dropout(torch.stack(states, dim=1))
        return several


@shipped("encoder", "gru", window=True, keys=("model.lookback",))
class Gru(Encoder):
    """Layers of gated recurrent units, a width each, with dropout after each (Zaremba 2014)."""

    def __init__(self, settings: Model, n_features: int) -> None:
        super().__init__()
        widths = list(pairwise([n_features, *settings.hidden]))
        layers = [
            GruLayer(read, write, settings.dropout, last=n == len(widths))
            for n, (read, write) in enumerate(widths, start=1)
        ]
        self.layers = nn.ModuleList(layers)
        self._layers = layers
        self.width = settings.hidden[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Map float32[B, L, F] to float32[B, width]."""
        for layer in self._layers:
            x = layer(x)
        return x

    def stages(self) -> list[nn.Module]:
        """Return the layers."""
        return list(self._layers)

    def last_weight(self) -> Tensor:
        """Return what the last layer reads its input by."""
        return self._layers[-1].input.weight

"""The multi-layer perceptron: reads one bar's features."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from bot.config.schema import Model
from bot.model.networks.encoders.base import Dropout, Encoder, Layer
from bot.model.networks.tile_invariant_linear import SteadyLinear
from bot.parts.registry import shipped


@shipped("encoder", "mlp", window=False, keys=("model.batch_norm",))
class Mlp(Encoder):
    """Blocks of Linear, BatchNorm, ReLU, Dropout."""

    def __init__(self, settings: Model, n_features: int) -> None:
        super().__init__()
        widths = [n_features, *settings.hidden]
        self.width = widths[-1]
        self.blocks = nn.Sequential()
        self._starts: list[int] = []
        for read, write in pairwise(widths):
            self._starts.append(len(self.blocks))
            self.blocks.append(SteadyLinear(read, write))
            if settings.batch_norm:
                self.blocks.append(nn.BatchNorm1d(write))
            self.blocks.append(nn.ReLU())
            self.blocks.append(Dropout(settings.dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Map float32[B, F] to float32[B, width]."""
        encoded: Tensor = self.blocks(x)
        return encoded

    def stages(self) -> list[nn.Module]:
        """Return a stage for each width."""
        return [self.blocks[a:b] for a, b in pairwise([*self._starts, len(self.blocks)])]

    def last_weight(self) -> Tensor:
        """Return the weight of the last linear layer."""
        return cast(nn.Linear, self.blocks[self._starts[-1]]).weight

    def fold(self) -> list[Layer]:
        """Return the linear layers with the BatchNorm that follows each worked in, in float64.

        With running mean μ and variance v, γ(Wx + b − μ)/√(v + ε) + β is linear in x.
        """
        layers: list[Layer] = []
        for block in self.blocks:
            if isinstance(block, nn.Linear):
                layers.append((block.weight.detach().double().t(), block.bias.detach().double()))
            elif isinstance(block, nn.BatchNorm1d):
                weight, bias = layers[-1]
                if block.running_mean is None or block.running_var is None:
                    raise TypeError("a BatchNorm without running statistics cannot be folded")
                gain = block.weight.detach().double() / torch.sqrt(
                    block.running_var.double() + block.eps
                )
                shifted = (bias - block.running_mean.double()) * gain
                layers[-1] = (weight * gain, shifted + block.bias.detach().double())
        return layers

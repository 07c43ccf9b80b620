"""What reads the features: encoders by name, and the blocks that they are made of.

Owns `Mlp` and the registry. Rules: an encoder maps float32[B, F] to float32[B, width] and says its
width; it can fold itself for inference into plain (weight, bias) layers, each followed by ReLU.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from bot.config.sections import Model

Layer = tuple[Tensor, Tensor]
"""A folded layer: weight float64[in, out], bias float64[out]."""

_CHOICES = 1 << 16


class Dropout(nn.Module):
    """Dropout (Srivastava 2014, inverted) with 16 random bits an element.

    torch draws a Bernoulli number for each element, which takes longer than the matrix products of
    a small net; cutting 64 random bits into four is several times cheaper. The probability is
    rounded to a multiple of 2^-16 and the survivors are scaled by that same number.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.dropped = round(probability * _CHOICES)
        self.scale = _CHOICES / (_CHOICES - self.dropped)

    def forward(self, x: Tensor) -> Tensor:
        """Zero elements of x at random and scale the others; nothing in eval mode."""
        if not self.training or self.dropped == 0:
            return x
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[: x.numel()].view(x.shape)
        keep = bits >= self.dropped - _CHOICES // 2
        return x * (keep * self.scale)


class Mlp(nn.Module):
    """Blocks of Linear, BatchNorm, ReLU, Dropout."""

    def __init__(self, settings: Model, n_features: int) -> None:
        super().__init__()
        widths = [n_features, *settings.hidden]
        self.width = widths[-1]
        self.blocks = nn.Sequential()
        for read, write in pairwise(widths):
            self.blocks.append(nn.Linear(read, write))
            if settings.batch_norm:
                self.blocks.append(nn.BatchNorm1d(write))
            self.blocks.append(nn.ReLU())
            self.blocks.append(Dropout(settings.dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Map float32[B, F] to float32[B, width]."""
        encoded: Tensor = self.blocks(x)
        return encoded

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


ENCODERS: dict[str, Callable[[Model, int], Mlp]] = {"mlp": Mlp}
"""Builders by the name in model.encoder: (settings, number of features) to an encoder."""

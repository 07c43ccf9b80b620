"""What reads the features: encoders by name, and the blocks that they are made of.

Owns the `Encoder` base, `Mlp` and the registry. Rules: an encoder maps float32[B, F] to
float32[B, width], stage by stage, and says its width; where it can, it folds itself for inference
into plain (weight, bias) layers, each followed by ReLU.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from bot.config.sections import Model
from bot.model.steady_linear import SteadyLinear

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


class Encoder(nn.Module, ABC):
    """A stack of stages that ends in float32[B, width]."""

    width: int

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map float32[B, F] to float32[B, width]."""

    @abstractmethod
    def stages(self) -> list[nn.Module]:
        """Return the parts that `forward` runs one after the other, for those that look between."""

    @abstractmethod
    def last_weight(self) -> Tensor:
        """Return the weight of the last layer."""

    def fold(self) -> list[Layer] | None:
        """Return plain layers in float64, or None where it is more than plain layers."""
        return None


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


ENCODERS: dict[str, Callable[[Model, int], Encoder]] = {"mlp": Mlp}
"""Builders by the name in model.encoder: (settings, number of features) to an encoder."""


def build_encoder(settings: Model, n_features: int) -> Encoder:
    """Build what model.encoder names."""
    return ENCODERS[settings.encoder](settings, n_features)


def newest(x: Tensor) -> Tensor:
    """Return the newest bar's features, float32[B, F], also of a sequence float32[B, L, F]."""
    return x[:, -1] if x.dim() == 3 else x

"""What every encoder is, and the dropout they share.

Rules: an encoder maps float32[B, F], or a window float32[B, L, F] with the newest bar last, to
float32[B, width], stage by stage, and says its width; where it can, it folds itself for inference
into plain (weight, bias) layers, each followed by ReLU.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from bot.model.device import CPU

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
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=CPU)
        self.draw(words)
        bits = words.to(x.device).view(torch.int16)[: x.numel()].view(x.shape)
        return x * ((bits >= self.least) * self.scale)

    @property
    def least(self) -> int:
        """Return the least of the 16 bits of an element, as a signed number, with which it stays."""
        return self.dropped - _CHOICES // 2

    @staticmethod
    def draw(words: Tensor, generator: torch.Generator | None = None) -> None:
        """Fill int64 words on the CPU with random bits, by torch's global generator where none is given."""
        words.random_(-(2**63), None, generator=generator)


class Encoder(nn.Module, ABC):
    """A stack of stages that ends in float32[B, width]."""

    width: int

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map float32[B, F] or float32[B, L, F] to float32[B, width]."""

    @abstractmethod
    def stages(self) -> list[nn.Module]:
        """Return the parts that `forward` runs one after the other, for those that look between."""

    @abstractmethod
    def last_weight(self) -> Tensor:
        """Return the weight of the last layer."""

    def fold(self) -> list[Layer] | None:
        """Return plain layers in float64, or None where it is more than plain layers."""
        return None


def newest(x: Tensor) -> Tensor:
    """Return the newest bar's features, float32[B, F], also of a window float32[B, L, F]."""
    return x[:, -1] if x.dim() == 3 else x

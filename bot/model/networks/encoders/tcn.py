"""The temporal convolutional network (Bai, Kolter & Koltun 2018): causal, dilated, residual.

Only the newest bar's output is wanted, so a layer is computed only where that output looks: the
dilations 1, 2, 4, … of the paper become strides of 2, and the work of a window falls to a third.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from bot.config.schema import Model
from bot.model.networks.encoders.base import Dropout, Encoder
from bot.model.networks.tile_invariant_linear import SteadyLinear
from bot.parts.registry import shipped


class CausalConv(nn.Module):
    """y_t = ReLU(norm(b + Σ_j W_j x_{t−j})) at every `stride`-th step, the newest among them.

    BatchNorm, where the settings have it, stands for the paper's weight normalisation.
    """

    def __init__(self, read: int, write: int, kernel: int, stride: int, settings: Model) -> None:
        super().__init__()
        self.linear = SteadyLinear(read * kernel, write)
        self.norm = nn.BatchNorm1d(write) if settings.batch_norm else nn.Identity()
        self.dropout = Dropout(settings.dropout)
        self._kernel, self._stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """Map float32[B, T, in] to float32[B, (T − kernel) / stride + 1, out]."""
        span = x.shape[1] - self._kernel + 1
        steps = [x[:, j : j + span : self._stride] for j in range(self._kernel)]
        read = torch.cat(steps, dim=2)
        y = self.norm(self.linear(read.flatten(0, 1)))
        done: Tensor = self.dropout(torch.relu(y)).view(len(x), read.shape[1], -1)
        return done


class TcnBlock(nn.Module):
    """ReLU(x + conv(conv(x))), x through a 1×1 convolution where the widths differ (figure 1b)."""

    def __init__(
        self, read: int, write: int, kernel: int, settings: Model, *, pad: int, last: bool
    ) -> None:
        super().__init__()
        self.first = CausalConv(read, write, kernel, 1, settings)
        self.second = CausalConv(write, write, kernel, 2, settings)
        self.residual = SteadyLinear(read, write) if read != write else nn.Identity()
        self._looks_back = 2 * (kernel - 1)
        self._pad, self._last = pad, last

    def forward(self, x: Tensor) -> Tensor:
        """Map float32[B, T, in] to every second step, float32[B, T', out]; the last to [B, out]."""
        x = functional.pad(x, (0, 0, self._pad, 0))
        kept = x[:, self._looks_back :: 2].contiguous()
        y = torch.relu(self.residual(kept) + self.second(self.first(x)))
        return y[:, -1] if self._last else y


@shipped("encoder", "tcn", window=True, keys=("model.lookback", "model.batch_norm"))
class Tcn(Encoder):
    """A block for each width; block n of N has dilation 2^(n−1).

    The kernel is the smallest with which the newest output sees the whole window, N blocks looking
    back 2(kernel − 1)(2^N − 1) bars; what lies before the window is zero, the features' mean.
    """

    def __init__(self, settings: Model, n_features: int) -> None:
        super().__init__()
        widths = list(pairwise([n_features, *settings.hidden]))
        kernel = kernel_size(settings.lookback, len(widths))
        seen = 1 + 2 * (kernel - 1) * (2 ** len(widths) - 1)
        blocks = []
        for n, (read, write) in enumerate(widths, start=1):
            pad = seen - settings.lookback if n == 1 else 0
            last = n == len(widths)
            blocks.append(TcnBlock(read, write, kernel, settings, pad=pad, last=last))
        self.blocks = nn.ModuleList(blocks)
        self._blocks = blocks
        self.width = settings.hidden[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Map float32[B, L, F] to float32[B, width]."""
        for block in self._blocks:
            x = block(x)
        return x

    def stages(self) -> list[nn.Module]:
        """Return the blocks."""
        return list(self._blocks)

    def last_weight(self) -> Tensor:
        """Return the weight of the last convolution."""
        return self._blocks[-1].second.linear.weight


def kernel_size(lookback: int, blocks: int) -> int:
    """Return the smallest kernel (2 at least) with which so many blocks see the whole window.

    >>> kernel_size(24, 2), kernel_size(24, 3), kernel_size(2, 4)
    (5, 3, 2)
    """
    return 1 + max(1, math.ceil((lookback - 1) / (2 * ((1 << blocks) - 1))))

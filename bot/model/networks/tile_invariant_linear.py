"""A linear layer whose result for a row does not depend on where the row stands in a tile.

BLAS handles thin matrices with other kernels, some of which add up even and odd rows in another
order: on one CPU tested, outputs below 12 columns wide, unless the inputs are a multiple of 4.
Rule: in eval mode a thin layer is computed as one of WIDE columns, and the rest is cut off.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

WIDE = 16


def is_thin(n_in: int, n_out: int) -> bool:
    """Tell whether a layer of this shape has to be widened.

    >>> is_thin(22, 5), is_thin(64, 4), is_thin(22, 128)
    (True, False, False)
    """
    return n_out < WIDE and n_in % 4 != 0


def steady_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return x Wᵀ + b, float[T, out] from float[T, in], widened where the layer is thin."""
    n_out, n_in = weight.shape
    if not is_thin(n_in, n_out):
        return functional.linear(x, weight, bias)
    missing = WIDE - n_out
    wide_bias = None if bias is None else functional.pad(bias, (0, missing))
    wide = functional.linear(x, functional.pad(weight, (0, 0, 0, missing)), wide_bias)
    return wide[..., :n_out].contiguous()


class SteadyLinear(nn.Linear):
    """`nn.Linear`, steady in eval mode."""

    def forward(self, x: Tensor) -> Tensor:
        """Map float32[B, in] to float32[B, out]."""
        if self.training:
            return functional.linear(x, self.weight, self.bias)
        return steady_linear(x, self.weight, self.bias)


def widened(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return a folded layer, weight [in, out] and bias [out], with the columns it lacks as zeros."""
    n_in, n_out = weight.shape
    if not is_thin(n_in, n_out):
        return weight, bias
    missing = WIDE - n_out
    return functional.pad(weight, (0, missing)), functional.pad(bias, (0, missing))

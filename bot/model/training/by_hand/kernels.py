"""What lies between the matrix products of a network, compiled: a pass over memory each.

Rules: arrays are float32[B, C] in C order and are written in place; sums over rows are taken in
float32 over at most SUMMED rows and carried on in float64; what is not a number stays so. A dropped
or negative unit is recognised by its output, which is 0. Knows no torch.
"""

from __future__ import annotations

import math

import numpy as np

from bot.blocks import F32, I16
from bot.compiled import njit

SUMMED = 64
"""Rows that are summed in float32."""

FIRST, SECOND, LEAST = 0.9, 0.999, 1e-8
"""Of AdamW: β1, β2 and ε, torch's defaults."""

_ZERO = np.float32(0.0)


@njit(cache=True)
def moments(z: F32, mean: F32, var: F32) -> None:
    """Write the mean and the variance (ddof = 0) of each column, float32[C]."""
    n, width = z.shape
    total, part = np.zeros(width), np.zeros(width, np.float32)
    for start in range(0, n, SUMMED):
        part[:] = _ZERO
        for i in range(start, min(start + SUMMED, n)):
            for j in range(width):
                part[j] += z[i, j]
        total += part
    mean[:] = total / n
    total[:] = 0.0
    for start in range(0, n, SUMMED):
        part[:] = _ZERO
        for i in range(start, min(start + SUMMED, n)):
            for j in range(width):
                off = z[i, j] - mean[j]
                part[j] += off * off
        total += part
    var[:] = total / n


@njit(cache=True)
def batch_norm(
    z: F32, weight: F32, eps: float, mean: F32, inverse: F32, gain: F32,
    bias: F32, momentum: float, running_mean: F32, running_var: F32,
) -> None:  # fmt: skip
    """Write a batch's mean, 1/σ and γ/σ, and let the running statistics follow them.

    The bias of the linear layer, which z is without, moves nothing but the running mean.
    """
    n, width = z.shape
    moments(z, mean, inverse)
    for j in range(width):
        var = np.float64(inverse[j])
        inverse[j] = 1.0 / math.sqrt(var + eps)
        gain[j] = weight[j] * inverse[j]
        running_mean[j] += momentum * (mean[j] + bias[j] - running_mean[j])
        running_var[j] += momentum * (var * n / (n - 1) - running_var[j])


@njit(cache=True)
def activate(z: F32, mean: F32, gain: F32, shift: F32, out: F32) -> None:
    """Write ReLU((z − mean) · gain + shift)."""
    n, width = z.shape
    for i in range(n):
        for j in range(width):
            a = (z[i, j] - mean[j]) * gain[j] + shift[j]
            out[i, j] = _ZERO if a <= _ZERO else a


@njit(cache=True)
def activate_and_drop(
    z: F32, mean: F32, gain: F32, shift: F32, bits: I16, least: int, scale: float, out: F32
) -> None:
    """Write the same, times `scale` where the random bits int16[B, C] are `least` or more, else 0."""
    n, width = z.shape
    low, kept = np.int16(least), np.float32(scale)
    for i in range(n):
        for j in range(width):
            a = (z[i, j] - mean[j]) * gain[j] + shift[j]
            a = _ZERO if a <= _ZERO else a
            out[i, j] = a * (kept if bits[i, j] >= low else _ZERO)


@njit(cache=True)
def through_activation(
    gradient: F32, out: F32, z: F32, mean: F32, inverse: F32, scale: float, sums: F32, products: F32
) -> None:
    """Take the gradient of `out` back through dropout and ReLU, in place.

    Written beside it, float32[C]: its sums over the rows, and the sums of its products with the
    standardised (z − mean) · inverse, which are the gradients of a BatchNorm's shift and gain.
    """
    n, width = z.shape
    kept = np.float32(scale)
    total, part = np.zeros(width), np.zeros(width, np.float32)
    total_products, part_products = np.zeros(width), np.zeros(width, np.float32)
    for start in range(0, n, SUMMED):
        part[:] = _ZERO
        part_products[:] = _ZERO
        for i in range(start, min(start + SUMMED, n)):
            for j in range(width):
                g = gradient[i, j] * kept if out[i, j] > _ZERO else _ZERO
                gradient[i, j] = g
                part[j] += g
                part_products[j] += g * ((z[i, j] - mean[j]) * inverse[j])
        total += part
        total_products += part_products
    sums[:] = total
    products[:] = total_products


@njit(cache=True)
def through_batch_norm(
    gradient: F32, z: F32, mean: F32, inverse: F32, gain: F32, sums: F32, products: F32
) -> None:
    """Take it back through BatchNorm's standardisation too, in place (Ioffe & Szegedy 2015).

    ∂z = γ/σ (g − Σg/B − ẑ Σgẑ/B), with gain = γ/σ and inverse = 1/σ.
    """
    n, width = z.shape
    average, slope = sums / np.float32(n), products / np.float32(n)
    for i in range(n):
        for j in range(width):
            standard = (z[i, j] - mean[j]) * inverse[j]
            gradient[i, j] = gain[j] * (gradient[i, j] - average[j] - standard * slope[j])


@njit(cache=True, fastmath={"reassoc", "nsz", "contract"})
def read_heads(z: F32, bias: F32, weight: F32, second_bias: F32, out: F32) -> None:
    """Write ReLU(z + bias) into z float32[B, C·hidden], and each column's product into out [B, C]."""
    columns, hidden = weight.shape
    for i in range(len(z)):
        for c in range(columns):
            total = _ZERO
            for h in range(hidden):
                a = z[i, c * hidden + h] + bias[c * hidden + h]
                a = _ZERO if a <= _ZERO else a
                z[i, c * hidden + h] = a
                total += a * weight[c, h]
            out[i, c] = total + second_bias[c]


@njit(cache=True)
def through_heads(
    gradient: F32, hidden: F32, weight: F32, bias: F32, second: F32, second_bias: F32
) -> None:
    """Put into `hidden` float32[B, C·hidden] the gradient before the heads' ReLU.

    It holds what `read_heads` left there, and `gradient` is that of the columns, float32[B, C].
    Written beside it: the gradients of the first bias [C·hidden], of the second weight [C, hidden]
    and bias [C].
    """
    columns, width = weight.shape
    total, part = np.zeros(len(bias)), np.zeros(len(bias), np.float32)
    total_second, part_second = np.zeros(len(bias)), np.zeros(len(bias), np.float32)
    second_bias[:] = gradient.astype(np.float64).sum(axis=0)
    for start in range(0, len(gradient), SUMMED):
        part[:] = _ZERO
        part_second[:] = _ZERO
        for i in range(start, min(start + SUMMED, len(gradient))):
            for c in range(columns):
                of_column = gradient[i, c]
                for h in range(width):
                    k = c * width + h
                    a = hidden[i, k]
                    g = of_column * weight[c, h] if a > _ZERO else _ZERO
                    hidden[i, k] = g
                    part[k] += g
                    part_second[k] += of_column * a
        total += part
        total_second += part_second
    bias[:] = total
    second[:] = total_second.reshape(columns, width)


@njit(cache=True, fastmath={"reassoc", "nsz", "contract"})
def _square_sum(values: F32) -> float:
    total = 0.0
    for value in values:
        total += np.float64(value) * np.float64(value)
    return total


@njit(cache=True)
def adamw(
    values: F32, gradient: F32, mean: F32, square: F32, step: int, rate: float, decay: float,
    clip_norm: float,
) -> None:  # fmt: skip
    """Move parameters float32[P] by a step of AdamW (Loshchilov & Hutter 2019, algorithm 2).

    The gradient is read scaled so that its Euclidean norm is at most `clip_norm`, as torch does it.

    Args:
        mean: the running mean of the gradient, from 0; `square` that of its squares.
        step: from 1.
    """
    factor = np.float32(min(1.0, clip_norm / (math.sqrt(_square_sum(gradient)) + 1e-6)))
    kept = np.float32(1.0 - rate * decay)
    size = np.float32(rate / (1.0 - FIRST**step))
    spread = np.float32(1.0 / math.sqrt(1.0 - SECOND**step))
    first, second, least = np.float32(1.0 - FIRST), np.float32(1.0 - SECOND), np.float32(LEAST)
    for i in range(len(values)):
        g = gradient[i] * factor
        mean[i] += first * (g - mean[i])
        square[i] += second * (g * g - square[i])
        values[i] = values[i] * kept - size * mean[i] / (np.sqrt(square[i]) * spread + least)

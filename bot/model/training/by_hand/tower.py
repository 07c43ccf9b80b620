"""An encoder and its heads on one batch: forward, and backward by hand.

Owns `Tower`. Rules: the arithmetic is that of the modules in training mode, and draws the same
random bits in the same order, so that a network comes out as autograd would have trained it but for
rounding. Gradients are written, not added up. What a step needs is allocated once for a number of
rows; forward and backward of a tower follow one another. The
parameters must not be moved in memory once a tower is made (`flat` comes first).
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from bot.blocks import F32, I16
from bot.model.device import CPU
from bot.model.networks.architectures import Architecture
from bot.model.networks.architectures.shared_bottom import SharedBottom
from bot.model.networks.architectures.towers import Single
from bot.model.networks.encoders import Dropout, Mlp
from bot.model.networks.heads import Heads
from bot.model.training.by_hand import kernels

BUILT_OF = ("shared_bottom", "single")
"""Architectures that are nothing but towers."""


class LayerBuffers:
    """What a layer of a width computes for a batch: tensors, and the same memory as arrays."""

    def __init__(self, rows: int, width: int, *, drops: bool) -> None:
        self.before, self.after, self.gradient = (
            torch.empty(rows, width, device=CPU) for _ in range(3)
        )
        self.z, self.out, self.back = (
            cast(F32, tensor.numpy()) for tensor in (self.before, self.after, self.gradient)
        )
        words = (rows * width + 3) // 4 if drops else 0
        self.words = torch.empty(words, dtype=torch.int64, device=CPU)
        bits = self.words.view(torch.int16).numpy()
        self.bits: I16 = bits[: rows * width].reshape(rows, width) if drops else bits
        self.mean, self.sums, self.products = np.zeros((3, width), np.float32)
        self.inverse, self.gain = np.ones((2, width), np.float32)


class _Norm:
    """BatchNorm: what of a batch goes into its gain, and into the running statistics."""

    def __init__(self, norm: nn.BatchNorm1d) -> None:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.momentum is not None
        self._weight, self.weight_gradient = _arrays(norm.weight)
        self._mean, self._var = norm.running_mean.numpy(), norm.running_var.numpy()
        self._eps, self._momentum = norm.eps, norm.momentum

    def measure(self, buffers: LayerBuffers, bias: F32) -> None:
        """Find mean and gain of the batch, and let the running statistics follow."""
        kernels.batch_norm(
            buffers.z, self._weight, self._eps, buffers.mean, buffers.inverse, buffers.gain,
            bias, self._momentum, self._mean, self._var,
        )  # fmt: skip


class _Layer:
    """Linear, perhaps BatchNorm, ReLU, Dropout."""

    def __init__(self, stage: nn.Module) -> None:
        linear, *norms, _, dropout = stage.children()
        assert isinstance(linear, nn.Linear)
        assert isinstance(dropout, Dropout)
        self.width, self.dropout = linear.out_features, dropout
        self._weight, self._weight_gradient = linear.weight.detach(), linear.weight.grad
        self._bias, _ = _arrays(linear.bias)
        self._norm = _Norm(cast(nn.BatchNorm1d, norms[0])) if norms else None
        self._shift, self._shift_gradient = _arrays(
            cast(nn.Linear, norms[0] if norms else linear).bias
        )

    def forward(self, x: Tensor, buffers: LayerBuffers, generator: torch.Generator) -> Tensor:
        """Return the layer's output, which stays in its buffers."""
        torch.mm(x, self._weight.t(), out=buffers.before)
        if self._norm is not None:
            self._norm.measure(buffers, self._bias)
        given = buffers.z, buffers.mean, buffers.gain, self._shift
        if self.dropout.dropped:
            self.dropout.draw(buffers.words, generator)
            kernels.activate_and_drop(
                *given, buffers.bits, self.dropout.least, self.dropout.scale, buffers.out
            )
        else:
            kernels.activate(*given, buffers.out)
        return buffers.after

    def backward(self, x: Tensor, buffers: LayerBuffers, before: Tensor | None) -> None:
        """Take the gradient of the output back to the layer's parameters, and to `before` it."""
        kernels.through_activation(
            buffers.back, buffers.out, buffers.z, buffers.mean, buffers.inverse, self.dropout.scale,
            buffers.sums, buffers.products,
        )  # fmt: skip
        self._shift_gradient[:] = buffers.sums
        if self._norm is not None:
            self._norm.weight_gradient[:] = buffers.products
            kernels.through_batch_norm(
                buffers.back,
                buffers.z,
                buffers.mean,
                buffers.inverse,
                buffers.gain,
                buffers.sums,
                buffers.products,
            )
        torch.mm(buffers.gradient.t(), x, out=self._weight_gradient)
        if before is not None:
            torch.mm(buffers.gradient, self._weight, out=before)


class Tower:
    """An mlp with its heads, in training."""

    def __init__(self, encoder: Mlp, heads: Heads) -> None:
        self._layers = [_Layer(stage) for stage in encoder.stages()]
        self._buffers: dict[int, list[LayerBuffers]] = {}
        self._first, self._first_gradient = heads.first.weight.detach(), heads.first.weight.grad
        self._bias, self._bias_gradient = _arrays(heads.first.bias)
        self._second, self._second_gradient = _arrays(heads.weight)
        self._second_bias, self._second_bias_gradient = _arrays(heads.bias)

    def forward(self, x: Tensor, generator: torch.Generator) -> F32:
        """Map float32[B, F] to the columns of the heads, float32[B, C]."""
        *layers, heads = self._buffers_for(len(x))
        for layer, buffers in zip(self._layers, layers, strict=True):
            x = layer.forward(x, buffers, generator)
        torch.mm(x, self._first.t(), out=heads.before)
        output = np.empty((len(x), len(self._second_bias)), np.float32)
        kernels.read_heads(heads.z, self._bias, self._second, self._second_bias, output)
        return output

    def backward(self, x: Tensor, gradient: F32) -> None:
        """Write the gradients of all parameters, given x again and the gradient of the columns."""
        *layers, heads = self._buffers_for(len(x))
        kernels.through_heads(
            np.ascontiguousarray(gradient), heads.z, self._second, self._bias_gradient, self._second_gradient,
            self._second_bias_gradient,
        )  # fmt: skip
        inputs = [x, *(buffers.after for buffers in layers)]
        torch.mm(heads.before.t(), inputs[-1], out=self._first_gradient)
        torch.mm(heads.before, self._first, out=layers[-1].gradient)
        befores = [None, *(buffers.gradient for buffers in layers[:-1])]
        steps = zip(self._layers, inputs[:-1], layers, befores, strict=True)
        for layer, read, buffers, before in reversed(list(steps)):
            layer.backward(read, buffers, before)

    def _buffers_for(self, rows: int) -> list[LayerBuffers]:
        """Return the buffers of each layer, and behind them those of the heads."""
        if rows not in self._buffers:
            layers = [
                LayerBuffers(rows, layer.width, drops=layer.dropout.dropped > 0)
                for layer in self._layers
            ]
            self._buffers[rows] = [*layers, LayerBuffers(rows, len(self._bias), drops=False)]
        return self._buffers[rows]


def towers_of(network: Architecture) -> list[Tower]:
    """Return what the columns of a network are read from, tower by tower.

    Raises:
        TypeError: it is built of something else.
    """
    if type(network) is SharedBottom:
        pairs = [(network.encoder, network.heads)]
    elif type(network) is Single:
        pairs = network.towers
    else:
        raise TypeError(f"{type(network).__name__} is not built of towers")
    return [Tower(cast(Mlp, encoder), heads) for encoder, heads in pairs]


def _arrays(parameter: nn.Parameter) -> tuple[F32, F32]:
    """Return a parameter and its gradient as arrays of the same memory."""
    assert parameter.grad is not None
    return parameter.detach().numpy(), parameter.grad.numpy()

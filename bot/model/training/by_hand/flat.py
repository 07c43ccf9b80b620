"""The parameters of a module in one row of memory, and what moves them in others.

Owns `FlatParameters`. Rule: the module goes on as it is, its parameters being views of the row; so it
is measured, copied and kept like any other.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from bot.blocks import F32
from bot.config.schema import Training
from bot.model.training.by_hand import kernels


class FlatParameters:
    """Parameters of a module, their gradients, and the state of AdamW, float32[P] each."""

    def __init__(self, module: nn.Module, training: Training) -> None:
        """Move the parameters into the row; each gets a gradient that is a view too."""
        parameters = list(module.parameters())
        values = torch.cat([parameter.detach().flatten() for parameter in parameters])
        gradients = torch.zeros_like(values)
        start = 0
        for parameter in parameters:
            stop = start + parameter.numel()
            parameter.data = values[start:stop].view_as(parameter)
            parameter.grad = gradients[start:stop].view_as(parameter)
            start = stop
        self._values: F32 = values.numpy()
        self._gradients: F32 = gradients.numpy()
        self._mean, self._square = np.zeros((2, len(values)), np.float32)
        self._steps, self._training = 0, training

    def move(self, factor: float = 1.0) -> None:
        """Clip the gradients that were written, by their own norm, and move the parameters.

        Args:
            factor: on the step size.
        """
        self._steps += 1
        kernels.adamw(
            self._values, self._gradients, self._mean, self._square, self._steps,
            self._training.learning_rate * factor, self._training.weight_decay, self._training.clip_norm,
        )  # fmt: skip

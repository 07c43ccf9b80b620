"""The parameters of a module in one row of memory, and their gradients in another.

Owns `FlatParameters`. Rule: the module goes on as it is, its parameters being views of the row; so it is
measured, copied and kept like any other, while the optimiser moves a single tensor.
"""

from __future__ import annotations

import torch
from torch import nn

from bot.model.training.together import kernels


class FlatParameters:
    """Parameters and gradients of a module, float32[P] each.

    Attributes:
        values: what the optimiser moves; it has a `.grad` once the gradients of a step are clipped.
    """

    def __init__(self, module: nn.Module) -> None:
        """Move the parameters into the row; each gets a gradient that is a view too."""
        parameters = list(module.parameters())
        self.values = torch.cat([parameter.detach().flatten() for parameter in parameters])
        self._gradients = torch.zeros_like(self.values)
        start = 0
        for parameter in parameters:
            stop = start + parameter.numel()
            parameter.data = self.values[start:stop].view_as(parameter)
            parameter.grad = self._gradients[start:stop].view_as(parameter)
            start = stop

    def clip(self, norm: float) -> None:
        """Scale the gradients so that their Euclidean norm is at most this, as torch does.

        The optimiser sees them from now on until it takes them off.
        """
        kernels.clip(self._gradients.numpy(), norm)
        self.values.grad = self._gradients

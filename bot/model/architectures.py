"""How tasks share a network: architectures by name.

Owns the `Architecture` base, `SharedBottom` and the registry. Rules: an architecture maps
float32[B, F] to float32[B, K], standardised values and logits in the order of the tasks. A new one
is a subclass and a line in `ARCHITECTURES`; `fold` need not be written for it to work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bot.config.sections import Model
from bot.model.encoders import ENCODERS, Layer

TileForward = Callable[[Tensor], Tensor]
"""The forward pass on one tile, float32[T, F] to float32[T, K]; T never changes."""


class Architecture(nn.Module, ABC):
    """A network with K heads."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map standardised features float32[B, F] to float32[B, K]."""

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return the parameters as groups for the optimiser; by default one group."""
        return [
            {"params": list(self.parameters()), "lr": learning_rate, "weight_decay": weight_decay}
        ]

    def fold(self, tile_rows: int) -> TileForward:
        """Return the forward pass for inference; by default this network itself in eval mode.

        The result may be handed out again and overwritten by the next call.
        """
        del tile_rows
        return self.eval()


class Heads(nn.Module):
    """K heads of two layers on one representation, computed as one.

    The first layers are one matrix; the second is a product a head. Each head starts as two
    `nn.Linear` of its own would.
    """

    def __init__(self, width: int, n_tasks: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, n_tasks * hidden)
        bound = hidden**-0.5
        self.weight = nn.Parameter(torch.empty(n_tasks, hidden).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_tasks).uniform_(-bound, bound))

    def forward(self, h: Tensor) -> Tensor:
        """Map float32[B, width] to float32[B, K]."""
        hidden: Tensor = torch.relu(self.first(h))
        return (hidden.view(-1, *self.weight.shape) * self.weight).sum(dim=2) + self.bias

    def fold(self) -> list[Layer]:
        """Return both layers in float64, the second as one matrix that is zero between heads."""
        n_tasks, hidden = self.weight.shape
        second = torch.zeros(n_tasks, hidden, n_tasks, dtype=torch.float64)
        for k in range(n_tasks):
            second[k, :, k] = self.weight.detach()[k]
        return [
            (self.first.weight.detach().double().t(), self.first.bias.detach().double()),
            (second.flatten(0, 1), self.bias.detach().double()),
        ]


class SharedBottom(Architecture):
    """One encoder for all tasks and a head for each (Caruana 1997)."""

    def __init__(self, settings: Model, n_features: int, n_tasks: int) -> None:
        super().__init__()
        self.encoder = ENCODERS[settings.encoder](settings, n_features)
        self.heads = Heads(self.encoder.width, n_tasks, settings.head_hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Encode once, then read with every head."""
        output: Tensor = self.heads(self.encoder(x))
        return output

    def fold(self, tile_rows: int) -> TileForward:
        """Return matrix products over buffers that are allocated once."""
        return fold_layers([*self.encoder.fold(), *self.heads.fold()], tile_rows)


EVEN_WIDTH = 8
"""At other widths some of MKL's products differ by a row's place in the tile, in the last bit."""


def fold_layers(layers: list[Layer], tile_rows: int) -> TileForward:
    """Return x → ReLU(…)W + b over all layers, ReLU between them, in float32.

    Weights lie column by column, the order in which MKL reads them fastest; all widths are filled up
    with zeros to whole multiples of EVEN_WIDTH.
    """
    steps = []
    for weight, bias in layers:
        width, out = (-n % EVEN_WIDTH for n in weight.shape)
        even = nn.functional.pad(weight, (0, out, 0, width)).float()
        steps.append(
            (
                even.t().contiguous().t(),
                nn.functional.pad(bias, (0, out)).float(),
                torch.empty(tile_rows, even.shape[1]),
            )
        )
    features, n_tasks = layers[0][0].shape[0], layers[-1][0].shape[1]
    tile = torch.zeros(tile_rows, steps[0][0].shape[0])
    *inner, (last_weight, last_bias, output) = steps

    def forward(x: Tensor) -> Tensor:
        tile[:, :features] = x
        x = tile
        for weight, bias, buffer in inner:
            x = torch.addmm(bias, x, weight, out=buffer).relu_()
        return torch.addmm(last_bias, x, last_weight, out=output)[:, :n_tasks].contiguous()

    return forward


ARCHITECTURES: dict[str, Callable[[Model, int, int], Architecture]] = {
    "shared_bottom": SharedBottom,
}
"""Builders by the name in model.architecture: (settings, features, tasks) to a network."""

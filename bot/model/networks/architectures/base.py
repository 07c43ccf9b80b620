"""What every architecture is: a network with a head a task, and what of it the tasks share.

Rules: an architecture maps float32[B, F] to float32[B, C], standardised values and logits, the
columns in the order of the tasks. `fold` need not be written for it to work; what is shared must be
named, since that is what gradient methods and GradNorm look at.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bot.blocks import Task
from bot.config.schema import Model
from bot.model.networks.encoders import Layer
from bot.model.networks.tile_invariant_linear import widened

TileForward = Callable[[Tensor], Tensor]
"""The forward pass on one tile, float32[T, F] to float32[T, C]; T never changes."""

Builder = Callable[[Model, int, Sequence[Task]], "Architecture"]
"""From settings, number of features and tasks to a network."""


@dataclass(frozen=True, slots=True)
class Gate:
    """How much a gate gives to each expert, on the mean over rows.

    Attributes:
        layer: from 1.
        reader: whose gate it is: a task's name, or 'shared'.
        experts: names of those that the gate sees.
        weights: of each expert, summing to 1.
    """

    layer: int
    reader: str
    experts: tuple[str, ...]
    weights: tuple[float, ...]


class Architecture(nn.Module, ABC):
    """A network with heads for K tasks."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map standardised features float32[B, F] to float32[B, C]."""

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return the parameters as groups for the optimiser; by default one group."""
        return [
            {"params": list(self.parameters()), "lr": learning_rate, "weight_decay": weight_decay}
        ]

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that more than one task's loss reaches; none by default."""
        return []

    def last_shared(self) -> list[Tensor]:
        """Return the weights of the last shared layer, GradNorm's W; none by default."""
        return []

    def apart(self) -> list[nn.Module]:
        """Return a module a task where tasks share nothing at all, and are trained as if alone."""
        return []

    def penalty(self) -> Tensor | None:
        """Return what is added to the objective, a scalar; nothing by default."""
        return None

    def gate_use(self, x: Tensor) -> list[Gate]:
        """Return what the gates do on the rows x float32[B, F]; by default there are none."""
        del x
        return []

    def fold(self, tile_rows: int) -> TileForward:
        """Return the forward pass for inference; by default this network itself in eval mode.

        The result may be handed out again and overwritten by the next call.
        """
        del tile_rows
        network = self.eval()
        return lambda x: network(x).contiguous()

    def fold_for(self, place: int, tile_rows: int) -> TileForward:
        """Return the forward pass for one symbol; the same for all where it knows none."""
        del place
        return self.fold(tile_rows)


class SharedRepresentation(Architecture):
    """An architecture whose tasks meet in one representation and nowhere after it.

    Then each task can read a copy of its own, and the gradients of the copies, found in a single
    backward pass, are the tasks' gradients.
    """

    n_tasks: int
    decode_reads_x = False
    """Whether `decode` looks at x too, as gates do."""

    @property
    def decode_shares(self) -> bool:
        """Tell whether `decode` reaches shared parameters, so that they need more than h."""
        return False

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Return the shared representation, float32[B, W]."""

    @abstractmethod
    def decode(self, x: Tensor, copies: Tensor) -> Tensor:
        """Return float32[B, C] from a representation for each task, float32[K, B, W]."""


def fold_layers(layers: list[Layer], tile_rows: int) -> TileForward:
    """Return x → ReLU(…)W + b over all layers, ReLU between them, in float32.

    Weights lie column by column, the order in which MKL reads them fastest; thin layers are widened.
    """
    columns = len(layers[-1][1])
    steps, lacking = [], 0
    for narrow_weight, narrow_bias in layers:
        # what the layer before has too many of is read by zeros
        read = functional.pad(narrow_weight, (0, 0, 0, lacking))
        weight, bias = widened(read, narrow_bias)
        lacking = len(bias) - len(narrow_bias)
        steps.append(
            (
                weight.t().float().contiguous().t(),
                bias.float(),
                torch.empty(tile_rows, len(bias), device=bias.device),
            )
        )
    *inner, (last_weight, last_bias, output) = steps

    def forward(x: Tensor) -> Tensor:
        for weight, bias, buffer in inner:
            x = torch.addmm(bias, x, weight, out=buffer).relu_()
        result = torch.addmm(last_bias, x, last_weight, out=output)
        return result[:, :columns].contiguous()

    return forward

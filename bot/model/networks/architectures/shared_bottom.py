"""Shared bottom: one encoder for all tasks (Caruana 1997)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from bot.blocks import Task
from bot.config.schema import Model
from bot.model.networks.architectures.base import SharedRepresentation, TileForward, fold_layers
from bot.model.networks.encoders import build_encoder
from bot.model.networks.heads import Heads
from bot.parts.registry import shipped


@shipped("architecture", "shared_bottom")
class SharedBottom(SharedRepresentation):
    """y_k = head_k(encoder(x)): one encoder for all tasks and a head for each."""

    def __init__(self, settings: Model, n_features: int, tasks: Sequence[Task]) -> None:
        super().__init__()
        self.n_tasks = len(tasks)
        self.encoder = build_encoder(settings, n_features)
        self.heads = Heads(self.encoder.width, tasks, settings.head_hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Encode once, then read with every head."""
        output: Tensor = self.heads(self.encoder(x))
        return output

    def encode(self, x: Tensor) -> Tensor:
        """Return what the encoder gives."""
        encoded: Tensor = self.encoder(x)
        return encoded

    def decode(self, x: Tensor, copies: Tensor) -> Tensor:
        """Read each copy with the head of its task."""
        del x
        return self.heads.apart(copies)

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the encoder's."""
        return list(self.encoder.parameters())

    def last_shared(self) -> list[Tensor]:
        """Return the weight of the encoder's last layer."""
        return [self.encoder.last_weight()]

    def fold(self, tile_rows: int) -> TileForward:
        """Return matrix products over buffers that are allocated once, if the encoder allows."""
        layers = self.encoder.fold()
        if layers is None:
            return super().fold(tile_rows)
        return fold_layers([*layers, *self.heads.fold()], tile_rows)

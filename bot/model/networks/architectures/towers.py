"""A network for each task: apart (the single-task baseline), or drawn together by a penalty."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bot.blocks import Task
from bot.config.schema import Model
from bot.model.networks.architectures.base import Architecture, TileForward, fold_layers
from bot.model.networks.encoders import build_encoder
from bot.model.networks.heads import Heads
from bot.parts.registry import shipped


@shipped("architecture", "single")
class Single(Architecture):
    """y_k = head_k(encoder_k(x)): nothing is shared, every task is trained as if it were alone.

    Each tower has its own clipping of the gradient and its own early stopping; the order of the
    batches is all they have in common. With model.match_parameters they have as many parameters
    together as a shared bottom.
    """

    def __init__(self, settings: Model, n_features: int, tasks: Sequence[Task]) -> None:
        super().__init__()
        encoders = [build_encoder(settings, n_features) for _ in tasks]
        heads = [Heads(encoders[0].width, [task], settings.head_hidden) for task in tasks]
        self.encoders, self.heads = nn.ModuleList(encoders), nn.ModuleList(heads)
        self.towers = list(zip(encoders, heads, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """Run every task's network."""
        return torch.cat([head(encoder(x)) for encoder, head in self.towers], dim=1)

    def apart(self) -> list[nn.Module]:
        """Return every task's encoder with its head."""
        return [nn.ModuleList(tower) for tower in self.towers]

    def fold(self, tile_rows: int) -> TileForward:
        """Return each network's matrix products one after the other, if the encoders allow."""
        forwards = []
        for encoder, head in self.towers:
            layers = encoder.fold()
            if layers is None:
                return super().fold(tile_rows)
            forwards.append(fold_layers([*layers, *head.fold()], tile_rows))
        return lambda x: torch.cat([forward(x) for forward in forwards], dim=1)


@shipped("architecture", "soft", keys=("model.soft_penalty",))
class Soft(Single):
    """Soft sharing (Duong, Cohn, Bird & Cook 2015): towers that are drawn towards one another.

    The penalty is (λ/K) Σ_{i≠j} ‖θ_i − θ_j‖² over the parameters of the encoders, which is
    2λ Σ_k ‖θ_k − θ̄‖² with their mean θ̄; the running statistics of BatchNorm and the heads are left
    out.
    """

    def __init__(self, settings: Model, n_features: int, tasks: Sequence[Task]) -> None:
        super().__init__(settings, n_features, tasks)
        self._strength = settings.soft_penalty

    def apart(self) -> list[nn.Module]:
        """Return none: the penalty ties them."""
        return []

    def penalty(self) -> Tensor:
        """Return the squared distances of the towers, times λ."""
        towers = [encoder.parameters() for encoder in self.encoders]
        total = next(self.parameters()).new_zeros(())
        for same in zip(*towers, strict=True):
            stacked = torch.stack(same)
            total = total + (stacked - stacked.mean(dim=0)).square().sum()
        return 2.0 * self._strength * total

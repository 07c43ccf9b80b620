"""Cross-stitch networks: a tower a task, mixed after every layer (Misra et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bot.blocks import Task
from bot.config.schema import Model
from bot.model.networks.architectures.base import Architecture
from bot.model.networks.encoders import build_encoder
from bot.model.networks.heads import Heads
from bot.parts.registry import shipped

OWN = 0.9
"""What a tower keeps of itself at first; the others share the rest."""


@shipped("architecture", "cross_stitch", keys=("model.stitch_rate",))
class CrossStitch(Architecture):
    """After each layer x̃_a = Σ_b α_ab x_b with learned α (eq. 1), one scalar a pair and layer.

    α starts at 0.9 on the diagonal and 0.1/(K − 1) beside it. It learns at a rate of its own and
    does not decay, since decay would pull the towers' signals to nothing.
    """

    def __init__(self, settings: Model, n_features: int, tasks: Sequence[Task]) -> None:
        super().__init__()
        towers = [build_encoder(settings, n_features) for _ in tasks]
        self.towers = nn.ModuleList(towers)
        self.stages = list(zip(*(tower.stages() for tower in towers), strict=True))
        self._last = [tower.last_weight() for tower in towers]
        start = first_stitch(len(tasks))
        self.stitches = nn.ParameterList(nn.Parameter(start.clone()) for _ in self.stages)
        self.heads = Heads(towers[0].width, tasks, settings.head_hidden)
        self._stitch_rate = settings.stitch_rate

    def forward(self, x: Tensor) -> Tensor:
        """Run the towers layer by layer and mix them; each head reads its tower."""
        states = x.expand(len(self.towers), *x.shape)
        for stage, stitch in zip(self.stages, self.stitches, strict=True):
            stacked = torch.stack([layer(h) for layer, h in zip(stage, states, strict=True)])
            states = (stitch @ stacked.flatten(1)).view_as(stacked)
        return self.heads.apart(states)

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return the stitches in a group of their own."""
        stitches = {id(p) for p in self.stitches}
        others = [p for p in self.parameters() if id(p) not in stitches]
        return [
            {"params": others, "lr": learning_rate, "weight_decay": weight_decay},
            {
                "params": list(self.stitches),
                "lr": learning_rate * self._stitch_rate,
                "weight_decay": 0.0,
            },
        ]

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the towers and all stitches but the last, whose rows belong to a task each."""
        return [*self.towers.parameters(), *list(self.stitches)[:-1]]

    def last_shared(self) -> list[Tensor]:
        """Return the weight of each tower's last layer."""
        return self._last


def first_stitch(n_tasks: int) -> Tensor:
    """Return float32[K, K]: 0.9 on the diagonal and 0.1/(K − 1) beside it; 1 for one task."""
    if n_tasks == 1:
        return torch.ones(1, 1)
    off = (1.0 - OWN) / (n_tasks - 1)
    return torch.full((n_tasks, n_tasks), off) + (OWN - off) * torch.eye(n_tasks)

"""Hierarchical heads: easier tasks feed harder ones (Søgaard & Goldberg 2016; Sanh et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bot.blocks import Task
from bot.config.schema import Model
from bot.model.networks.architectures.base import Architecture
from bot.model.networks.encoders import build_encoder
from bot.model.networks.heads import Heads
from bot.model.tasks import owners
from bot.parts.registry import shipped

LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"return", "volume"}),
    frozenset({"volatility", "direction", "regime", "trend", "range"}),
    frozenset({"decision", "barrier", "barrier_time"}),
)
"""The document's levels, by kind; a kind that is in none belongs to the first."""


@shipped("architecture", "hierarchical")
class Hierarchical(Architecture):
    """One encoder; the heads of level l read its output and the hidden layers of all levels below.

    With z = encoder(x) and r_l the hidden layers of level l side by side,
    r_l = ReLU(V_l [z, r_1, …, r_{l−1}]) and y_k = w_k · r_l,k. Every level sees z (the short-cut of
    Sanh 2019), so a harder task is never worse informed than an easier one.
    """

    def __init__(self, settings: Model, n_features: int, tasks: Sequence[Task]) -> None:
        super().__init__()
        self.encoder = build_encoder(settings, n_features)
        places = levels_of(tasks)
        levels, width = [], self.encoder.width
        for level in places:
            levels.append(Heads(width, [tasks[k] for k in level], settings.head_hidden))
            width += levels[-1].hidden_width
        self.levels = nn.ModuleList(levels)
        self._levels = levels
        owner = owners(tasks)
        columns = [c for level in places for k in level for c, o in enumerate(owner) if o == k]
        self._back = sorted(range(len(columns)), key=columns.__getitem__)

    def forward(self, x: Tensor) -> Tensor:
        """Read level by level, each with all that was found below it."""
        known = self.encoder(x)
        outputs = []
        for level in self._levels:
            hidden = level.hidden(known)
            outputs.append(level.read(hidden))
            known = torch.cat([known, hidden], dim=1)
        return torch.cat(outputs, dim=1)[:, self._back]

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the encoder's and the hidden layers that feed a higher level."""
        feeding = [p for level in self._levels[:-1] for p in level.first.parameters()]
        return [*self.encoder.parameters(), *feeding]

    def last_shared(self) -> list[Tensor]:
        """Return the weight of the encoder's last layer, the last that all tasks share."""
        return [self.encoder.last_weight()]


def levels_of(tasks: Sequence[Task]) -> list[list[int]]:
    """Return the places of the tasks, level by level; levels without a task are left out.

    >>> levels_of([Task("return", 5), Task("direction", 5), Task("volume", 5)])
    [[0, 2], [1]]
    """
    level = [next((n for n, kinds in enumerate(LEVELS) if t.kind in kinds), 0) for t in tasks]
    places = [[k for k, found in enumerate(level) if found == n] for n in range(len(LEVELS))]
    return [place for place in places if place]

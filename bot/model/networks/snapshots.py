"""One network at several epochs, each task read from the one at which its own head was best.

Rules: a snapshot is a whole network, trunk and heads, so any architecture can be kept so; a task has
exactly one. It is made after training and is never trained itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from bot.blocks import Task
from bot.model.device import CPU
from bot.model.networks.architectures.base import Architecture, Gate, TileForward
from bot.model.networks.own_heads import UNKNOWN
from bot.model.tasks import owners


class Snapshots(Architecture):
    """Networks of one kind and where each task is read."""

    def __init__(
        self, networks: Sequence[Architecture], tasks: Sequence[Task], read_from: Sequence[int]
    ) -> None:
        """Put together snapshots.

        Args:
            read_from: the snapshot of each task.
        """
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self._readers = [
            {task.name for task, s in zip(tasks, read_from, strict=True) if s == k}
            for k in range(len(networks))
        ]
        self.read_from = tuple(read_from)
        of_column = torch.tensor([read_from[k] for k in owners(tasks)], device=CPU)
        self._columns = [torch.nonzero(of_column == k).ravel() for k in range(len(networks))]
        self._n_columns = len(of_column)

    def forward(self, x: Tensor) -> Tensor:
        """Read each task from its snapshot."""
        output = x.new_empty(len(x), self._n_columns)
        for network, columns in zip(self.networks, self._columns, strict=True):
            output[:, columns] = network(x)[:, columns]
        return output

    def gate_use(self, x: Tensor) -> list[Gate]:
        """Return the gates of each task in its snapshot, and the shared ones of the first."""
        return [
            gate
            for k, network in enumerate(self._each())
            for gate in network.gate_use(x)
            if gate.reader in self._readers[k] or (k == 0 and gate.reader == "shared")
        ]

    def fold(self, tile_rows: int) -> TileForward:
        """Return the forward pass of every snapshot, for a symbol that is not known."""
        return self.fold_for(UNKNOWN, tile_rows)

    def fold_for(self, place: int, tile_rows: int) -> TileForward:
        """Return the forward pass of every snapshot for one symbol."""
        forwards = [network.fold_for(place, tile_rows) for network in self._each()]
        output = next(self.parameters()).new_empty(tile_rows, self._n_columns)
        parts = list(zip(forwards, self._columns, strict=True))

        def forward(x: Tensor) -> Tensor:
            for each, columns in parts:
                output[:, columns] = each(x)[:, columns]
            return output

        return forward

    def _each(self) -> list[Architecture]:
        return cast("list[Architecture]", list(self.networks))

"""When a training stops, and which epoch of a network is kept.

Owns `Stopping`. Rules: an epoch is judged by the unweighted validation losses, each over its naive
one: by the mean of those of the tasks that are trained (or of those named); or each task by its own,
with a snapshot of the whole network a task; or, where tasks share nothing at all, each tower by its
own task, as if it were trained alone. What has waited for its patience is kept as it was, whatever
comes after.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from bot.blocks import F32, Task
from bot.model.device import CPU
from bot.model.networks.architectures import Architecture
from bot.model.networks.snapshots import Snapshots
from bot.model.trained import Epoch, put_weights, weights_of


@dataclass
class _Part:
    """What is kept by itself: the network, or a tower; `tasks` bool[K] are those it is judged by."""

    module: nn.Module
    tasks: Tensor
    best: Epoch | None = None
    score: float = math.inf
    waited: int = 0
    weights: dict[str, F32] = field(default_factory=dict)

    def see(self, epoch: Epoch, shares: Tensor) -> None:
        """Keep the epoch if it is the best; where no task of the part is judged, the newest."""
        own = shares[self.tasks]
        own = own[~own.isnan()]
        score = float(own.mean()) if len(own) else math.nan
        self.waited = 0 if score < self.score else self.waited + 1
        if math.isnan(score) or score < self.score:
            self.best, self.score, self.weights = epoch, score, weights_of(self.module)


class Stopping:
    """Watch the epochs of one training.

    Args:
        network: what it has `apart` is kept each by itself.
        tasks: all that are trained.
        judged_by: those whose losses count; all where none is named.
        patience: epochs without a better one before a part is done.
        per_head: keep for each task the epoch that was best for it.
    """

    def __init__(
        self,
        network: Architecture,
        tasks: Sequence[Task],
        judged_by: Sequence[Task],
        patience: int,
        *,
        per_head: bool = False,
    ) -> None:
        towers = network.apart()
        judging = [not judged_by or task in judged_by for task in tasks]
        together = torch.tensor([judging], device=CPU)
        each = bool(towers) or per_head
        parts = torch.eye(len(tasks), dtype=torch.bool, device=CPU) if each else together
        modules: list[nn.Module] = [*towers] or [network] * len(parts)
        self._parts = [_Part(module, own) for module, own in zip(modules, parts, strict=True)]
        self._network, self._tasks, self._patience = network, tasks, patience
        self._has_towers = bool(towers)

    @property
    def modules(self) -> list[nn.Module]:
        """Return the network, or its towers."""
        return [part.module for part in self._parts] if self._has_towers else [self._network]

    @property
    def done(self) -> bool:
        """Tell whether everything has waited long enough."""
        return all(part.waited >= self._patience for part in self._parts)

    def see(self, epoch: Epoch, shares: Tensor) -> None:
        """Look at an epoch.

        Args:
            shares: float32[K] on the CPU, validation losses over the naive ones; NaN where a task is not
                trained or has no label there.
        """
        for part in self._parts:
            if part.waited < self._patience:
                part.see(epoch, shares)

    def restart(self) -> None:
        """Forget what was seen: a new stage of a curriculum begins."""
        self._parts = [_Part(part.module, part.tasks) for part in self._parts]

    def best(self) -> tuple[Epoch, Architecture] | None:
        """Return the best epoch and the network as it was then, None where none was seen.

        Of parts that were best in several epochs the epoch has each task's losses in its own, and
        the latest number; the network is then `Snapshots` where they were snapshots of one.
        """
        kept = [part.best for part in self._parts if part.best is not None]
        if len(kept) < len(self._parts):
            return None
        if len(kept) == 1 or self._has_towers:
            for part in self._parts:
                put_weights(part.module, part.weights)
            return self._over_tasks(kept), self._network
        numbers = sorted({epoch.number for epoch in kept})
        snapshots: list[Architecture] = []
        for number in numbers:
            part = next(
                p for p, epoch in zip(self._parts, kept, strict=True) if epoch.number == number
            )
            snapshots.append(copy.deepcopy(self._network))
            put_weights(snapshots[-1], part.weights)
        if len(snapshots) == 1:
            return self._over_tasks(kept), snapshots[0]
        read_from = [numbers.index(epoch.number) for epoch in kept]
        return self._over_tasks(kept), Snapshots(snapshots, self._tasks, read_from)

    def _over_tasks(self, kept: Sequence[Epoch]) -> Epoch:
        """Return one epoch's figures from those that the parts were best in."""
        if len(kept) == 1:
            return kept[0]
        scores = [part.score for part in self._parts if not math.isnan(part.score)]
        return replace(
            max(kept, key=lambda epoch: epoch.number),
            train=tuple(epoch.train[k] for k, epoch in enumerate(kept)),
            validation=tuple(epoch.validation[k] for k, epoch in enumerate(kept)),
            weights=tuple(epoch.weights[k] for k, epoch in enumerate(kept)),
            score=sum(scores) / len(scores),
        )

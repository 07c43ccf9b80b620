"""Multi-gate mixture of experts (Ma et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bot.blocks import Task
from bot.config.schema import Model
from bot.model.networks.architectures.base import Gate, SharedRepresentation
from bot.model.networks.encoders import build_encoder, newest
from bot.model.networks.heads import Heads
from bot.model.networks.tile_invariant_linear import SteadyLinear
from bot.parts.registry import shipped


@shipped("architecture", "mmoe", keys=("model.experts",))
class Mmoe(SharedRepresentation):
    """y_k = head_k(Σ_e g_k,e(x) f_e(x)) with g_k(x) = softmax(W_k x) (eq. 5 to 7).

    The experts f_e are encoders and all shared; the gates W_k, without a bias, are a task's own.
    """

    decode_reads_x = True

    def __init__(self, settings: Model, n_features: int, tasks: Sequence[Task]) -> None:
        super().__init__()
        self.n_tasks = len(tasks)
        experts = [build_encoder(settings, n_features) for _ in range(settings.experts)]
        self.experts = nn.ModuleList(experts)
        self.gate = SteadyLinear(n_features, len(tasks) * len(experts), bias=False)
        self.heads = Heads(experts[0].width, tasks, settings.head_hidden)
        self._last = [expert.last_weight() for expert in experts]
        self._names = [task.name for task in tasks]

    def forward(self, x: Tensor) -> Tensor:
        """Mix the experts for each task and read with its head."""
        encoded = self.encode(x)
        return self.decode(x, encoded.expand(self.n_tasks, *encoded.shape))

    def encode(self, x: Tensor) -> Tensor:
        """Return the experts side by side, float32[B, E·width]."""
        return torch.cat([expert(x) for expert in self.experts], dim=1)

    def decode(self, x: Tensor, copies: Tensor) -> Tensor:
        """Weigh each task's copy of the experts by its gate and read it with its head."""
        n_tasks, rows, _ = copies.shape
        experts = copies.view(n_tasks, rows, len(self.experts), -1)
        weights = self.gates(x).transpose(0, 1)
        return self.heads.apart((weights[..., None] * experts).sum(dim=2))

    def gates(self, x: Tensor) -> Tensor:
        """Return how each task weighs the experts, float32[B, K, E], each row summing to 1."""
        logits = self.gate(newest(x))
        return torch.softmax(logits.view(len(logits), -1, len(self.experts)), dim=2)

    def gate_use(self, x: Tensor) -> list[Gate]:
        """Return how each task weighs the experts, on the mean over the rows."""
        means = self.gates(x).mean(dim=0).tolist()
        experts = tuple(f"expert {e}" for e in range(1, 1 + len(self.experts)))
        rows = zip(self._names, means, strict=True)
        return [Gate(1, name, experts, tuple(row)) for name, row in rows]

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the experts'."""
        return list(self.experts.parameters())

    def last_shared(self) -> list[Tensor]:
        """Return the weight of each expert's last layer."""
        return self._last

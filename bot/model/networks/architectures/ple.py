"""Progressive layered extraction (Tang et al. 2020): shared experts beside each task's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from bot.blocks import Task
from bot.config.schema import Model
from bot.model.networks.architectures.base import Architecture, Gate
from bot.model.networks.encoders import Encoder, Mlp, build_encoder, newest
from bot.model.networks.heads import Heads
from bot.model.networks.tile_invariant_linear import SteadyLinear
from bot.parts.registry import shipped


class Extraction(nn.Module):
    """One layer: a state for each task and a shared one in, the same out.

    Task k: h_k = Σ_e softmax(W_k s_k)_e f_e over its own experts, which read its state s_k, and the
    shared experts, which read the shared state (CGC, eq. 1 to 4). Where another layer follows, a
    shared gate, which reads the shared state, weighs every expert (PLE, section 4.2).
    """

    def __init__(
        self, build: Callable[[], Encoder], width: int, n_tasks: int, settings: Model, *, last: bool
    ) -> None:
        super().__init__()
        self.own = nn.ModuleList(
            nn.ModuleList(build() for _ in range(settings.own_experts)) for _ in range(n_tasks)
        )
        shared = [build() for _ in range(settings.experts)]
        self.shared = nn.ModuleList(shared)
        self.width = shared[0].width
        self.last_weights = [expert.last_weight() for expert in shared]
        n_read = settings.own_experts + settings.experts
        self.gates = nn.ModuleList(SteadyLinear(width, n_read, bias=False) for _ in range(n_tasks))
        n_all = n_tasks * settings.own_experts + settings.experts
        self.shared_gate = None if last else SteadyLinear(width, n_all, bias=False)

    def forward(self, states: Sequence[Tensor], shared: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the tasks' next states, and the shared one (as it came in the last layer)."""
        common = [expert(shared) for expert in self.shared]
        own = [
            [expert(state) for expert in experts]  # type: ignore[attr-defined]
            for experts, state in zip(self.own, states, strict=True)
        ]
        following = [
            mix(gate(newest(state)), [*mine, *common])
            for gate, state, mine in zip(self.gates, states, own, strict=True)
        ]
        if self.shared_gate is None:
            return following, shared
        everyone = [h for mine in own for h in mine] + common
        return following, mix(self.shared_gate(newest(shared)), everyone)

    def gate_use(
        self, place: int, names: Sequence[str], states: Sequence[Tensor], shared: Tensor
    ) -> list[Gate]:
        """Return the mean weights of the tasks' gates, and of the shared one where there is one."""
        n_own = range(1, 1 + len(self.own[0]))  # type: ignore[arg-type]
        common = [f"shared {e}" for e in range(1, 1 + len(self.shared))]
        own = [[f"{name} {e}" for e in n_own] for name in names]
        read = [
            (name, gate(newest(state)), [*mine, *common])
            for name, gate, state, mine in zip(names, self.gates, states, own, strict=True)
        ]
        if self.shared_gate is not None:
            everyone = [expert for mine in own for expert in mine]
            read.append(("shared", self.shared_gate(newest(shared)), [*everyone, *common]))
        return [
            Gate(place, reader, tuple(experts), mean_share(logits))
            for reader, logits, experts in read
        ]


def mean_share(logits: Tensor) -> tuple[float, ...]:
    """Return the mean over the rows of softmax(logits)."""
    return tuple(torch.softmax(logits, dim=1).mean(dim=0).tolist())


def mix(logits: Tensor, experts: Sequence[Tensor]) -> Tensor:
    """Return Σ_e softmax(logits)_e experts_e, float32[B, width], from logits float32[B, E]."""
    weights = torch.softmax(logits, dim=1)
    return (weights[..., None] * torch.stack(list(experts), dim=1)).sum(dim=1)


@shipped(
    "architecture", "ple", keys=("model.experts", "model.own_experts", "model.extraction_layers")
)
class Ple(Architecture):
    """Stacked extraction layers and a head for each task; the first layer's states are all x.

    Experts of the first layer are encoders, those of later layers one block as wide as these.
    """

    def __init__(self, settings: Model, n_features: int, tasks: Sequence[Task]) -> None:
        super().__init__()
        width, n = n_features, settings.extraction_layers
        layers = []
        for place in range(n):
            build = _expert(settings, width, first=place == 0)
            layers.append(Extraction(build, width, len(tasks), settings, last=place == n - 1))
            width = layers[-1].width
        self.layers = nn.ModuleList(layers)
        self._layers = layers
        self.heads = Heads(width, tasks, settings.head_hidden)
        self._n_tasks = len(tasks)
        self._names = [task.name for task in tasks]

    def forward(self, x: Tensor) -> Tensor:
        """Pass the states through the layers; each head reads its task's."""
        states, shared = [x] * self._n_tasks, x
        for layer in self._layers:
            states, shared = layer(states, shared)
        return self.heads.apart(torch.stack(states))

    def gate_use(self, x: Tensor) -> list[Gate]:
        """Return how each gate of each layer weighs its experts, on the mean over the rows."""
        states, shared = [x] * self._n_tasks, x
        found: list[Gate] = []
        for place, layer in enumerate(self._layers, start=1):
            found += layer.gate_use(place, self._names, states, shared)
            states, shared = layer(states, shared)
        return found

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return what the shared state of the last layer depends on, and that layer's shared experts.

        A task's own experts are shared up to the last but one layer, through the shared gate; its
        gates up to the one before, since what they mix reaches others a layer later.
        """
        found: list[nn.Parameter] = []
        for after, layer in enumerate(reversed(self._layers)):
            found += layer.shared.parameters()
            if after >= 1 and layer.shared_gate is not None:
                found += [*layer.own.parameters(), *layer.shared_gate.parameters()]
            if after >= 2:
                found += layer.gates.parameters()
        return found

    def last_shared(self) -> list[Tensor]:
        """Return the weight of the last layer of each shared expert."""
        return self._layers[-1].last_weights


def _expert(settings: Model, width: int, *, first: bool) -> Callable[[], Encoder]:
    """Return the builder of a layer's experts."""
    if first:
        return lambda: build_encoder(settings, width)
    block = settings.model_copy(update={"hidden": settings.hidden[-1:]})
    return lambda: Mlp(block, width)

"""A trained model as plain data: what rebuilds the network, and how its training went.

Owns `ModelSpec` and `TrainedModel`. Rules: nothing here holds torch objects, so a model goes
through a pipe or a file unchanged; its id is a digest of all that decides a forecast.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import nn

from bot.blocks import F32, I64, Task
from bot.config.schema import Model
from bot.errors import ModelError
from bot.model.device import CPU, facts_of
from bot.model.networks.architectures import Architecture
from bot.model.networks.own_heads import UNKNOWN
from bot.model.networks.parameter_matching import assemble, count_parameters, matched
from bot.model.networks.snapshots import Snapshots
from bot.model.scaler import Scaler
from bot.model.shrinkage import Shrinkage

_ALWAYS = ("architecture", "encoder", "hidden", "head_hidden", "dropout", "batch_norm")
"""Settings that are written even where they are the default."""

_WHEN_NOT_WRITTEN = {"members": 1}
"""What settings were that are not written, where the default is another now."""

NO_WEIGHT = 1e-6
"""A weight that is less than this share of the largest moves nothing."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What rebuilds an untrained network: the settings, the number of features, the tasks.

    Where the network knows the symbols, their names too, in the order of their places in it.

    A setting beyond _ALWAYS is written only where it differs from its default, so that a model
    keeps its id when the bot learns a new one; one whose default changed is in _WHEN_NOT_WRITTEN.
    """

    settings: Model
    n_features: int
    tasks: tuple[Task, ...]
    symbols: tuple[str, ...] = ()

    def build(self) -> Architecture:
        """Build the network on the CPU; its first weights come from torch's global generator."""
        with CPU:
            return assemble(self._scaled(), self.n_features, self.tasks, len(self.symbols))

    def count_parameters(self) -> int:
        """Return how many parameters a network has that `build` makes."""
        return count_parameters(self._scaled(), self.n_features, self.tasks, len(self.symbols))

    def _scaled(self) -> Model:
        if not self.settings.match_parameters:
            return self.settings
        return matched(self.settings, self.n_features, self.tasks, len(self.symbols))

    def places(self, symbols: Sequence[str]) -> I64:
        """Return int64[S], the place in the network of each symbol; -1 where it knows no such."""
        known = {name: place for place, name in enumerate(self.symbols)}
        return np.array([known.get(name, UNKNOWN) for name in symbols], dtype=np.int64)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        tasks = [{"kind": t.kind, "horizon": t.horizon} for t in self.tasks]
        given = self.settings.model_dump(mode="json")
        usual = Model().model_dump(mode="json") | _WHEN_NOT_WRITTEN
        settings = {k: v for k, v in given.items() if k in _ALWAYS or v != usual[k]}
        spec = {"settings": settings, "n_features": self.n_features, "tasks": tasks}
        return {**spec, "symbols": list(self.symbols)} if self.symbols else spec

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ModelSpec:
        """Read back what `to_json` gave.

        Raises:
            ModelError: something is missing, unknown or out of bounds.
        """
        try:
            tasks = tuple(Task(**task) for task in value["tasks"])
            settings = Model.model_validate(_WHEN_NOT_WRITTEN | value["settings"])
            symbols = tuple(str(name) for name in value.get("symbols", ()))
            return cls(settings, int(value["n_features"]), tasks, symbols)
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise ModelError(f"the description of the network cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training rows, in the units of the losses.

    Attributes:
        number: from 1.
        train: mean training loss of each task, dropout on.
        validation: validation loss of each task; None where no validation row has its label.
        weights: the factor on each task's loss at the end of the epoch.
        score: what early stopping looks at, the mean of the normalised validation losses.
        cosines: of the tasks' gradients after the epoch, K × K; None where a task has none, empty
            where they were not measured or nothing is shared.
    """

    number: int
    train: tuple[float, ...]
    validation: tuple[float | None, ...]
    weights: tuple[float, ...]
    score: float
    cosines: tuple[tuple[float | None, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model ready to forecast, to be pickled, or to be saved.

    Attributes:
        spec: what rebuilds the network.
        weights: float32 arrays by parameter name, running statistics of BatchNorm among them; the
            names of an ensemble start with the member, "member0." and so on.
        scaler: fitted on the training rows.
        baselines: by task name, {'mean', 'rms'} of the training rows' labels (the mean of a
            direction is its base rate).
        metrics: rows, epochs run, best epoch, losses at the best epoch.
        history: every epoch; an ensemble's members follow one another.
        seed: what the training was seeded with.
        insights: of each member, what `interpretation` found of it; empty where it was not asked.
        snapshots: of each member, the snapshot that each task is read from; empty where every
            member is a single network.
        shrinkage: by task name, what its forecasts are shrunk by (`shrinkage`).
        reach: how far from their middle nearly all training rows are (`distance`); None where it was not
            measured.
        trained_on: what `device` says of where it was trained; it does not touch the id.
    """

    spec: ModelSpec
    weights: Mapping[str, F32]
    scaler: Scaler
    baselines: Mapping[str, Mapping[str, float]]
    metrics: Mapping[str, Any]
    history: tuple[Epoch, ...]
    seed: int
    insights: tuple[Mapping[str, Any], ...] = ()
    snapshots: tuple[tuple[int, ...], ...] = ()
    shrinkage: Mapping[str, Shrinkage] = field(default_factory=dict)
    reach: float | None = None
    trained_on: Mapping[str, Any] = field(default_factory=lambda: facts_of(CPU))

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Return what the heads predict, in order."""
        return self.spec.tasks

    @property
    def untrained(self) -> tuple[Task, ...]:
        """Return the tasks whose heads were never trained: their weight was 0 in every epoch.

        They had no label, or all stages of the curriculum left them out. What their heads say is
        where they began, and no forecast.
        """
        weights = np.array([epoch.weights for epoch in self.history]).reshape(-1, len(self.tasks))
        least = NO_WEIGHT * weights.max(axis=1, initial=0.0)[:, None]
        trained = (weights > least).any(axis=0) | (len(weights) == 0)
        return tuple(task for task, known in zip(self.tasks, trained, strict=True) if not known)

    @property
    def model_id(self) -> str:
        """Return 16 hex digits of the SHA-256 over spec, scaler and weights (little-endian)."""
        sha = hashlib.sha256(json.dumps(self.spec.to_json(), sort_keys=True).encode())
        arrays = {
            f.name: getattr(self.scaler, f.name)
            for f in fields(self.scaler)
            if len(getattr(self.scaler, f.name))
        }
        if self.snapshots:
            sha.update(f"snapshots {self.snapshots} ".encode())
        for name, array in [*sorted(arrays.items()), *sorted(self.weights.items())]:
            sha.update(f"{name} {array.shape} ".encode())
            sha.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data)
        return sha.hexdigest()[:16]

    def networks(self) -> list[Architecture]:
        """Rebuild the network of every member with its trained weights, in eval mode.

        Raises:
            ModelError: the weights do not fit the spec.
        """
        with torch.random.fork_rng(devices=[]):  # the first weights are thrown away
            networks = [self._built(member) for member in range(self.spec.settings.members)]
        states = [weights_of(network) for network in networks]
        expected = {k: v.shape for k, v in join_members(states).items()}
        found = {k: v.shape for k, v in self.weights.items()}
        if expected != found:
            odd = sorted(k for k in expected.keys() | found if expected.get(k) != found.get(k))
            raise ModelError(
                f"the weights do not fit the network: {', '.join(odd)} differ in name or shape"
            )
        for member, network in enumerate(networks):
            prefix = _prefix(member, len(networks))
            put_weights(network, {k: self.weights[prefix + k] for k in states[member]})
        return [network.eval() for network in networks]

    def _built(self, member: int) -> Architecture:
        read_from = self.snapshots[member] if self.snapshots else (0,)
        if max(read_from) == 0:
            return self.spec.build()
        networks = [self.spec.build() for _ in range(max(read_from) + 1)]
        return Snapshots(networks, self.spec.tasks, read_from)

    def network(self) -> Architecture:
        """Rebuild the network, the first one of an ensemble.

        Raises:
            ModelError: the weights do not fit the spec.
        """
        return self.networks()[0]


def join_members(weights: Sequence[Mapping[str, F32]]) -> dict[str, F32]:
    """Return the members' weights in one mapping; a single member's names stay as they are."""
    return {
        _prefix(member, len(weights)) + name: array
        for member, own in enumerate(weights)
        for name, array in own.items()
    }


def _prefix(member: int, members: int) -> str:
    return "" if members == 1 else f"member{member}."


def weights_of(network: nn.Module) -> dict[str, F32]:
    """Copy parameters and running statistics out of a network, on whatever device it is.

    Integer counters are left out.
    """
    return {
        name: value.detach().cpu().numpy().copy()
        for name, value in network.state_dict().items()
        if value.is_floating_point()
    }


def put_weights(network: nn.Module, weights: Mapping[str, F32]) -> None:
    """Copy what `weights_of` gave back into a network."""
    copied = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
    network.load_state_dict(network.state_dict() | copied)

"""A trained model as plain data: what rebuilds the network, and how its training went.

Owns `ModelSpec` and `TrainedModel`. Rules: nothing here holds torch objects, so a model goes
through a pipe or a file unchanged; its id is a digest of all that decides a forecast.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from bot.blocks import F32, Task
from bot.config.sections import Model
from bot.errors import ModelError
from bot.model.architectures import ARCHITECTURES, Architecture
from bot.model.scaler import Scaler


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What rebuilds an untrained network: the settings, the number of features, the tasks."""

    settings: Model
    n_features: int
    tasks: tuple[Task, ...]

    def build(self) -> Architecture:
        """Build the network; its first weights come from torch's global generator."""
        builder = ARCHITECTURES[self.settings.architecture]
        return builder(self.settings, self.n_features, len(self.tasks))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        tasks = [{"kind": t.kind, "horizon": t.horizon, "symbol": t.symbol} for t in self.tasks]
        settings = self.settings.model_dump(mode="json")
        return {"settings": settings, "n_features": self.n_features, "tasks": tasks}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ModelSpec:
        """Read back what `to_json` gave.

        Raises:
            ModelError: something is missing, unknown or out of bounds.
        """
        try:
            tasks = tuple(Task(**task) for task in value["tasks"])
            settings = Model.model_validate(value["settings"])
            return cls(settings, int(value["n_features"]), tasks)
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
    """

    number: int
    train: tuple[float, ...]
    validation: tuple[float | None, ...]
    weights: tuple[float, ...]
    score: float


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model ready to forecast, to be pickled, or to be saved.

    Attributes:
        spec: what rebuilds the network.
        weights: float32 arrays by parameter name, running statistics of BatchNorm among them.
        scaler: fitted on the training rows.
        baselines: by task name, {'mean', 'rms'} of the training rows' labels (the mean of a
            direction is its base rate).
        metrics: rows, epochs run, best epoch, losses at the best epoch.
        history: every epoch.
        seed: what the training was seeded with.
    """

    spec: ModelSpec
    weights: Mapping[str, F32]
    scaler: Scaler
    baselines: Mapping[str, Mapping[str, float]]
    metrics: Mapping[str, Any]
    history: tuple[Epoch, ...]
    seed: int

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Return what the heads predict, in order."""
        return self.spec.tasks

    @property
    def model_id(self) -> str:
        """Return 16 hex digits of the SHA-256 over spec, scaler and weights (little-endian)."""
        sha = hashlib.sha256(json.dumps(self.spec.to_json(), sort_keys=True).encode())
        arrays = {f.name: getattr(self.scaler, f.name) for f in fields(self.scaler)}
        for name, array in [*sorted(arrays.items()), *sorted(self.weights.items())]:
            sha.update(f"{name} {array.shape} ".encode())
            sha.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data)
        return sha.hexdigest()[:16]

    def network(self) -> Architecture:
        """Rebuild the network with the trained weights, in eval mode.

        Raises:
            ModelError: the weights do not fit the spec.
        """
        with torch.random.fork_rng(devices=[]):  # the first weights are thrown away
            network = self.spec.build()
        state = network.state_dict()
        expected = {k: tuple(v.shape) for k, v in state.items() if v.is_floating_point()}
        found = {k: tuple(v.shape) for k, v in self.weights.items()}
        if expected != found:
            odd = sorted(k for k in expected.keys() | found if expected.get(k) != found.get(k))
            raise ModelError(
                f"the weights do not fit the network: {', '.join(odd)} differ in name or shape"
            )
        put_weights(network, self.weights)
        return network.eval()


def weights_of(network: Architecture) -> dict[str, F32]:
    """Copy parameters and running statistics out of a network; integer counters are left out."""
    return {
        name: value.detach().numpy().copy()
        for name, value in network.state_dict().items()
        if value.is_floating_point()
    }


def put_weights(network: Architecture, weights: Mapping[str, F32]) -> None:
    """Copy what `weights_of` gave back into a network."""
    copied = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
    network.load_state_dict(network.state_dict() | copied)

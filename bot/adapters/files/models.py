"""Models as files: `<model_id>.safetensors` with the numbers, the manifest with their story.

Owns the layout of a run's models/ folder. Rules: the id is a digest of the model, so a file never
changes its meaning; each file appears whole or not at all (temporary file, fsync, rename), and the
manifest last, so a model with a manifest is complete. What is damaged, foreign or unfit is refused
by name, never repaired.

The manifest's `safetensors_sha256` seals the file of the numbers.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bot.adapters.files.manifests import (
    FORMAT,
    VERSION,
    damaged,
    load_manifest,
    read_whole,
    sealed,
    shrinkage_of,
    trained_on,
)
from bot.adapters.system.atomic_file import replacing
from bot.errors import ModelError
from bot.model.scaler import Scaler
from bot.model.trained import Epoch, ModelSpec, TrainedModel

_WEIGHT, _SCALER = "weight.", "scaler."


def save_model(folder: Path, trained: TrainedModel, manifest_extra: Mapping[str, Any]) -> str:
    """Write a model into `folder` and return its id. Saving the same again changes nothing.

    Args:
        manifest_extra: JSON values that say where the model comes from: `features` (their names in
            order, required), and what the caller knows: hashes of config and data, due time, rows,
            span, parent.

    Raises:
        ModelError: `features` is missing or of another length than the model reads, or a key of
            `manifest_extra` is one of the manifest's own.
    """
    features = manifest_extra.get("features")
    if not isinstance(features, list | tuple) or len(features) != trained.spec.n_features:
        raise ModelError(
            f"manifest of a model: 'features' must name its {trained.spec.n_features} features in "
            f"order, it is {features!r}"
        )
    model_id = trained.model_id
    tensors = save(_tensors(trained), metadata={"format": FORMAT})
    own = {
        "format": FORMAT,
        "version": VERSION,
        "model_id": model_id,
        "safetensors_sha256": hashlib.sha256(tensors).hexdigest(),
        "tasks": [task.name for task in trained.spec.tasks],
        "spec": trained.spec.to_json(),
        "baselines": {name: dict(value) for name, value in trained.baselines.items()},
        "metrics": dict(trained.metrics),
        "history": [asdict(epoch) for epoch in trained.history],
        "seed": trained.seed,
        "insights": [dict(member) for member in trained.insights],
        "snapshots": [list(member) for member in trained.snapshots],
        "shrinkage": {name: each.to_json() for name, each in trained.shrinkage.items()},
        "reach": trained.reach,
        "trained_on": dict(trained.trained_on),
    }
    taken = sorted(manifest_extra.keys() & {*own, "manifest_sha256"})
    if taken:
        raise ModelError(f"manifest of a model: {', '.join(taken)} may not be given from outside")
    _write(folder / f"{model_id}.safetensors", tensors)
    _write(folder / f"{model_id}.json", sealed({**own, **manifest_extra}))
    return model_id


def load_model(folder: Path, model_id: str) -> tuple[TrainedModel, dict[str, Any]]:
    """Read a model back and prove it whole; return it with its manifest.

    Raises:
        ModelError: a file is missing, damaged, foreign, or unfit; the message names it.
    """
    manifest_path = folder / f"{model_id}.json"
    tensors_path = folder / f"{model_id}.safetensors"
    manifest = load_manifest(folder, model_id)
    content = read_whole(tensors_path)
    if hashlib.sha256(content).hexdigest() != manifest.get("safetensors_sha256"):
        raise damaged(tensors_path, "its SHA-256 is not the one in the manifest")
    try:
        trained = _trained(manifest, load(content))
        trained.networks()  # the weights fit the network, or it says which do not
    except ModelError as error:
        raise ModelError(f"{manifest_path}: {error}; restore it or retrain") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise damaged(tensors_path, f"it does not hold what the manifest says ({error})") from error
    if not manifest.get("model_id") == trained.model_id == model_id:
        raise damaged(manifest_path, "its model_id is not that of its content")
    return trained, manifest


def _tensors(trained: TrainedModel) -> dict[str, npt.NDArray[Any]]:
    """Return every array under the name it has in the file."""
    scaler = trained.scaler
    arrays = {
        _SCALER + f.name: getattr(scaler, f.name)
        for f in fields(scaler)
        if len(getattr(scaler, f.name))
    }
    arrays |= {_WEIGHT + name: array for name, array in trained.weights.items()}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _trained(manifest: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> TrainedModel:
    """Rebuild the model from both files."""
    spec = ModelSpec.from_json(manifest["spec"])
    scaler = Scaler(
        **{
            f.name: tensors[_SCALER + f.name].astype(np.float64)
            for f in fields(Scaler)
            if f.default_factory is MISSING or _SCALER + f.name in tensors
        }
    )
    return TrainedModel(
        spec=spec,
        weights={
            name.removeprefix(_WEIGHT): array.astype(np.float32)
            for name, array in tensors.items()
            if name.startswith(_WEIGHT)
        },
        scaler=scaler,
        baselines=manifest["baselines"],
        metrics=manifest["metrics"],
        history=tuple(_epoch(value) for value in manifest["history"]),
        seed=int(manifest["seed"]),
        insights=tuple(manifest.get("insights", ())),
        snapshots=tuple(tuple(map(int, each)) for each in manifest.get("snapshots", ())),
        shrinkage=shrinkage_of(manifest),
        reach=manifest.get("reach"),
        trained_on=trained_on(manifest),
    )


def _epoch(value: Mapping[str, Any]) -> Epoch:
    return Epoch(
        number=int(value["number"]),
        train=tuple(value["train"]),
        validation=tuple(value["validation"]),
        weights=tuple(value["weights"]),
        score=float(value["score"]),
        cosines=tuple(tuple(row) for row in value.get("cosines", ())),
    )


def _write(path: Path, content: bytes) -> None:
    """Put a whole file in place, and its name on the disk too."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

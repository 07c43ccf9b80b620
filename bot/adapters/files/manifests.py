"""A model's manifest, `<model_id>.json`: its story, sealed.

Owns the format's name and version and the seal: `manifest_sha256` is of all other fields. Rule: it
is read without torch, so that `bot status` answers at once; the numbers themselves are of `models`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.errors import ModelError
from bot.model.shrinkage import Shrinkage

FORMAT = "mtl-paper-bot/model"
VERSION = 1
SUFFIXES = frozenset({".json", ".safetensors"})
"""Of the two files of a model."""


def load_manifest(folder: Path, model_id: str) -> dict[str, Any]:
    """Read a model's manifest and check its seal, byte for byte.

    Raises:
        ModelError: it is missing, damaged, foreign, or of another version.
    """
    path = folder / f"{model_id}.json"
    content = read_whole(path)
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise damaged(path, f"it is not JSON ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelError(f"{path}: is no model of this bot; take it out of the folder")
    if manifest.get("version") != VERSION:
        raise ModelError(
            f"{path}: has format version {manifest.get('version')}, this bot reads {VERSION}; "
            "retrain, or use the version of the bot that wrote it"
        )
    rest = {key: value for key, value in manifest.items() if key != "manifest_sha256"}
    try:
        whole = sealed(rest) == content
    except ValueError:  # a number or a letter that this bot never writes
        whole = False
    if not whole:
        raise damaged(path, "its content does not match its own SHA-256")
    return rest


def manifest_sha256(folder: Path, model_id: str) -> str | None:
    """Return SHA-256 over a model's manifest as it lies there, None where there is none."""
    path = folder / f"{model_id}.json"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def half_saved(folder: Path) -> list[Path]:
    """Return what trainings left that were killed between their two files: no models, never loaded."""
    found = sorted(folder.glob("*.safetensors"))
    return [path for path in found if path.is_file() and not path.with_suffix(".json").exists()]


def _text(value: Mapping[str, Any]) -> bytes:
    """Return JSON that is the same bytes for the same value, with every float exact."""
    return (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def sealed(manifest: Mapping[str, Any]) -> bytes:
    """Return the manifest's text with the digest of all its other fields in it."""
    seal = hashlib.sha256(_text(manifest)).hexdigest()
    return _text({**manifest, "manifest_sha256": seal})


def read_whole(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        ModelError: it is missing.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{path}: is missing; restore it or retrain") from error


def damaged(path: Path, what: str) -> ModelError:
    """Return the error of a file that is not as it was written."""
    return ModelError(f"{path}: is damaged, {what}; restore it from a copy or retrain")


def shrinkage_of(manifest: Mapping[str, Any]) -> dict[str, Shrinkage]:
    """Return what a model's forecasts are shrunk by, by task name; models of before have none."""
    return {
        name: Shrinkage.from_json(value) for name, value in manifest.get("shrinkage", {}).items()
    }


def trained_on(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return where a model was trained: `device`, and of a GPU its `name` and torch's `cuda`.

    Models of before say nothing: there was the CPU alone.

    Raises:
        ModelError: it is no such thing.
    """
    told = manifest.get("trained_on", {"device": "cpu"})
    if not isinstance(told, dict) or not isinstance(told.get("device"), str):
        raise ModelError(f"trained_on = {told!r} does not say where the model was trained")
    return told

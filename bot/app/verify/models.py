"""A run's models: their files, their rows in the journal, and when they may decide.

Rules: a model decides at its due bar plus `retrain.latency_bars` at the earliest, and is late beyond
that; its manifest is the one that stood there when it was activated. Files of models that never
decided are whole as well, but for what a training leaves that is killed between its two files. Must not load what is not proved.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.adapters.files.manifests import SUFFIXES, half_saved, manifest_sha256
from bot.adapters.files.models import load_model
from bot.adapters.record.contents import ModelRow
from bot.adapters.record.difference import Difference
from bot.adapters.record.reading import Record
from bot.adapters.system.atomic_file import is_unfinished
from bot.app.loop.forecasters import TABLE_ID
from bot.app.runs.folder import RunFolder
from bot.config import Config
from bot.errors import ModelError
from bot.timegrid import INTERVAL_MS


def check_models(
    folder: RunFolder, config: Config, record: Record, models: Sequence[ModelRow]
) -> Difference | None:
    """Return the first model that is not what the journal says."""
    before: ModelRow | None = None
    unsealed = _unsealed(record)
    for row in models:
        difference = _order(row, before) or _model(folder, config, record, row)
        difference = difference or (_seal(folder, row) if row.position > unsealed else None)
        if difference is not None:
            return difference
        before = row
    return _others(folder, {row.model_id for row in models})


def _order(row: ModelRow, before: ModelRow | None) -> Difference | None:
    at: Any = row.effective_from
    if not isinstance(at, int):
        return Difference(
            "models", "effective_from", None, symbol=None, stored=at, replayed="an open time"
        )
    if before is not None and at <= before.effective_from:
        expected = f"after {before.effective_from}"
        return Difference("models", "effective_from", at, symbol=None, stored=at, replayed=expected)
    return None


def _model(folder: RunFolder, config: Config, record: Record, row: ModelRow) -> Difference | None:
    if row.model_id == TABLE_ID and TABLE_ID in record.meta:
        return None
    at = row.effective_from
    try:
        _, manifest = load_model(folder.models, row.model_id)
    except ModelError as error:
        return Difference(
            "models", "file", at, symbol=None, stored=str(error), replayed=f"model {row.model_id}"
        )
    due = manifest.get("due_ms")
    if not isinstance(due, int):
        return Difference(
            "models",
            "file",
            at,
            symbol=None,
            stored=f"due_ms {due!r}",
            replayed="a manifest of a training",
        )
    live = record.meta.get("mode") == "live"
    expected = None if "schedule_of" in record.meta else due  # another run's models have none here
    if row.due != expected:
        return Difference("models", "due", at, symbol=None, stored=row.due, replayed=expected)
    planned = due + config.retrain.latency_bars * INTERVAL_MS[config.market.interval]
    own = row.due is not None and row.model_id != record.meta.get("given_model")
    if own and at < planned:
        allowed = f"{planned} or later: due at {due}, retrain.latency_bars behind it"
        return Difference("models", "effective_from", at, symbol=None, stored=at, replayed=allowed)
    late = live and at > planned
    if row.late != late:
        return Difference("models", "late", at, symbol=None, stored=row.late, replayed=late)
    return None


def _unsealed(record: Record) -> int:
    """Return how many models were activated before journals kept the digest of a manifest."""
    builds = record.builds()
    if not builds:
        return len(record.models())
    carried = builds[0].carried(record.path)
    return 0 if carried is None else len(carried.arrays["engine.model_id"])


def _seal(folder: RunFolder, row: ModelRow) -> Difference | None:
    sealed = manifest_sha256(folder.models, row.model_id)
    if row.manifest_sha256 == sealed:
        return None
    at = row.effective_from
    return Difference(
        "models", "manifest_sha256", at, symbol=None, stored=row.manifest_sha256, replayed=sealed
    )


def _others(folder: RunFolder, known: set[str]) -> Difference | None:
    """Return the first entry of models/ that is of no whole model, though none of it ever decided."""
    paths: list[Path] = sorted(folder.models.iterdir()) if folder.models.is_dir() else []
    half = half_saved(folder.models)
    for path in paths:
        if is_unfinished(path) or path in half:
            continue  # nothing loads it
        if path.suffix not in SUFFIXES or not path.is_file():
            return _file(f"models/{path.name}", "none such: it does not belong to the run")
        if path.stem in known:
            continue
        try:
            load_model(folder.models, path.stem)
        except ModelError as error:
            return _file(str(error), "a model of the run")
    return None


def _file(stored: str, replayed: str) -> Difference:
    return Difference("models", "file", None, symbol=None, stored=stored, replayed=replayed)

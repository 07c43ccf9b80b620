"""A run's models: when each decides, what it was trained on, and what its training reported."""

from __future__ import annotations

from typing import Any

from bot.adapters.files.manifests import load_manifest
from bot.adapters.record.contents import ModelRow
from bot.app.loop.table_id import TABLE_ID
from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.errors import BotError
from bot.serve.api.tables import finite


def models_of(folder: RunFolder) -> list[dict[str, Any]]:
    """Return the run's schedule, oldest first.

    Raises:
        JournalError: the run cannot be read.
    """
    with open_record(folder, follow=True) as record:
        rows = record.models()
    return [_told(folder, row) for row in rows]


def _told(folder: RunFolder, row: ModelRow) -> dict[str, Any]:
    head = {
        "model_id": row.model_id, "effective_from": row.effective_from, "due": row.due,
        "late": row.late,
    }  # fmt: skip
    nothing = dict.fromkeys(("rows", "train_from", "train_to", "metrics"))
    if row.model_id == TABLE_ID:
        return head | nothing | {"fault": "forecasts of a file, no model"}
    try:
        manifest = load_manifest(folder.models, row.model_id)
    except BotError as error:
        return head | nothing | {"fault": str(error)}
    metrics = {k: v for k, v in manifest["metrics"].items() if isinstance(v, int | float)}
    return head | {
        "rows": int(manifest["rows"]),
        "train_from": int(manifest["first_ms"]),
        "train_to": int(manifest["last_ms"]),
        "metrics": {name: finite(value) for name, value in metrics.items()},
        "fault": "",
    }

"""A run's forecasts shrunk, each as the manifest of its model says.

Rules: the record holds what the heads gave; whoever shows or judges a forecast asks here. Reads manifests
only, never a model.
"""

from __future__ import annotations

from bot.adapters.files.manifests import load_manifest, shrinkage_of
from bot.adapters.record.reading import Record
from bot.app.loop.table_id import TABLE_ID
from bot.app.runs.folder import RunFolder
from bot.blocks import F64, I64
from bot.model.shrinkage import shrunk


def shrunk_forecasts(folder: RunFolder, record: Record, value: F64, model: I64) -> F64:
    """Return forecasts float64[n, S, K] shrunk.

    Args:
        value: as the heads gave them.
        model: int64[n], the model of each bar in the schedule, -1 for none.
    """
    found = value.copy()
    for m, row in enumerate(record.models()):
        bars = model == m
        if row.model_id != TABLE_ID and bars.any():
            shrinkage = shrinkage_of(load_manifest(folder.models, row.model_id))
            found[bars] = shrunk(shrinkage, record.tasks, value[bars])
    return found

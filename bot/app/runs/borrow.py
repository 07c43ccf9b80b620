"""What one run takes from another: `bot backtest --schedule RUN`, `bot run --model RUN`.

Rules: what the command line or a file sets wins over the run's own; the run's bars decide the span,
so that the same candles meet the same decisions.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.adapters.files.models import load_model
from bot.app.loop.forecasters import TABLE_ID
from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.in_force import instruments_of_record
from bot.app.runs.record import open_record
from bot.config.given import read_toml
from bot.config.renamed import translated
from bot.engine_state import Activation
from bot.errors import DataError
from bot.portfolio.instruments import Instrument
from bot.practice.synthetic import START_MS
from bot.timegrid import INTERVAL_MS
from bot.timestamps import format_utc


@dataclass(frozen=True)
class Recorded:
    """What a run has recorded: first bar, first traded bar, last booked bar, all ms UTC."""

    folder: RunFolder
    activations: tuple[Activation, ...]
    instruments: Mapping[str, Instrument]
    first: int
    start: int
    last: int


def read_recorded(folder: RunFolder) -> Recorded:
    """Read a run's schedule.

    Raises:
        DataError: it has activated no model, or booked no bar.
    """
    with open_record(folder) as record:
        rows = [row for row in record.models() if row.model_id != TABLE_ID]
        extent, first = record.extent(), record.span("bars").first
        if not rows or extent is None:
            raise DataError(f"{folder.path}: this run has activated no model; nothing to replay")
        return Recorded(
            folder,
            tuple(Activation(row.effective_from, row.model_id) for row in rows),
            instruments_of_record(record),
            first=extent.first if first is None else first,
            start=extent.first,
            last=extent.last,
        )


def recorded_settings(recorded: Recorded) -> dict[str, dict[str, Any]]:
    """Return the run's settings, with the span of its bars, as the base of a replay.

    A run on a practice exchange inside is replayed on the same synthetic market.
    """
    settings: dict[str, dict[str, Any]] = translated(read_toml(recorded.folder.config))
    config = config_of(recorded.folder)
    data = settings.setdefault("data", {})
    if config.exchange.source == "practice" and not config.exchange.rest_url:
        data["source"] = "synthetic"
        step = INTERVAL_MS[config.market.interval]
        bars = (recorded.last - START_MS) // step + 1
        settings.setdefault("synthetic", {})["bars"] = bars
    data["history_start"] = format_utc(recorded.first)
    data["start"] = format_utc(recorded.start)
    data["end"] = format_utc(recorded.last)
    return settings


def take_last_model(run: RunFolder, folder: RunFolder) -> str:
    """Copy the model that was last in force in a run; return its id.

    Raises:
        DataError: it has activated none.
        ModelError: its files are damaged.
    """
    with open_record(run) as record:
        ids = [row.model_id for row in record.models() if row.model_id != TABLE_ID]
    if not ids:
        raise DataError(f"{run.path}: this run has activated no model to begin with")
    load_model(run.models, ids[-1])
    for path in sorted(run.models.glob(f"{ids[-1]}.*")):
        shutil.copy2(path, folder.models / path.name)
    return ids[-1]


def take_models(recorded: Recorded, folder: RunFolder, first: int) -> list[Activation]:
    """Copy the run's models, and return its activations from the bar `first` on.

    The model in force at `first` decides from there.
    """
    for path in sorted(recorded.folder.models.iterdir()):
        shutil.copy2(path, folder.models / path.name)
    inherited = [a for a in recorded.activations if a.effective_from <= first][-1:]
    later = [a for a in recorded.activations if a.effective_from > first]
    return [*(Activation(first, a.model_id) for a in inherited), *later]

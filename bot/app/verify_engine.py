"""The engine of a replay: the run's settings, instruments and models, each proved before it is used.

Rule: nothing comes from outside the run's folder. Must not ask the journal for features; forecasts
are asked for only where they came from a file, since then nothing else knows them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bot.adapters.instruments import instruments_of
from bot.adapters.journal_reader import ModelRow
from bot.adapters.journal_snapshot import EARLIEST, LATEST, JournalSnapshot
from bot.adapters.registry import load_manifest, load_model
from bot.app.forecasters import TABLE_ID, ModelForecaster, TableForecaster
from bot.app.run_folder import RunFolder
from bot.app.verify_rows import Difference
from bot.config import Config
from bot.engine import Engine, Forecaster
from bot.errors import ModelError
from bot.features.pipeline import FeaturePipeline
from bot.portfolio.rules import rules_from
from bot.timegrid import INTERVAL_MS


def check_models(
    folder: RunFolder, config: Config, snapshot: JournalSnapshot, models: Sequence[ModelRow]
) -> Difference | None:
    """Return what is wrong with the first model that is not what the journal says."""
    live = snapshot.meta.get("mode") == "live"
    latency_ms = config.retrain.latency_bars * INTERVAL_MS[config.market.interval]
    before: ModelRow | None = None
    for row in models:
        at = row.effective_from
        if before is not None and at <= before.effective_from:
            return Difference(
                "models", "effective_from", at, None, at, f"after {before.effective_from}"
            )
        before = row
        if row.model_id == TABLE_ID and TABLE_ID in snapshot.meta:
            continue
        try:
            load_model(folder.models, row.model_id)
            due = int(load_manifest(folder.models, row.model_id)["due_ms"])
        except ModelError as error:
            return Difference("models", "file", at, None, str(error), f"model {row.model_id}")
        if row.due is not None and row.due != due:
            return Difference("models", "due", at, None, row.due, due)
        late = live and at > due + latency_ms
        if row.late != late:
            return Difference("models", "late", at, None, row.late, late)
    return None


def replay_engine(
    folder: RunFolder, config: Config, snapshot: JournalSnapshot, models: Sequence[ModelRow]
) -> Engine:
    """Build the engine that the run had.

    Raises:
        ModelError: a model has other features or targets than the run.
        DataError: the instruments in the journal are damaged.
    """
    symbols, tasks = snapshot.symbols, snapshot.tasks
    from_file = TABLE_ID in snapshot.meta
    interval_ms = INTERVAL_MS[config.market.interval]
    pipeline = None if from_file else FeaturePipeline(config.features, symbols, interval_ms)
    instruments = instruments_of(
        snapshot.meta.get("instruments", "{}"), f"{folder.journal}: meta.instruments is damaged"
    )
    forecasters: dict[str, Forecaster] = {}
    for row in models:
        if from_file:
            forecasters[row.model_id] = _given(snapshot)
        elif pipeline is not None:
            trained, manifest = load_model(folder.models, row.model_id)
            forecasters[row.model_id] = ModelForecaster(
                trained, list(manifest["features"]), pipeline.names, tasks, row.model_id
            )
    return Engine(
        pipeline, rules_from(config, symbols, instruments), config.signal.factor, tasks,
        len(symbols), config.portfolio.initial_capital, forecasters,
    )  # fmt: skip


def _given(snapshot: JournalSnapshot) -> TableForecaster:
    """Return the forecasts in the journal; a row of a bar that is not there is left to compare."""
    times, symbols = snapshot.bar_times(), snapshot.symbols
    value = np.full((len(times), len(symbols), len(snapshot.tasks)), np.nan)
    place = {time: i for i, time in enumerate(times.tolist())}
    which = {name: s for s, name in enumerate(symbols)}
    for time, symbol, _, *numbers in snapshot.rows("forecasts", EARLIEST, LATEST):
        if time in place and symbol in which:
            value[place[time], which[symbol]] = numbers
    return TableForecaster(times, value)

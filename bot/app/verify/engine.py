"""The engine of a replay: the run's settings, instruments and models, each proved before it is used.

Rule: nothing comes from outside the run's folder. Must not ask the journal for features; forecasts
are asked for only where they came from a file, since then nothing else knows them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bot.adapters.files.instruments import instruments_of
from bot.adapters.files.models import load_model
from bot.adapters.journal.reader import ModelRow
from bot.adapters.journal.replayed import JournalTwin
from bot.adapters.journal.snapshot import EARLIEST, LATEST, JournalSnapshot
from bot.app.loop.forecasters import TABLE_ID, ModelForecaster, TableForecaster
from bot.app.runs.folder import RunFolder
from bot.blocks import BarBlock
from bot.config import Config
from bot.engine import Engine, Forecaster, StepResult
from bot.engine_state import Activation, EngineState
from bot.errors import JournalError
from bot.features.pipeline import FeaturePipeline
from bot.portfolio.rules import rules_from
from bot.portfolio.trace import Trace
from bot.timegrid import INTERVAL_MS


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
    lookback = config.model.bars_read
    pipeline = None
    if not from_file:
        pipeline = FeaturePipeline(config.features, symbols, interval_ms, lookback)
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
                trained,
                list(manifest["features"]),
                pipeline.names,
                tasks=tasks,
                model_id=row.model_id,
                lookback=lookback,
                symbols=symbols,
            )
    return Engine(
        pipeline,
        rules_from(config, symbols, instruments),
        config.signal,
        tasks=tasks,
        n_symbols=len(symbols),
        initial_capital=config.portfolio.initial_capital,
        forecasters=forecasters,
    )


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


def start_of(snapshot: JournalSnapshot) -> int:
    """Return the open time of the first bar that is booked; behind all bars before there is one."""
    told = snapshot.meta.get("start")
    if told is None:
        return LATEST
    try:
        return int(told)
    except ValueError:
        raise JournalError(
            f"{snapshot.path}: meta.start is {told!r}, expected an open time; restore a copy"
        ) from None


class TwinRecorder:
    """Write a replay into its twin."""

    def __init__(self, twin: JournalTwin) -> None:
        self._journal = twin.journal

    def warmed(self, block: BarBlock, state: EngineState) -> None:
        """Write nothing: bars are compared by their hashes."""

    def opened(self, block: BarBlock, trace: Trace, state: EngineState) -> None:
        """Write the fills of an open."""
        del block, state
        self._journal.write_fills(trace.fills)

    def closed(self, results: list[StepResult], state: EngineState, *, opened: bool) -> None:
        """Write closed bars."""
        for k, result in enumerate(results):
            self._journal.write_close(result, state.schedule, opened=opened and k == 0)

    def activated(self, activation: Activation, due: int | None, *, late: bool) -> None:
        """Write nothing: the schedule is given."""

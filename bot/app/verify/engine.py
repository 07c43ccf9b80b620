"""The engine of a replay: the run's settings, instruments and models, each proved before it is used.

Rule: nothing comes from outside the run's folder. Must not ask the record for features; forecasts
are asked for only where they came from a file, since then nothing else knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np

from bot.adapters.files.instruments import instruments_of
from bot.adapters.record.column_arrays import ColumnsAsArrays
from bot.adapters.record.commands import CommandRow
from bot.adapters.record.contents import ModelRow
from bot.adapters.record.memory import MemoryRecord
from bot.adapters.record.reading import Record
from bot.adapters.record.tables import LATEST
from bot.app.loop.forecasters import TABLE_ID, TableForecaster, read_forecaster
from bot.app.runs.folder import RunFolder
from bot.app.runs.in_force import rules_of_run
from bot.blocks import BarBlock
from bot.config import Config
from bot.engine import Engine, StepResult
from bot.engine_state import Activation, EngineState
from bot.errors import JournalError
from bot.features.pipeline import FeaturePipeline
from bot.model.forecaster import Forecaster
from bot.portfolio.instruments import Instrument
from bot.portfolio.trace import Trace
from bot.timegrid import INTERVAL_MS

Engines = Callable[[int], Engine]
"""By how many symbols were in the run."""


def replay_engines(
    folder: RunFolder, config: Config, record: Record, models: Sequence[ModelRow]
) -> Engines:
    """Return what builds the engine that the run had when so many symbols were in it."""
    return cache(partial(_replay_engine, folder, config, record, models))


def _replay_engine(
    folder: RunFolder, config: Config, record: Record, models: Sequence[ModelRow], count: int
) -> Engine:
    """Build the engine that the run had.

    Raises:
        ModelError: a model has other features or targets than the run.
        DataError: the instruments in the journal are damaged.
    """
    symbols, tasks = record.symbols[:count], record.tasks
    from_file = TABLE_ID in record.meta
    interval_ms = INTERVAL_MS[config.market.interval]
    lookback = config.model.bars_read
    pipeline = None
    if not from_file:
        pipeline = FeaturePipeline(config.features, symbols, interval_ms, lookback)
    forecasters: dict[str, Forecaster] = {}
    for row in models:
        if from_file:
            forecasters[row.model_id] = _given(record)
        elif pipeline is not None:
            forecasters[row.model_id], _ = read_forecaster(
                folder.models, row.model_id, features=pipeline.names, tasks=tasks,
                lookback=lookback, symbols=symbols,
            )  # fmt: skip
    return Engine(
        pipeline,
        rules_of_run(config, symbols, instruments_in(folder, record)),
        config.signal,
        tasks=tasks,
        n_symbols=len(symbols),
        initial_capital=config.portfolio.initial_capital,
        forecasters=forecasters,
    )


def instruments_in(folder: RunFolder, record: Record) -> dict[str, Instrument]:
    """Return the instruments that the run was made with.

    Raises:
        DataError: they are damaged.
    """
    return instruments_of(
        record.meta.get("instruments", "{}"), f"{folder.journal}: meta.instruments is damaged"
    )


def _given(record: Record) -> TableForecaster:
    """Return the forecasts in the journal; a row of a bar that is not there is left to compare."""
    times, symbols = record.bar_times(), record.symbols
    if isinstance(record, ColumnsAsArrays):
        return TableForecaster(times, record.forecasts(times)[0])
    value = np.full((len(times), len(symbols), len(record.tasks)), np.nan)
    place = {time: i for i, time in enumerate(times.tolist())}
    which = {name: s for s, name in enumerate(symbols)}
    for time, symbol, _, *numbers in record.rows("forecasts"):
        if time in place and symbol in which:
            value[place[time], which[symbol]] = numbers
    return TableForecaster(times, value)


def start_of(record: Record) -> int:
    """Return the open time of the first bar that is booked; behind all bars before there is one."""
    start = record.meta.get("start")
    if start is None:
        return LATEST
    try:
        return int(start)
    except ValueError:
        raise JournalError(
            f"{record.path}: meta.start is {start!r}, expected an open time; restore a copy"
        ) from None


class ReplayRecorder:
    """Write a replay into a record in memory."""

    def __init__(self, record: MemoryRecord) -> None:
        self._record = record

    def warmed(self, block: BarBlock, state: EngineState) -> None:
        """Write nothing: bars are compared by their hashes."""

    def opened(self, block: BarBlock, trace: Trace, state: EngineState) -> None:
        """Write the fills of an open."""
        del block, state
        self._record.write_fills(trace.fills)

    def closed(self, results: list[StepResult], state: EngineState, *, opened: bool) -> None:
        """Write closed bars."""
        for k, result in enumerate(results):
            self._record.write_close(result, state.schedule, opened=opened and k == 0)

    def activated(self, activation: Activation, due: int | None, *, late: bool) -> None:
        """Write nothing: the schedule is given."""

    def commanded(self, command: CommandRow, state: EngineState) -> None:
        """Write the command, which the next link takes in."""
        del state
        self._record.write_command(command)

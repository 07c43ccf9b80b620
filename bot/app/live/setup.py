"""The daemon's start: make a run or resume one, always from what the journal has committed.

Rules: there is one start. A new journal and an old one differ only in the state they hold; what was
not committed has not happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.adapters.files.instruments import instruments_of, instruments_text
from bot.adapters.record.commands import CommandRow
from bot.adapters.record.reading import Record
from bot.adapters.record.writing import RunWriter
from bot.adapters.system.build import present_build
from bot.app.live.committed import CommittedRun
from bot.app.live.decidable import newest_undecidable
from bot.app.live.models import LiveModels, check_given
from bot.app.live.recorder import LiveRecorder
from bot.app.live.resume_check import check_resumable
from bot.app.live.retraining import LiveTraining
from bot.app.loop.forecasters import read_forecaster
from bot.app.loop.runner import Runner
from bot.app.loop.stopwatch import Stopwatch
from bot.app.loop.warmup import compile_account
from bot.app.runs.carried_state import carried_state
from bot.app.runs.folder import RunFolder, config_hash, config_text
from bot.app.runs.in_force import (
    config_in_force,
    due_bars,
    instruments_in_force,
    rules_of_run,
)
from bot.app.runs.own_parts import check_parts
from bot.app.runs.record import begin_record, go_on_with_record, open_record
from bot.blocks import BarBlock
from bot.config import Config
from bot.engine import Engine
from bot.engine_state import EngineState, state_to_arrays
from bot.errors import DataError, JournalError
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.model.forecaster import Forecaster
from bot.plausibility import Prices
from bot.portfolio.broker import first_book
from bot.portfolio.calibration import new_calibration
from bot.portfolio.instruments import Instrument
from bot.portfolio.rules import rules_from
from bot.timegrid import INTERVAL_MS


def open_run(
    config: Config, folder: RunFolder, instruments: dict[str, Instrument], log: Any,
    given_model: str | None = None, now_ms: int = 0,
) -> tuple[CommittedRun, LiveModels]:  # fmt: skip
    """Make the run's journal, or open it with the state it has committed.

    Args:
        given_model: that a new run begins with; it is in the run's folder.
        now_ms: the exchange's time, where such a model is given.

    Raises:
        ConfigError: the given model would know the future.
        JournalError: the journal is damaged, or of other symbols or targets.
    """
    interval_ms = INTERVAL_MS[config.market.interval]
    digest, made = config_hash(config), config
    config = with_all_symbols(config, folder)
    symbols = config.market.symbols
    pipeline = FeaturePipeline(config.features, symbols, interval_ms, config.model.bars_read)
    tasks = target_tasks(config.targets)
    forecasters: dict[str, Forecaster] = {}
    if folder.journal.exists():
        _check_before_taking_over(config, folder, pipeline)
        journal = go_on_with_record(folder, symbols, tasks)
    else:
        if given_model is not None:  # refused before anything is recorded
            _, due = read_forecaster(
                folder.models, given_model, features=pipeline.names, tasks=tasks,
                lookback=config.model.bars_read, symbols=config.market.symbols,
            )  # fmt: skip
            check_given(given_model, due, newest_undecidable(config, now_ms))
        meta = {
            "mode": "live", "interval": config.market.interval, "venue": config.market.venue,
            "config_hash": digest, "data": config.exchange.source,
            "instruments": instruments_text(instruments), "config_toml": config_text(folder),
        } | ({"given_model": given_model} if given_model else {})  # fmt: skip
        journal = begin_record(folder, symbols, tasks, meta, durable=True)
    # the instruments of the record and no others: a replay must round as the run did
    stages = Stopwatch()
    found = _committed(folder, interval_ms, first_state(config, pipeline))
    in_force = config_in_force(made, found.commands)
    known = _known_instruments(journal, folder, symbols, found.commands)
    engine = Engine(
        pipeline, rules_of_run(in_force, symbols, known), config.signal, tasks,
        n_symbols=len(symbols), initial_capital=config.portfolio.initial_capital,
        forecasters=forecasters, stage_ended=stages.ended,
    )  # fmt: skip
    compile_account(engine.rules, log)
    state = found.state
    _note_build(journal, state, log)
    run = CommittedRun(
        in_force, folder, journal=journal, runner=Runner(engine, state, LiveRecorder(journal), None),
        stages=stages, start=found.start, first_bar=found.first_bar, opened_row=found.opened_row,
        prices=found.prices, commands=found.commands, instruments=known, symbols=symbols,
    )  # fmt: skip
    training = LiveTraining(
        config, config_hash=digest, features=pipeline.names, folder=folder,
        parent_due_ms=found.trained_until, log=log, due_bars=due_bars(config, found.commands),
    )  # fmt: skip
    models = LiveModels(
        run, training, forecasters=forecasters, names=pipeline.names, tasks=tasks,
        trained_until=found.trained_until, given=found.given, log=log,
    )  # fmt: skip
    return run, models


def _note_build(journal: RunWriter, state: EngineState, log: Any) -> None:
    """Record and tell that another build continues from this state, where one does."""
    with journal.transaction():
        seam = journal.begin_stretch(None if state.newest is None else state_to_arrays(state))
    if seam:
        log.info("build_changed", build=str(present_build()), last_bar=state.newest)


def _check_before_taking_over(config: Config, folder: RunFolder, pipeline: FeaturePipeline) -> None:
    """Refuse a journal that this process cannot go on with, while it still is as it was."""
    with open_record(folder) as old:
        builds = old.builds()
        check_parts(config, builds[-1].made_by if builds else "", folder.path)
        _state_of(old, folder, first_state(config, pipeline))


def with_all_symbols(config: Config, folder: RunFolder) -> Config:
    """Return the settings with all symbols that are in the run, whatever has joined it or left."""
    if not folder.journal.exists():
        return config
    with open_record(folder) as record:
        symbols = record.symbols
    market = config.market.model_copy(update={"symbols": symbols})
    return config.model_copy(update={"market": market})


def _known_instruments(
    journal: RunWriter, folder: RunFolder, symbols: tuple[str, ...], commands: Sequence[CommandRow]
) -> dict[str, Instrument]:
    """Return the instruments that the run knows; a run without them would round anew.

    Raises:
        JournalError: they are damaged, or one is missing.
    """
    where = f"{folder.journal}: meta.instruments"
    try:
        kept = instruments_of(journal.meta("instruments"), where)
    except DataError as error:
        raise JournalError(f"{error}; restore a copy, or begin a new run") from None
    kept = instruments_in_force(kept, commands)
    missing = [symbol for symbol in symbols if symbol not in kept]
    if missing:
        raise JournalError(
            f"{where} has no {', '.join(missing)}: the journal is damaged or was changed; restore a "
            "copy, or begin a new run"
        )
    return kept


def first_state(config: Config, pipeline: FeaturePipeline) -> EngineState:
    """Return the state before the first bar, which shows how a committed one must look."""
    rules = rules_from(config, config.market.symbols)
    return EngineState(
        pipeline.initial(),
        first_book(rules, config.portfolio.initial_capital),
        new_calibration(len(config.market.symbols), rules.horizon),
    )


def _state_of(record: Record, folder: RunFolder, initial: EngineState) -> EngineState:
    carried = record.carried()
    return initial if carried is None else carried_state(carried, folder.journal, initial)


@dataclass(frozen=True)
class _Found:
    """What the journal has committed; `trained_until` and `given` as `LiveModels` takes them."""

    state: EngineState
    start: int | None
    first_bar: int | None
    opened_row: BarBlock | None
    trained_until: int | None
    given: str | None
    prices: Prices
    commands: list[CommandRow]


def _committed(folder: RunFolder, interval_ms: int, initial: EngineState) -> _Found:
    with open_record(folder) as record:
        state = _state_of(record, folder, initial)
        check_resumable(folder, record, state, interval_ms)
        start = record.meta.get("start")
        given = record.meta.get("given_model")
        dues = [row.due for row in record.models() if row.due is not None]
        if given is not None:
            # it may have decided in the rehearsal: nothing that was due before the start is trained
            begun = state.last_open if start is None else int(start) - interval_ms
            dues += [max(a.effective_from, begun) for a in state.schedule if a.model_id == given]
        return _Found(
            state=state,
            start=int(start) if start else None,
            first_bar=record.span("bars").first,
            opened_row=record.bars(after=state.last_open - 1) if state.opened else None,
            trained_until=max(dues, default=None),
            given=given,
            prices=record.last_prices(),
            commands=record.commands(),
        )

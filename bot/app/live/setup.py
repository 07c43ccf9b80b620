"""The daemon's start: make a run or take up one, always from what the journal has committed.

Rules: there is one start. A new journal and an old one differ only in the state they hold; what was
not committed has not happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.adapters.files.instruments import instruments_of, instruments_text
from bot.adapters.files.models import load_model
from bot.adapters.journal.reader import JournalReader
from bot.adapters.journal.snapshot import JournalSnapshot
from bot.adapters.journal.writer import Journal
from bot.adapters.system.build import present_build
from bot.app.live.resume_check import check_resumable
from bot.app.live.retraining import LiveTraining
from bot.app.loop.forecasters import ModelForecaster
from bot.app.loop.recorders import LiveRecorder
from bot.app.loop.runner import Runner
from bot.app.loop.stopwatch import Stopwatch
from bot.app.runs.carried_state import carried_state
from bot.app.runs.folder import RunFolder, config_hash, config_text
from bot.blocks import BarBlock, Task
from bot.config import Config
from bot.engine import Engine, EngineState, Forecaster, state_to_arrays
from bot.errors import DataError, JournalError
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.plausibility import Prices
from bot.portfolio.book import new_book
from bot.portfolio.rules import Instrument, rules_from
from bot.timegrid import INTERVAL_MS


@dataclass
class LiveParts:
    """What the loop works with.

    Attributes:
        start: open time of the first bar that is traded, None before there is one.
        opened_row: the row with which the last bar was opened, where its close is not committed.
        trained_until: the newest due bar whose model is in the schedule, or before which none is
            worth a training.
        given: the model of another run that is to decide first, and its due bar; None once it does.
        prices: what the next candles are held against.
        stages: told by the engine when a stage ends.
    """

    config: Config
    folder: RunFolder
    symbols: tuple[str, ...]
    interval_ms: int
    engine: Engine
    forecasters: dict[str, Forecaster]
    journal: Journal
    runner: Runner
    training: LiveTraining
    start: int | None
    first_bar: int | None
    opened_row: BarBlock | None
    trained_until: int | None
    given: tuple[str, int] | None
    prices: Prices
    stages: Stopwatch

    def load_model(self, model_id: str) -> int:
        """Let the engine ask this model, and no other from now on; return its due bar."""
        names = self.engine.pipeline.names if self.engine.pipeline else ()
        forecaster, due = _asked(self.config, self.folder, model_id, names, self.engine.tasks)
        self.forecasters.clear()
        self.forecasters[model_id] = forecaster
        return due


def _asked(
    config: Config, folder: RunFolder, model_id: str, names: tuple[str, ...], tasks: tuple[Task, ...]
) -> tuple[ModelForecaster, int]:  # fmt: skip
    """Return what asks a model of the run, and the model's due bar.

    Raises:
        ModelError: it is damaged, or not of this run's features and targets.
    """
    trained, manifest = load_model(folder.models, model_id)
    forecaster = ModelForecaster(
        trained, list(manifest["features"]), names, tasks, model_id, config.model.bars_read,
        config.market.symbols,
    )  # fmt: skip
    return forecaster, int(manifest["due_ms"])


def open_parts(
    config: Config, folder: RunFolder, instruments: dict[str, Instrument], log: Any,
    given_model: str | None = None,
) -> LiveParts:  # fmt: skip
    """Make the run's journal, or open it and take up the state it has committed.

    Args:
        given_model: that a new run begins with; it is in the run's folder.

    Raises:
        JournalError: it is damaged, of other symbols or targets, or a backtest's.
    """
    interval_ms = INTERVAL_MS[config.market.interval]
    symbols = config.market.symbols
    pipeline = FeaturePipeline(config.features, symbols, interval_ms, config.model.bars_read)
    tasks = target_tasks(config.targets)
    forecasters: dict[str, Forecaster] = {}
    digest = config_hash(config)
    if folder.journal.exists():
        with JournalSnapshot(folder.journal) as old:  # refused before the journal is taken over
            _state_of(old, folder, first_state(config, pipeline))
        journal = Journal.open(folder.journal, symbols, tasks)
        if journal.meta("mode") != "live":
            raise JournalError(
                f"{folder.path}: is the run of a {journal.meta('mode')}, which the daemon cannot go "
                "on with; give another --run-dir"
            )
    else:
        if given_model is not None:  # refused before anything is recorded
            _asked(config, folder, given_model, pipeline.names, tasks)
        meta = {
            "mode": "live", "interval": config.market.interval, "venue": config.market.venue,
            "config_hash": digest, "data": config.exchange.source,
            "instruments": instruments_text(instruments), "config_toml": config_text(folder),
        } | ({"given_model": given_model} if given_model else {})  # fmt: skip
        journal = Journal.create(folder.journal, symbols, tasks, meta, durable=True)
    # the instruments as they were when the run was made: a replay must round as the run did
    kept = _kept_instruments(journal, folder, symbols)
    stages = Stopwatch()
    engine = Engine(
        pipeline, rules_from(config, symbols, kept), config.signal, tasks,
        len(symbols), config.portfolio.initial_capital, forecasters, stages.ended,
    )  # fmt: skip
    state, start, first, row, until, given, prices = _committed(folder, engine, interval_ms)
    with journal.transaction():
        seam = journal.begin_stretch(None if state.newest is None else state_to_arrays(state))
    if seam:
        log.info("build_changed", build=str(present_build()), last_bar=state.newest)
    training = LiveTraining(
        config, digest, symbols, pipeline.names, folder.journal, folder.models,
        until, log,
    )  # fmt: skip
    runner = Runner(engine, state, LiveRecorder(journal), ledger=None)
    parts = LiveParts(
        config, folder, symbols, interval_ms, engine, forecasters, journal, runner, training,
        start, first, row, until, None, prices, stages,
    )  # fmt: skip
    if state.schedule:
        parts.load_model(state.schedule[-1].model_id)
    elif given is not None:
        parts.given = given, parts.load_model(given)
    return parts


def _kept_instruments(
    journal: Journal, folder: RunFolder, symbols: tuple[str, ...]
) -> dict[str, Instrument]:
    """Return the instruments that the run was made with; a run without them would round anew.

    Raises:
        JournalError: they are damaged, or one is missing.
    """
    where = f"{folder.journal}: meta.instruments"
    try:
        kept = instruments_of(journal.meta("instruments"), where)
    except DataError as error:
        raise JournalError(f"{error}; restore a copy, or begin a new run") from None
    missing = [symbol for symbol in symbols if symbol not in kept]
    if missing:
        raise JournalError(
            f"{where} has no {', '.join(missing)}: the journal is damaged or was changed; restore a "
            "copy, or begin a new run"
        )
    return kept


def first_state(config: Config, pipeline: FeaturePipeline) -> EngineState:
    """Return the state before the first bar, which shows how a committed one must look."""
    capital = config.portfolio.initial_capital
    return EngineState(pipeline.initial(), new_book(len(config.market.symbols), capital))


def _state_of(reader: JournalReader, folder: RunFolder, initial: EngineState) -> EngineState:
    carried = reader.carried()
    return initial if carried is None else carried_state(carried, folder.journal, initial)


def _committed(
    folder: RunFolder, engine: Engine, interval_ms: int
) -> tuple[EngineState, int | None, int | None, BarBlock | None, int | None, str | None, Prices]:
    with JournalSnapshot(folder.journal) as reader:
        state = _state_of(reader, folder, engine.initial())
        check_resumable(folder, reader, state, interval_ms)
        start = reader.meta.get("start")
        row = None
        if state.opened:
            row = reader.bars(since=state.last_open)[0]
        given = reader.meta.get("given_model")
        dues = [row.due for row in reader.models() if row.due is not None]
        if given is not None:
            dues += [activation.effective_from for activation in state.schedule[:1]]
        until, first = max(dues, default=None), reader.first_bar()
        begun = int(start) if start else None
        return state, begun, first, row, until, given, reader.last_prices()

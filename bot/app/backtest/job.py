"""The backtest: replay history through the engine, training models on the way, into a run's folder.

Rules: it uses the daemon's engine, runner, journal and trainer; what it adds is only that bars come
from files and that it waits for trainings. Bars before the start warm up features and train the
first model, and the last of them are rehearsed where the policy is calibrated: models decide on them,
and their signals are scored. A model decides `retrain.latency_bars` after its due bar.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import dataclass, field
from typing import Any

from bot.adapters.record.writing import DescribedWriter
from bot.adapters.system.disk_room import DiskRoom
from bot.adapters.system.heap import give_back_after
from bot.app.backtest.bar_source import BarSource, begun_anew
from bot.app.backtest.read_ahead import Planned, ReadAhead
from bot.app.loop.forecasters import read_forecaster
from bot.app.loop.interrupts import uninterrupted
from bot.app.loop.recorders import GroupRecorder, bars_at_once
from bot.app.loop.runner import Progress, Runner
from bot.app.loop.warmup import compile_account
from bot.app.runs.folder import RunFolder, config_hash, config_text
from bot.app.runs.record import begin_backtest
from bot.app.training.archive import Archive
from bot.app.training.first import FirstTraining
from bot.app.training.pool import TrainingPool
from bot.app.training.progress import tell_rehearsal, tell_rehearsed, tell_trained
from bot.app.training.rehearsal import rehearsal_bars
from bot.app.training.triggers import Due, DueBars, planned_dues
from bot.blocks import I64, BarBlock, Task
from bot.config import Config
from bot.config.needed_heads import needs_model
from bot.engine import Engine
from bot.engine_state import Activation
from bot.errors import ConfigError, DataError
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.model.forecaster import Forecaster
from bot.portfolio.ledger import LedgerHash
from bot.portfolio.rules import Rules
from bot.timegrid import INTERVAL_MS, cut


@dataclass
class BacktestJob:
    """What a backtest works on.

    Attributes:
        source: gives all bars, those before the start too.
        open_time: int64[n], of all bars.
        start_index: the first bar that is traded and booked.
        table: forecasts made elsewhere, in place of models.
        schedule: activations of another run, in place of trainings; their models are in `folder`.
    """

    config: Config
    folder: RunFolder
    symbols: tuple[str, ...]
    source: BarSource
    open_time: I64
    start_index: int
    rules: Rules
    log: Any
    progress: Progress
    table: Forecaster | None = None
    table_tasks: tuple[Task, ...] = ()
    schedule: list[Activation] | None = None
    meta: dict[str, str] = field(default_factory=dict)

    @property
    def first_decided(self) -> int:
        """Return the first bar on which its models are to decide: of the rehearsal, or the start."""
        return max(self.start_index - rehearsal_bars(self.config), 0)

    @property
    def rehearses(self) -> bool:
        """Return whether it trains models to decide before the start."""
        return _trains(self) and self.first_decided < self.start_index


@dataclass(frozen=True)
class BacktestDone:
    """What a backtest has left behind."""

    bars: int
    equity: float
    ledger_sha256: str
    seconds: float
    interrupted: bool


def run_backtest(job: BacktestJob) -> BacktestDone:
    """Run a backtest into its folder.

    Returns:
        the run's facts; `interrupted` after Ctrl-C, the run then ends where it was.

    Raises:
        ConfigError: nothing would ever trade.
        DataError: the start lies outside the bars.
    """
    started = time.perf_counter()
    config = job.config
    if not 0 <= job.start_index < len(job.open_time):
        raise DataError(f"the start lies outside the {len(job.open_time)} bars that were read")
    dues = _dues(job)
    interval_ms = INTERVAL_MS[config.market.interval]
    pipeline = None
    if job.table is None:
        pipeline = FeaturePipeline(
            config.features, job.symbols, interval_ms, config.model.bars_read
        )
    tasks = job.table_tasks if job.table else target_tasks(config.targets)
    forecasters: dict[str, Forecaster] = {}
    engine = Engine(
        pipeline, job.rules, config.signal, tasks=tasks, n_symbols=len(job.symbols),
        initial_capital=config.portfolio.initial_capital, forecasters=forecasters,
    )  # fmt: skip
    digest = config_hash(config)
    journal = _new_journal(job, tasks, digest)
    recorder = GroupRecorder(
        journal, full=config.run.record == "full", group_bars=bars_at_once(len(job.symbols))
    )
    ledger = LedgerHash(job.symbols)
    runner = Runner(engine, engine.initial(), recorder, ledger)
    job.log.info(
        "run_started", mode="backtest", run_dir=str(job.folder.path), symbols=len(job.symbols),
        interval=config.market.interval, config_hash=digest,
    )  # fmt: skip
    compile_account(job.rules, job.log)
    if job.rehearses:
        tell_rehearsal(job.log, job.open_time, job.first_decided, job.start_index)
    pool = TrainingPool(config.training.workers) if _trains(job) else None
    interrupted = False
    try:
        for start, block, models in _blocks(
            job, pipeline, tasks, pool=pool, digest=digest, dues=dues
        ):
            wait([planned.future for planned in models])
            with uninterrupted():
                _activate(job, runner, forecasters, start=start, models=models)
                _take(job, runner, start, block)
            job.progress(start + len(block), len(job.open_time))
            give_back_after(len(block) * len(job.symbols))
    except KeyboardInterrupt:
        interrupted = True
        bars = int(runner.state.book.account["bars"][0])
        job.log.warning("run_interrupted", bars=bars, last_bar=runner.state.newest)
    finally:
        if pool is not None:
            pool.shutdown()
        recorder.flush()
    return _finish(job, journal, runner, ledger, started=started, interrupted=interrupted)


def _take(job: BacktestJob, runner: Runner, start: int, block: BarBlock) -> None:
    """Take a block through the engine: before the start it is not traded."""
    if start >= job.start_index:
        runner.step(block)
        return
    runner.warm(block)
    if job.rehearses and start + len(block) == job.start_index:
        tell_rehearsed(job.log, runner.state, job.config)


def _new_journal(job: BacktestJob, tasks: tuple[Task, ...], digest: str) -> DescribedWriter:
    meta = job.meta | {
        "interval": job.config.market.interval,
        "venue": job.config.market.venue,
        "config_hash": digest,
        "config_toml": config_text(job.folder),
        "start": str(int(job.open_time[job.start_index])),
    }
    return begin_backtest(job.folder, job.symbols, tasks, meta)


def _finish(
    job: BacktestJob, journal: DescribedWriter, runner: Runner, ledger: LedgerHash, *,
    started: float, interrupted: bool,
) -> BacktestDone:  # fmt: skip
    """Write down what came of it, close the journal for good, and tell."""
    done = BacktestDone(
        int(runner.state.book.account["bars"][0]),
        float(runner.state.book.account["equity"][0]),
        ledger.hexdigest(),
        time.perf_counter() - started,
        interrupted,
    )
    with journal.transaction():
        journal.write_meta("ledger_sha256", done.ledger_sha256)
        journal.write_meta("seconds", f"{done.seconds:.3f}")
        journal.write_meta("interrupted", str(int(interrupted)))
    journal.close(for_good=True)
    job.log.info(
        "run_finished", bars=done.bars, equity=done.equity, ledger_sha256=done.ledger_sha256,
        seconds=round(done.seconds, 3),
    )  # fmt: skip
    return done


def _trains(job: BacktestJob) -> bool:
    return job.table is None and job.schedule is None


def _trains_nothing(config: Config) -> bool:
    return config.retrain.trigger == "never" and not config.retrain.at_start


def _dues(job: BacktestJob) -> list[Due]:
    """Return the trainings of the run: none where a table or a schedule takes their place."""
    if not _trains(job):
        return []
    config, times = job.config, job.open_time
    if not needs_model(config) and _trains_nothing(config):
        return []
    if _trains_nothing(config):
        raise ConfigError(
            "retrain.trigger = 'never' and retrain.at_start = false: no model would ever be trained; "
            "set a trigger, or give --schedule RUN or --forecasts FILE"
        )
    due = DueBars(config.retrain, INTERVAL_MS[config.market.interval]).due(times)
    dues = planned_dues(due, job.first_decided, config.retrain.latency_bars)
    if not dues and not config.retrain.at_start:
        raise ConfigError(
            f"retrain.trigger = '{config.retrain.trigger}': no training is due in the {len(times)} "
            "bars that were read, so nothing would ever trade; set retrain.at_start = true, retrain more "
            "often or read more"
        )
    return dues


def _blocks(
    job: BacktestJob,
    pipeline: FeaturePipeline | None,
    tasks: tuple[Task, ...],
    pool: TrainingPool | None,
    digest: str,
    dues: list[Due],
) -> Iterator[tuple[int, BarBlock, list[Planned]]]:
    config, times = job.config, job.open_time
    most = bars_at_once(len(job.symbols), config.run.block_bars)
    bars = cut(begun_anew(job.source.blocks(most), most, job.start_index), most)
    if pool is None or pipeline is None:
        start = 0
        for block in bars:
            yield start, block, []
            start += len(block)
        return
    archive = Archive(config, tasks, DiskRoom(job.folder.models))
    ahead = ReadAhead(
        config, digest, pipeline, archive=archive, pool=pool, folder=job.folder.models, log=job.log
    )
    last = len(times) - 1 - config.retrain.latency_bars
    first = FirstTraining(config, len(job.symbols), job.first_decided, first=0, last=last)
    yield from ahead.blocks(bars, dues, first)


def _activate(
    job: BacktestJob,
    runner: Runner,
    forecasters: dict[str, Forecaster],
    start: int,
    models: list[Planned],
) -> None:
    if start == 0 and job.table is not None:
        forecasters["forecasts"] = job.table
        at = 0 if job.config.policy.rehearse else job.start_index
        runner.activate(Activation(int(job.open_time[at]), "forecasts"), None)
    if start == 0 and job.schedule is not None:
        for activation in job.schedule:
            load_forecaster(job, runner.engine, forecasters, activation.model_id)
            runner.activate(activation, None)
    for planned in models:
        try:
            done = planned.future.result()
        except DataError as error:
            job.log.warning("training_skipped", due=planned.due_ms, reason=str(error))
            continue  # the model before goes on
        tell_trained(job.log, job.folder.models, done, planned.due_ms)
        load_forecaster(job, runner.engine, forecasters, done.model_id)
        effective: I64 = job.open_time[planned.index : planned.index + 1]
        runner.activate(Activation(int(effective[0]), done.model_id), planned.due_ms)
        job.log.info("model_activated", model_id=done.model_id, effective_from=int(effective[0]))


def load_forecaster(
    job: BacktestJob, engine: Engine, forecasters: dict[str, Forecaster], model_id: str
) -> None:
    """Load a model of the run and let the engine ask it."""
    forecasters[model_id], _ = read_forecaster(
        job.folder.models, model_id, features=engine.pipeline.names if engine.pipeline else (),
        tasks=engine.tasks, lookback=job.config.model.bars_read, symbols=job.symbols,
    )  # fmt: skip

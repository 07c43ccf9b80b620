"""`bot run`: the daemon from its settings to its last commit.

Owns signals, the lock of the run's folder and what a run begins with. Rules: SIGTERM, SIGHUP and
Ctrl-C only set a flag, the loop stops between transactions; whatever ends the run, the next start resumes it.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.adapters.exchange import Exchange
from bot.adapters.system.atomic_file import sweep
from bot.adapters.system.run_lock import RunLock
from bot.adapters.system.sd_notify import tell_alive
from bot.app.live.begun import ask_for_symbols, begun
from bot.app.live.candidates import with_live_candidates
from bot.app.live.committed import CommittedRun
from bot.app.live.exchange import ExchangeClock, live_exchange
from bot.app.live.exchange_time import ExchangeTime
from bot.app.live.joining import let_join
from bot.app.live.life import ASK_AGAIN_MS
from bot.app.live.listed import instruments_of_a_start, told_now
from bot.app.live.loop import LiveLoop
from bot.app.live.reporter import LiveReport
from bot.app.live.request_waits import RequestWaits
from bot.app.live.run_log import run_log
from bot.app.live.setup import open_run, with_all_symbols
from bot.app.live.waiting import end
from bot.app.loop.interrupts import stopped_by_signals
from bot.app.loop.waiting import COMPILING, TAKES, waiting
from bot.app.loop.warmup import compile_kernels
from bot.app.runs.borrow import take_last_model
from bot.app.runs.folder import (
    RunFolder,
    config_hash,
    find_run,
    free_run_dir,
    new_run,
)
from bot.app.start.check import check_start
from bot.app.start.practice import practice_config
from bot.compiled import compiled_before
from bot.config import Config
from bot.config.needed_heads import needs_model
from bot.errors import BotError, ConfigError, JournalError
from bot.model.threads import single_thread
from bot.portfolio.instruments import Instrument


def live_command(
    config: Config, run_dir: str | None, *, practice: bool, max_bars: int | None,
    model_of: str | None = None,
) -> RunFolder:  # fmt: skip
    """Run the daemon until it is stopped; return its folder.

    Args:
        model_of: a run whose last model a new run begins with, instead of training one.
    """
    single_thread()
    config = practice_config(config, tell=True) if practice else config
    config = with_live_candidates(config, run_dir)
    check_start(config, "practice" if practice else "run", run_dir)
    if run_dir is not None:
        begun(config, run_dir)  # what is refused is refused before minutes of compiling
    run_dir = run_dir or free_run_dir(config, "live")
    _compile()
    new = not Path(run_dir).exists()
    with _locked(run_dir), _nothing_left_of_a_refusal(Path(run_dir), new=new):
        old, config, symbols = begun(config, run_dir)
        folder = old or new_run(config, run_dir, "live")
        if symbols:
            ask_for_symbols(folder, symbols)
        sweep(folder.path)
        sweep(folder.models)
        given = _given_model(config, folder, model_of)
        with run_log(config, folder) as log:
            gc.freeze()  # what is loaded stays: no pause for it in the loop, nor a second at the exit
            asyncio.run(_main(config, folder, log, given, practice=practice, max_bars=max_bars))
    return folder


@contextmanager
def _nothing_left_of_a_refusal(run_dir: Path, *, new: bool) -> Iterator[None]:
    """Take a folder that this start made away again where it is refused before its journal is made.

    Only who holds its lock does so: it may be another process's, started at the same instant.
    """
    try:
        yield
    except BotError:
        if new and not RunFolder(run_dir).journal.exists():
            shutil.rmtree(run_dir, ignore_errors=True)
        raise


def _locked(run_dir: str) -> RunLock:
    """Return the lock of a run's folder, which is made; nothing else is written before it is held."""
    try:
        Path(run_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(f"{run_dir}: cannot make the run's folder: {error.strerror}") from None
    return RunLock(Path(run_dir))


def _compile() -> None:
    """Compile the kernels, and say so where none of this build were yet: it is silent for long."""
    if compiled_before():
        compile_kernels()
        return
    with waiting(COMPILING, TAKES, sys.stderr):
        compile_kernels()


def _given_model(config: Config, folder: RunFolder, model_of: str | None) -> str | None:
    """Return the model that a new run begins with, None where it trains its first one.

    Raises:
        ConfigError: there would never be a model, or the run has begun already.
    """
    begun = folder.journal.exists()
    if model_of is None:
        untrained = config.retrain.trigger == "never" and not config.retrain.at_start
        if untrained and needs_model(config) and not begun:
            raise ConfigError(
                "retrain.trigger = 'never' and retrain.at_start = false: there would never be a model; "
                "choose another trigger, or begin with another run's: --model RUN"
            )
        return None
    if begun:
        raise ConfigError(
            f"--model {model_of}: {folder.path} has begun already, with a model of its own; leave "
            "--model out, or give another --run-dir"
        )
    return take_last_model(find_run(model_of, config.run.runs_dir), folder)


async def _main(
    config: Config, folder: RunFolder, log: Any, given_model: str | None, *,
    practice: bool, max_bars: int | None,
) -> None:  # fmt: skip
    stop = asyncio.Event()
    waits = RequestWaits(log)
    with stopped_by_signals(stop.set):
        async with live_exchange(config, folder, log, waits, practice=practice) as exchange:
            clock = ExchangeClock(exchange, config.exchange.speed)
            await run_on(
                exchange, clock, config, folder, log=log, stop=stop,
                max_bars=max_bars, given_model=given_model, waits=waits,
            )  # fmt: skip


async def run_on(
    exchange: Exchange, clock: ExchangeTime, config: Config, folder: RunFolder, log: Any,
    stop: asyncio.Event, max_bars: int | None = None, given_model: str | None = None,
    waits: RequestWaits | None = None,
) -> None:  # fmt: skip
    """Begin the run in this folder on an exchange, or go on with it, until it is to stop."""
    life = asyncio.create_task(
        _life(
            exchange,
            clock,
            config,
            folder,
            log,
            max_bars=max_bars,
            given_model=given_model,
            waits=waits,
        )
    )
    stopping = asyncio.create_task(stop.wait())
    alive = asyncio.create_task(tell_alive())
    try:
        await asyncio.wait([life, stopping], return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            life.result()
    finally:
        await end(life, stopping, alive)


async def _life(
    exchange: Exchange, clock: ExchangeTime, config: Config, folder: RunFolder, log: Any, *,
    max_bars: int | None, given_model: str | None, waits: RequestWaits | None,
) -> None:  # fmt: skip
    """Run the loop; where symbols are to join, let them, and run it anew with them."""
    left, not_before_ms = max_bars, 0
    while True:
        instruments = await _told(exchange, config, folder, log)
        old = folder.journal.exists()  # it has its instruments
        now_ms = 0 if old else clock.now_ms()
        run, models = open_run(config, folder, instruments, log, given_model, now_ms=now_ms)
        _tell_begun(run, config, log)
        reason = "an error"
        try:
            report = LiveReport(run, models.training, log, config.exchange.speed, waits)
            if old:
                learned = run.learn(instruments, time.time_ns() // 1_000_000)
                if learned is not None:
                    report.commanded(learned)
            loop = LiveLoop(
                run, models, exchange, clock, report=report, speed=config.exchange.speed,
                max_bars=left, joins_after_ms=not_before_ms,
            )  # fmt: skip
            joining = await loop.run()
            reason = "bars reached" if joining is None else "symbols join"
            if joining is None:
                return
            beats = asyncio.create_task(loop.beat())
            try:
                left, joined = loop.left, await let_join(run, joining, exchange, report)
            finally:
                await end(beats)
            not_before_ms = 0 if joined else clock.now_ms() + ASK_AGAIN_MS
        except asyncio.CancelledError:
            reason = "asked to stop"
            raise
        except Exception as error:
            log.error("error", kind=type(error).__name__, message=str(error))
            raise
        finally:
            log.info("run_stopped", bars=int(run.book.account["bars"][0]), reason=reason)
            run.end()


async def _told(
    exchange: Exchange, config: Config, folder: RunFolder, log: Any
) -> dict[str, Instrument]:
    """Ask what the exchange says of the symbols; a run that has begun does without in need."""
    ask = told_now if folder.journal.exists() else instruments_of_a_start
    return await ask(exchange, with_all_symbols(config, folder), log)


def _tell_begun(run: CommittedRun, config: Config, log: Any) -> None:
    folder = str(run.folder.path)
    if run.first_bar is None:
        log.info(
            "run_started", mode="live", run_dir=folder, symbols=len(run.symbols),
            interval=config.market.interval, config_hash=config_hash(config),
        )  # fmt: skip
    else:
        log.info(
            "run_resumed", run_dir=folder, last_bar=run.state.last_open, opened=run.state.opened
        )

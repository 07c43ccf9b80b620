"""A daemon on the practice market in virtual time: the whole of `bot run` but sockets and processes.

Rules: nothing of the daemon is replaced but its exchange, its clock and the process that trains:
trainings run here, after so many seconds of virtual time. The disk is not waited for: what a process
has written outlives it all the same. The folder is that of a run and outlives every daemon.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bot.adapters.bybit.rest import category_of
from bot.adapters.journal import facts as journal
from bot.app.live import retraining as live_training
from bot.app.live.command import run_on
from bot.app.runs.folder import RunFolder, new_run
from bot.app.start.check import check_start
from bot.app.start.practice import practice_config
from bot.app.symbols import made_market
from bot.app.training.request import TrainingDone, TrainingRequest, run_training
from bot.config import Config, load_config
from bot.errors import BotError, ModelError
from bot.log import open_log
from bot.practice.faults import Faults
from bot.practice.market import PracticeMarket
from bot.practice.synthetic import START_MS, SyntheticMarket
from bot.timegrid import INTERVAL_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.virtual_time import VirtualClock, run_virtually

SMALL = (
    "model.hidden=[8]", "model.head_hidden=4", "training.epochs=4", "training.batch_size=64", "training.learning_rate=0.02",
    "training.min_rows=100", "training.window_bars=200", "features.window=10",
    "features.medium_window=12", "features.long_window=24", "features.correlation_window=12",
    "data.history_bars=120", "synthetic.symbols=3", "synthetic.missing=0.01", "synthetic.signal_strength=0.4",
    "policy.kind=threshold", "signal.threshold=0.0", "sizing.method=proportional", "sizing.rebalance_band=0.0", "retrain.trigger=every_bars", "retrain.every_bars=48",
    "log.heartbeat_s=3600", "run.commands_every_s=3600", "practice.ticks_per_bar=3", "practice.speed=1", "exchange.quote_timeout_s=1500",
)  # fmt: skip
"""Little history and a network that hardly deserves the name: a start takes a moment."""

Script = Callable[[DirectExchange, asyncio.Event], Awaitable[None]]


class PoolHere:
    """Train in this process, `seconds` after the request; fail with what `refusals` still holds."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self.refusals: list[BotError] = []
        self.requests: list[TrainingRequest] = []
        self._waiting: list[asyncio.TimerHandle] = []

    def submit(
        self, request: TrainingRequest, time_limit_s: float | None = None
    ) -> Future[TrainingDone]:
        """Promise a training."""
        self.requests.append(request)
        future: Future[TrainingDone] = Future()
        limit_s = float("inf") if time_limit_s is None else time_limit_s
        wait_s = min(self.seconds, limit_s)
        if self.seconds > limit_s:
            self.refusals.insert(0, ModelError("the training took longer than its time limit"))
        loop = asyncio.get_running_loop()
        self._waiting.append(loop.call_later(wait_s, self._train, request, future))
        return future

    def shutdown(self) -> None:
        """Give up what was promised."""
        while self._waiting:
            self._waiting.pop().cancel()

    def train(self, request: TrainingRequest) -> TrainingDone:
        """Train, here and now."""
        return run_training(request)

    def _train(self, request: TrainingRequest, future: Future[TrainingDone]) -> None:
        try:
            if self.refusals:
                raise self.refusals.pop(0)
            future.set_result(self.train(request))
        except BotError as error:
            future.set_exception(error)


def connect_quickly(
    connect: Callable[..., sqlite3.Connection], path: Path, *, durable: bool
) -> sqlite3.Connection:
    """Open a journal whose disk is not waited for."""
    del durable
    return connect(path, durable=False)


@dataclass
class Rehearsal:
    """A market and a run's folder.

    Attributes:
        config: its market is synthetic, its exchange the practice exchange.
        begin_ms: when the first daemon starts, after all the history that it asks for.
    """

    config: Config
    folder: RunFolder
    begin_ms: int

    @classmethod
    def make(cls, folder: Path, *settings: str) -> Rehearsal:
        """Make a new run of small models, with such settings."""
        config = practice_config(load_config(None, [*SMALL, *settings], {}))
        config = config.model_copy(
            update={"exchange": config.exchange.model_copy(update={"speed": 1.0})}
        )
        check_start(config, "run")
        step = INTERVAL_MS[config.market.interval]
        begin = START_MS + (config.data.history_bars + 1) * step + step // 2
        return cls(config, new_run(config, str(folder), "live"), begin)

    @cached_property
    def source(self) -> SyntheticMarket:
        """Return what happens in the market, future and all."""
        return made_market(self.config)

    @cached_property
    def market(self) -> PracticeMarket:
        """Return the market that the exchange serves."""
        practice = self.config.practice
        return PracticeMarket(
            self.source,
            half_spread_bps=practice.half_spread_bps,
            ticks_per_bar=practice.ticks_per_bar,
        )

    def events(self, *names: str) -> list[dict[str, Any]]:
        """Return the events of these names in the run's log, oldest first."""
        lines = self.folder.log.read_text(encoding="utf-8").splitlines()
        return [event for event in map(json.loads, lines) if event["event"] in names]

    def run(
        self, max_bars: int | None = None, *, begin_ms: int | None = None,
        faults: Faults | None = None, pool: PoolHere | None = None, script: Script | None = None,
        on_jump: Callable[[float], None] = lambda _: None, given_model: str | None = None,
    ) -> int:  # fmt: skip
        """Run a daemon from `begin_ms` on; return the exchange's time at its end.

        Args:
            max_bars: closed by it; None runs until the script sets the stop.
            script: what else happens, beside the daemon.
            given_model: in the run's folder, to begin with.
        """
        trainer = pool or PoolHere()
        with (
            patch.object(journal, "connect", partial(connect_quickly, journal.connect)),
            patch.object(live_training, "TrainingPool", return_value=trainer),
            open_log(self.folder.log) as log,
        ):
            return run_virtually(
                self._life(begin_ms or self.begin_ms, max_bars, faults, script, log, given_model),
                on_jump,
            )

    async def _life(
        self, begin_ms: int, max_bars: int | None, faults: Faults | None, script: Script | None,
        log: object, given_model: str | None,
    ) -> int:  # fmt: skip
        category = category_of(self.config.market.venue)
        exchange = DirectExchange(self.market, VirtualClock(begin_ms), faults, category)
        stop = asyncio.Event()
        beside = None if script is None else asyncio.ensure_future(script(exchange, stop))
        await run_on(exchange, exchange, self.config, self.folder, log, stop, max_bars, given_model)
        if beside is not None:
            beside.cancel()
            await asyncio.wait([beside])
            if not beside.cancelled():
                beside.result()
        return exchange.clock.now_ms()

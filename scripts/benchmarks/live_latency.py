"""The loop's latency: from the last confirm of a bar received to its decision committed.

Rules: the loop, the journal (which waits for the disk), the frames and their reader are the daemon's;
only the wire is left out. A bar's confirms arrive at once, in one burst, and the clock starts before
the first of them is read. Beside a training means: a process like that of a retraining computes all
the while.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np

from bot.adapters.exchange import Event
from bot.app.live import retraining as live_training
from bot.app.live.committed import CommittedRun
from bot.app.live.loop import LiveLoop
from bot.app.live.reporter import LiveReport
from bot.app.live.retraining import LiveTraining
from bot.app.live.setup import open_run
from bot.app.training.pool import TrainingPool
from bot.app.training.request import TrainingRequest, TrainingRows
from bot.blocks import BarBlock
from bot.engine import StepResult
from bot.features.targets import target_tasks
from bot.log import open_log
from bot.model.dataset import Dataset
from bot.model.threads import single_thread
from bot.portfolio.trace import Trace
from scripts.benchmarks.measuring import Row
from scripts.soaking.direct_exchange import DirectExchange, Line
from scripts.soaking.rehearsal import PoolHere, Rehearsal

GOAL_MS = {5: 50.0, 50: 250.0, 500: 250.0}
SETTINGS = (
    "model.hidden=[128,64]", "model.head_hidden=32", "training.epochs=1",
    "training.batch_size=1024", "features.window=20", "features.medium_window=72",
    "features.long_window=168", "features.correlation_window=72", "data.history_bars=800",
    "retrain.trigger=cron", "retrain.cron=0 0 1 * *", "synthetic.missing=0", "practice.ticks_per_bar=2",
)  # fmt: skip
WARM_BARS = 5


def confirm_to_commit(n_symbols: int, quick: bool, training: bool) -> list[Row]:
    """Measure the live loop of so many symbols, alone or beside a training."""
    single_thread()
    bars = 60 if quick else 300 if n_symbols < 500 else 150
    with TemporaryDirectory() as folder:
        busy = _Busy(Path(folder)) if training else None
        try:
            taken = asyncio.run(_run(Path(folder) / "run", n_symbols, bars))
        finally:
            if busy is not None:
                busy.stop()
    beside = "beside a training" if training else "alone"
    case = f"{n_symbols} symbols, {beside}"
    p50, p99 = np.percentile(np.array(taken[WARM_BARS:]) * 1e3, [50, 99])
    return [
        Row(f"{case}: p50", float(p50), "ms", note=f"{bars} bars"),
        Row(f"{case}: p99", float(p99), "ms", GOAL_MS[n_symbols], at_least=False),
    ]


class _Clock:
    """A clock that is set; a wait for a later time is ended by an event, or never."""

    refused, doubted = 0, False

    def __init__(self, now_ms: int) -> None:
        self.now = now_ms

    def now_ms(self) -> int:
        return self.now

    async def sleep_until(self, time_ms: int) -> None:
        if time_ms > self.now:
            await asyncio.Event().wait()

    async def pause(self, ms: float) -> None:
        """Take no time."""


class _Bursts(DirectExchange):
    """Sends a bar's quotes, waits until it is open, sends its confirms, waits until it is closed."""

    def __init__(self, rehearsal: Rehearsal, clock: _Clock) -> None:
        super().__init__(rehearsal.market, clock)
        self._set = clock
        self.opened, self.closed = asyncio.Event(), asyncio.Event()
        self.received_s = 0.0

    async def stream(self, symbols: Sequence[str], interval: str) -> AsyncGenerator[Event, None]:
        """Send bar after bar, as quickly as they are taken."""
        del interval
        step = self.market.interval_ms
        async with Line(self, symbols) as line:
            while True:
                await line.written()
                for event in line.read():
                    yield event
                await self.opened.wait()
                self.opened.clear()
                self._set.now += step - self._set.now % step
                self.push(line.connection, self._set.now)
                await line.written()
                self.received_s = time.perf_counter()
                for event in line.read():
                    yield event
                await self.closed.wait()
                self.closed.clear()
                self._set.now += step // 2
                self.push(line.connection, self._set.now)


class _Report(LiveReport):
    """Take the time of every commit, and let the exchange go on."""

    def __init__(
        self, run: CommittedRun, training: LiveTraining, log: Any, exchange: _Bursts
    ) -> None:
        super().__init__(run, training, log)
        self._exchange = exchange
        self.taken: list[float] = []

    def opened(self, row: BarBlock, trace: Trace, now_ms: int) -> None:
        """Tell, and let the bar end."""
        super().opened(row, trace, now_ms)
        self._exchange.opened.set()

    def closed(
        self, result: StepResult, confirmed_ms: int | None, now_ms: int, stages_ms: Mapping[str, float]
    ) -> None:  # fmt: skip
        """Stop the clock: the decision is committed."""
        self.taken.append(time.perf_counter() - self._exchange.received_s)
        super().closed(result, confirmed_ms, now_ms, stages_ms)
        self._exchange.closed.set()


async def _run(folder: Path, n_symbols: int, bars: int) -> list[float]:
    rehearsal = Rehearsal.make(folder, f"synthetic.symbols={n_symbols}", *SETTINGS)
    clock = _Clock(rehearsal.begin_ms)
    exchange = _Bursts(rehearsal, clock)
    config = rehearsal.config
    with (
        patch.object(live_training, "TrainingPool", return_value=PoolHere(seconds=0.0)),
        open_log(rehearsal.folder.log) as log,
    ):
        instruments = await exchange.instruments(config.market.symbols)
        run, models = open_run(config, rehearsal.folder, instruments, log)
        report = _Report(run, models.training, log, exchange)
        await LiveLoop(run, models, exchange, clock, report=report, max_bars=bars).run()
        run.end()
    assert run.state.schedule, "no model decided"
    return report.taken


class _Busy:
    """A process of a training's kind that computes until it is stopped."""

    def __init__(self, folder: Path) -> None:
        config = Rehearsal.make(folder / "busy", *SETTINGS, "training.epochs=10000").config
        config = config.model_copy(
            update={"training": config.training.model_copy(update={"patience": 10_000})}
        )
        tasks = target_tasks(config.targets)
        random = np.random.default_rng(1)
        n, features = 20_000, tuple(config.features.names)
        y = np.abs(random.standard_normal((n, len(tasks)))) + 0.1
        y[:, 1] = random.random(n) > 0.5
        bar = np.arange(n, dtype=np.int64)
        rows = Dataset(
            random.standard_normal((n, len(features))), y, bar, np.zeros(n, np.int64), tasks
        )
        request = TrainingRequest(
            config, features, TrainingRows(rows, 0, n), n, "", None, folder / "busy"
        )
        self._pool = TrainingPool(1)
        self._future = self._pool.submit(request)

    def stop(self) -> None:
        """End it; it must still have been at it."""
        assert not self._future.done(), "the training ended too early to disturb"
        self._pool.shutdown()

"""The soak of bars: a daemon through very many bars, and what memory it holds on the way.

The exchange and the virtual clock are in the same process and count too; trainings run in processes
of their own, as they do live.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from pathlib import Path

from bot.adapters.system.memory import resident_mb
from bot.app.training.pool import TrainingPool
from bot.app.training.request import TrainingDone, TrainingRequest
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal

SETTINGS = (
    "synthetic.symbols=5", "retrain.every_bars=1000", "practice.ticks_per_bar=2",
    "exchange.quote_timeout_s=2000", "log.max_mb=8", "log.keep=1", "log.heartbeat_s=1800",
)  # fmt: skip


class PoolApart(PoolHere):
    """Train in a process of its own, while virtual time stands still."""

    def __init__(self) -> None:
        super().__init__()
        self._pool = TrainingPool(1)

    def train(self, request: TrainingRequest) -> TrainingDone:
        """Wait for the training in the other process."""
        self.requests.clear()
        future: Future[TrainingDone] = self._pool.submit(request)
        return future.result()


def soak_bars(bars: int, folder: Path) -> tuple[list[tuple[int, float]], Proof]:
    """Run for so many bars; return (bars, resident MiB) at each tenth of them, and the proof."""
    rehearsal = Rehearsal.make(folder / "run", *SETTINGS)
    samples: list[tuple[int, float]] = []
    step_ms = rehearsal.source.interval_ms

    async def watch(exchange: DirectExchange, stop: asyncio.Event) -> None:
        while not stop.is_set():
            done = len(samples) + 1
            await exchange.clock.sleep_until(rehearsal.begin_ms + done * bars // 10 * step_ms)
            samples.append((done * bars // 10, resident_mb()))
            print(f"{samples[-1][0]:>9,} bars  {samples[-1][1]:7.1f} MiB", flush=True)

    rehearsal.run(bars + 1, pool=PoolApart(), script=watch)
    return samples, prove(rehearsal.folder, rehearsal.source)

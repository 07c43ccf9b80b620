"""A daemon through pybit, sockets and threads on a practice exchange whose clock is the test's.

The exchange's time stands still but when the test moves it on; it is moved on once the daemon has
done what the moment before asked of it, so that no wall time decides anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from unittest.mock import patch

from bot.adapters.bybit.clock import Jump, ServerClock
from bot.adapters.bybit.opening import open_bybit
from bot.app.live import retraining as live_training
from bot.app.live.command import run_on
from bot.app.live.exchange import ExchangeClock
from bot.practice.clock import ManualClock
from bot.practice.exchange import PracticeExchange, serve
from bot.timegrid import HOUR_MS
from scripts.soaking.rehearsal import PoolHere, Rehearsal

PATIENCE_S = 60.0
TICK_MS = 20 * 60_000


class DaemonClock(ExchangeClock):
    """The exchange's time as the daemon believes it, and waiting for it on the clock of the test."""

    def __init__(self, exchange: Any, clock: ManualClock) -> None:
        super().__init__(exchange, 1.0)
        self._clock = clock

    async def sleep_until(self, time_ms: int) -> None:
        while (left_ms := time_ms - self.now_ms()) > 0:
            await self._clock.sleep_until(self._clock.now_ms() + left_ms)


class Told:
    """A log that can be waited for."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._more = asyncio.Event()

    def __getattr__(self, level: str) -> Callable[..., None]:
        def tell(event: str, **fields: Any) -> None:
            self.events.append({"event": event, **fields})
            self._more.set()

        return tell

    def count(self, name: str) -> int:
        return sum(event["event"] == name for event in self.events)

    async def until(self, name: str, count: int) -> None:
        """Return once an event has been told so often."""
        async with asyncio.timeout(PATIENCE_S):
            while self.count(name) < count:
                self._more.clear()
                await self._more.wait()


class Stage:
    """A practice exchange, a daemon on it, and the clock of both.

    Args:
        waits_here: what waits for the exchange (clock checks, polls, back-offs) waits on that clock.
    """

    def __init__(self, rehearsal: Rehearsal, *, waits_here: bool = False) -> None:
        self.rehearsal = rehearsal
        self._waits_here = waits_here
        self.clock = ManualClock(rehearsal.begin_ms, real_pauses=True)
        self.told = Told()
        self.stop = asyncio.Event()

    async def play(self, act: Callable[[Stage, PracticeExchange], Awaitable[None]]) -> None:
        """Run the daemon while `act` moves the time on; stop it at the end."""
        server = await serve(self.rehearsal.market, self.clock)
        config = self.rehearsal.config
        inside = {
            "rest_url": server.rest_url, "stream_url": server.stream_url, "request_tries": 2,
            "requests_per_second": 100.0, "reconnect_first_s": 0.01,
        }  # fmt: skip
        config = config.model_copy(update={"exchange": config.exchange.model_copy(update=inside)})
        clock = ServerClock(wall_ms=self.clock.now_ms, monotonic=lambda: self.clock.now_ms() / 1e3)

        async def sleep(seconds: float) -> None:
            await self.clock.sleep_until(self.clock.now_ms() + max(int(seconds * 1e3), 1))

        exchange = open_bybit(
            config,
            clock=clock,
            on_jump=self._jumped,
            sleep=sleep if self._waits_here else asyncio.sleep,
        )
        self.daemon = DaemonClock(exchange, self.clock)
        with patch.object(live_training, "TrainingPool", return_value=PoolHere(seconds=0.0)):
            daemon = asyncio.create_task(
                run_on(exchange, self.daemon, config, self.rehearsal.folder, self.told, self.stop)
            )
            try:
                await act(self, server)
            finally:
                self.stop.set()
                try:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(daemon, PATIENCE_S)
                finally:
                    exchange.close()
                    await server.close()

    def _jumped(self, jump: Jump, refused: int) -> None:
        self.told.warning("clock_jump", by_ms=jump.by_ms, believed=jump.believed, refused=refused)

    async def bar(self) -> None:
        """Let the forming bar end, be closed and decided, and the next one be opened."""
        closed, opened = self.told.count("bar_closed"), self.told.count("bar_opened")
        now = self.clock.now_ms()
        await self.clock.advance(HOUR_MS - now % HOUR_MS)
        await self.told.until("bar_closed", closed + 1)
        if self.told.count("bar_opened") == opened:  # an order waits for a quote
            await self.clock.advance(TICK_MS)
            await self.told.until("bar_opened", opened + 1)

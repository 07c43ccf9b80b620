"""The daemon through pybit, sockets and threads on a practice exchange whose clock is ours.

The exchange's time stands still but when the test moves it on; it is moved on once the daemon has
done what the moment before asked of it, so that no wall time decides anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from bot.adapters.bybit import open_bybit
from bot.adapters.bybit_clock import ServerClock
from bot.app import live_training
from bot.app.live_command import run_on
from bot.practice.clock import ManualClock
from bot.practice.exchange import PracticeExchange, serve
from bot.timegrid import HOUR_MS
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal

PATIENCE_S = 60.0
TICK_MS = 20 * 60_000


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
    """A practice exchange, a daemon on it, and the clock of both."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        self.clock = ManualClock(rehearsal.begin_ms, real_pauses=True)
        self.told = Told()
        self.stop = asyncio.Event()

    async def play(self, act: Callable[[Stage, PracticeExchange], Any]) -> None:
        """Run the daemon while `act` moves the time on; stop it at the end."""
        server = await serve(self.rehearsal.market, self.clock)
        config = self.rehearsal.config
        inside = {
            "rest_url": server.rest_url, "stream_url": server.stream_url, "request_tries": 2,
            "requests_per_second": 100.0, "reconnect_first_s": 0.01,
        }  # fmt: skip
        config = config.model_copy(update={"exchange": config.exchange.model_copy(update=inside)})
        clock = ServerClock(wall_ms=self.clock.now_ms, monotonic=lambda: self.clock.now_ms() / 1e3)
        exchange = open_bybit(config, clock=clock)
        with patch.object(live_training, "TrainingPool", return_value=PoolHere(seconds=0.0)):
            daemon = asyncio.create_task(
                run_on(exchange, self.clock, config, self.rehearsal.folder, self.told, self.stop)
            )
            try:
                await act(self, server)
            finally:
                self.stop.set()
                with suppress(TimeoutError):
                    await asyncio.wait_for(daemon, PATIENCE_S)
                exchange.close()
                await server.close()

    async def bar(self) -> None:
        """Let the forming bar end, be closed and decided, and the next one be opened."""
        closed, opened = self.told.count("bar_closed"), self.told.count("bar_opened")
        now = self.clock.now_ms()
        await self.clock.advance(HOUR_MS - now % HOUR_MS)
        await self.told.until("bar_closed", closed + 1)
        if self.told.count("bar_opened") == opened:  # an order waits for a quote
            await self.clock.advance(TICK_MS)
            await self.told.until("bar_opened", opened + 1)


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    return Rehearsal.make(tmp_path / "run", "synthetic.missing=0")


def proof_of(rehearsal: Rehearsal) -> Proof:
    proof = prove(rehearsal.folder, rehearsal.source)
    assert (proof.holes, proof.untrue) == (0, 0)
    return proof


def test_bars_in_time(rehearsal: Rehearsal) -> None:
    async def act(stage: Stage, server: PracticeExchange) -> None:
        await stage.told.until("connected", 1)
        await stage.told.until("bar_opened", 1)
        for _ in range(6):
            await stage.bar()

    asyncio.run(Stage(rehearsal).play(act))
    proof = proof_of(rehearsal)
    assert (len(proof.bars), proof.late) == (6, 0)
    assert len(proof.fills) > 5


def test_a_cut_line_and_a_lost_confirm(rehearsal: Rehearsal) -> None:
    async def act(stage: Stage, server: PracticeExchange) -> None:
        await stage.told.until("connected", 1)
        await stage.told.until("bar_opened", 1)
        await stage.bar()
        server.switch.change({"drop": 1.0})
        await stage.clock.advance(TICK_MS)
        await stage.told.until("disconnected", 1)
        server.switch.change({"drop": 0.0, "lost_confirm": 1.0})
        await stage.told.until("connected", 2)
        now = stage.clock.now_ms()
        await stage.clock.advance(HOUR_MS - now % HOUR_MS)
        await stage.clock.advance(5_000)  # the deadline
        await stage.told.until("bar_closed", 2)
        server.switch.change({"lost_confirm": 0.0})

    asyncio.run(Stage(rehearsal).play(act))
    proof = proof_of(rehearsal)
    assert (len(proof.bars), proof.late) == (2, 0)


def test_killed_off_and_taken_up_again(rehearsal: Rehearsal) -> None:
    async def first(stage: Stage, server: PracticeExchange) -> None:
        await stage.told.until("bar_opened", 1)
        await stage.told.until("connected", 1)
        await stage.bar()
        await stage.bar()

    async def second(stage: Stage, server: PracticeExchange) -> None:
        await stage.told.until("gap_filled", 1)
        await stage.told.until("connected", 1)
        await stage.told.until("bar_opened", 1)
        await stage.bar()

    asyncio.run(Stage(rehearsal).play(first))
    rehearsal.begin_ms += 5 * HOUR_MS
    asyncio.run(Stage(rehearsal).play(second))
    proof = proof_of(rehearsal)
    assert (len(proof.bars), proof.late) == (6, 3)

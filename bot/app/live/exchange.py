"""The exchange of a daemon: Bybit, or the practice exchange that runs inside it.

Owns its clock, and the server and the addresses of the one inside. Must not know what the daemon does
with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bot.adapters.bybit.clock import Jump
from bot.adapters.bybit.exchange import BybitExchange
from bot.adapters.bybit.opening import open_bybit
from bot.app.live.decidable import decidable_ms
from bot.app.live.request_waits import RequestWaits
from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.app.start.history_need import history_need
from bot.app.symbols import made_market
from bot.config import Config
from bot.practice.clock import RealClock
from bot.practice.exchange import serve
from bot.practice.market import PracticeMarket
from bot.practice.synthetic import START_MS
from bot.timegrid import INTERVAL_MS


class ExchangeClock:
    """The exchange's time as our clock knows it, and waiting for it."""

    def __init__(self, exchange: BybitExchange, speed: float) -> None:
        self._exchange, self._speed = exchange, speed

    @property
    def refused(self) -> int:
        """Return how many of the exchange's times were not believed."""
        return self._exchange.clock.refused

    @property
    def doubted(self) -> bool:
        """Return whether the exchange tells another time than is believed."""
        return self._exchange.clock.doubted

    def now_ms(self) -> int:
        """Return the exchange's time."""
        return self._exchange.now_ms()

    async def sleep_until(self, time_ms: int) -> None:
        """Return once the exchange's time has reached `time_ms`."""
        while (left_ms := time_ms - self.now_ms()) > 0:
            await asyncio.sleep(max(left_ms / 1000.0 / self._speed, 0.0005))


@asynccontextmanager
async def live_exchange(
    config: Config, folder: RunFolder, log: Any, waits: RequestWaits, *, practice: bool
) -> AsyncIterator[BybitExchange]:
    """Give the exchange of the settings; with `practice`, one that runs inside."""

    def on_fault(count: int, text: str) -> None:
        log.warning("bad_frame", count=count, sample=text)

    def on_jump(jump: Jump, refused: int) -> None:
        if jump.first or jump.believed:
            log.warning("clock_jump", by_ms=jump.by_ms, believed=jump.believed, refused=refused)

    if not practice:
        exchange = open_bybit(config, on_wait=waits.on_wait, on_fault=on_fault, on_jump=on_jump)
        try:
            yield exchange
        finally:
            exchange.close()
        return
    interval_ms = INTERVAL_MS[config.market.interval]
    speed = config.exchange.speed
    # the daemon's history ends where a bar can still be decided on
    begin = START_MS + (history_need(config).bars + 1) * interval_ms + decidable_ms(config)
    begin = max(begin, next_bar_ms(folder, interval_ms))
    market = PracticeMarket(
        made_market(config),
        half_spread_bps=config.practice.half_spread_bps,
        ticks_per_bar=config.practice.ticks_per_bar,
    )
    server = await serve(market, RealClock(begin, speed))
    inside = config.exchange.model_copy(
        update={"rest_url": server.rest_url, "stream_url": server.stream_url}
    )
    settings = config.model_copy(update={"exchange": inside})
    exchange = open_bybit(settings, on_wait=waits.on_wait, on_fault=on_fault, on_jump=on_jump)
    try:
        yield exchange
    finally:
        exchange.close()
        await server.close()


def next_bar_ms(folder: RunFolder, interval_ms: int) -> int:
    """Return the open time of the first bar that the run has not seen, 0 for a new run."""
    if not folder.journal.exists():
        return 0
    with open_record(folder) as record:
        last = record.span("bars").last
    return 0 if last is None else last + interval_ms

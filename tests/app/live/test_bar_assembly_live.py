"""The assembler behind the adapter, on a practice exchange with its faults on."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import numpy as np
import pytest

from bot.adapters.bybit.clock import ServerClock
from bot.adapters.bybit.opening import open_bybit
from bot.app.live.bar_assembly import BarAssembler
from bot.app.live.closed_bar import ClosedBar, candles_of
from bot.config import load_config
from bot.config.schema import Synthetic
from bot.practice.clock import ManualClock
from bot.practice.exchange import serve
from bot.practice.faults import Faults
from bot.practice.market import PracticeMarket
from bot.practice.synthetic import START_MS, SyntheticMarket
from bot.timegrid import HOUR_MS

FIRST, BARS = 300, 24
SYMBOLS = ("SYN0USDT", "SYN1USDT", "SYN2USDT")
DEADLINE_MS, TRADABLE_MS = 5_000, 30_000


@pytest.mark.parametrize(
    "faults",
    [
        Faults(),
        Faults(lost_confirm=0.3, duplicate=0.3, reorder=0.3),
        Faults(drop=0.1, garbage=0.3, late_confirm=0.3, late_ms=HOUR_MS),
        Faults(rate_limited=0.2, unavailable=0.2, lost_confirm=0.5),
        Faults(mute=True),
    ],
    ids=["none", "lost", "cut", "requests", "mute"],
)
async def test_every_bar_is_the_exchanges_own_whatever_fails(faults: Faults) -> None:
    clock = ManualClock(START_MS + FIRST * HOUR_MS, real_pauses=True)
    source = SyntheticMarket(Synthetic(symbols=3, bars=1000), HOUR_MS)
    practice = await serve(PracticeMarket(source), clock, faults=faults)
    config = load_config(
        sets=[
            "exchange.source=practice", f"exchange.rest_url={practice.rest_url}",
            f"exchange.stream_url={practice.stream_url}", "exchange.requests_per_second=100",
            "exchange.reconnect_first_s=0.001", "exchange.reconnect_longest_s=0.002",
            "exchange.request_tries=20",
        ],
        environ={},
    )  # fmt: skip
    exchange = open_bybit(
        config, clock=ServerClock(wall_ms=lambda: 0, monotonic=lambda: clock.now_ms() / 1000.0)
    )
    bars = BarAssembler(SYMBOLS, HOUR_MS, DEADLINE_MS, TRADABLE_MS, clock.now_ms())

    async def listen() -> None:
        async with aclosing(exchange.stream(SYMBOLS, "1h")) as events:
            async for event in events:
                bars.feed(event)

    closed: list[ClosedBar] = []
    listening = asyncio.create_task(listen())
    async with asyncio.timeout(60.0):
        while bars.counters.connects == 0:
            await asyncio.sleep(0.001)
        for _ in range(BARS):
            await clock.advance(HOUR_MS - clock.now_ms() % HOUR_MS)
            await asyncio.sleep(0.002)  # pybit's thread has a turn
            await clock.advance(DEADLINE_MS)
            while (awaited := bars.awaited(exchange.now_ms())).complete or awaited.missing:
                if awaited.complete:
                    closed.append(bars.close(exchange.now_ms()))
                for span in awaited.missing:
                    answer = await exchange.klines(span.symbol, "1h", span.first, span.last)
                    bars.accept(span, answer, exchange.now_ms())
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    exchange.close()
    await practice.close()
    truth = source.block(FIRST, len(closed))
    assert len(closed) == BARS
    for i, bar in enumerate(closed):
        block = candles_of(bar)
        assert block.open_time[0] == truth.open_time[i]
        assert block.valid.all()
        assert bar.tradable
        for name in ("open", "high", "low", "close"):
            np.testing.assert_array_equal(getattr(block, name)[0], getattr(truth, name)[i])
    assert bars.counters.revisions == 0
    assert bars.counters.absent == 0

"""One symbol that is silent, refused or odd costs the others nothing, and comes back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.bybit import subscriptions as bybit_subscriptions
from bot.adapters.bybit.clock import ServerClock
from bot.adapters.bybit.opening import open_bybit
from bot.adapters.exchange import Candle, Connected, Disconnected, Event
from bot.config import load_config
from bot.config.schema import Synthetic
from bot.practice.clock import ManualClock
from bot.practice.exchange import serve
from bot.practice.faults import Faults
from bot.practice.market import PracticeMarket
from bot.practice.synthetic import START_MS, SyntheticMarket
from bot.timegrid import HOUR_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import Rehearsal, Script

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

ODD = "SYN2USDT"


def odd_during(first_bar: int, bars: float, *, stays_silent: bool = True) -> Script:
    """Let a symbol be silent and its answers of no use for so many bars."""

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.pause(first_bar * HOUR_MS)
        exchange.switch.change({"silent": 1})
        exchange.odd.add(ODD)
        await exchange.clock.pause(bars * HOUR_MS)
        exchange.odd.clear()
        if not stays_silent:
            exchange.switch.change({"silent": 0})

    return script


def test_an_odd_symbol_misses_its_bars_and_the_others_are_decided_in_time(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", "synthetic.missing=0")
    rehearsal.run(20, script=odd_during(5, 6.0))
    proof = prove(rehearsal.folder, rehearsal.source)
    assert proof.late == 0, "no bar is late for the sake of one symbol"
    missing = (~proof.bars.valid).sum(axis=0).tolist()
    assert missing[:2] == [0, 0]
    assert missing[2] == proof.holes == 6
    assert proof.bars.valid[-3:].all(), "it comes back by itself, by requests alone"
    decided = {(e["bar"], e["symbol"]) for e in rehearsal.events("decision")}
    assert len(decided) == 3 * 20 - 6
    feed = rehearsal.events("feed")
    assert feed[-1]["absent"] == 6


def test_an_odd_symbol_does_not_hold_up_catching_up(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", "synthetic.missing=0")
    rehearsal.run(4)

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        exchange.odd.add(ODD)
        await exchange.clock.pause(3 * HOUR_MS)
        exchange.odd.clear()

    begin = rehearsal.begin_ms + 14 * HOUR_MS
    rehearsal.run(4, begin_ms=begin, script=script)
    proof = prove(rehearsal.folder, rehearsal.source)
    assert proof.late == 10
    assert (~proof.bars.valid).sum(axis=0).tolist()[:2] == [0, 0]
    assert proof.holes == (~proof.bars.valid[:, 2]).sum() >= 10
    assert proof.bars.tradable[-4:].all()


@asynccontextmanager
async def listening(
    venue: str, n: int, **faults: Any
) -> AsyncIterator[tuple[ManualClock, Any, list[Event]]]:
    """Stream hundreds of symbols of a practice exchange that has such faults."""
    clock = ManualClock(START_MS + 300 * HOUR_MS, real_pauses=True)
    market = PracticeMarket(
        SyntheticMarket(Synthetic(symbols=n, bars=500), HOUR_MS), ticks_per_bar=3
    )
    practice = await serve(market, clock, faults=Faults(**faults))
    config = load_config(
        sets=[
            f"exchange.rest_url={practice.rest_url}", f"exchange.stream_url={practice.stream_url}",
            "exchange.source=practice", f"market.venue={venue}", "exchange.stale_after_s=3600",
        ],
        environ={},
    )  # fmt: skip

    async def sleep(seconds: float) -> None:
        await clock.sleep_until(clock.now_ms() + max(int(seconds * 1000), 1))

    exchange = open_bybit(
        config,
        clock=ServerClock(wall_ms=clock.now_ms, monotonic=lambda: clock.now_ms() / 1000.0),
        sleep=sleep,
    )
    events: list[Event] = []

    async def listen() -> None:
        async with aclosing(exchange.stream(market.symbols, "1h")) as stream:
            async for event in stream:
                events.append(event)

    task = asyncio.create_task(listen())
    try:
        yield clock, practice, events
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        exchange.close()
        await practice.close()


async def until(condition: Any) -> None:
    async with asyncio.timeout(30.0):
        while not condition():
            await asyncio.sleep(0.002)


async def tick(clock: ManualClock, events: list[Event], symbols: int) -> None:
    """Let the exchange push once, and wait until all has come."""

    def candles() -> int:
        return sum(isinstance(e, Candle) for e in events)

    seen = candles()
    await clock.advance(HOUR_MS // 3)
    await until(lambda: candles() >= seen + symbols)


def names(events: list[Event], kind: type[Connected] | type[Disconnected]) -> list[str]:
    return [s for e in events if isinstance(e, kind) for s in e.symbols]


@pytest.mark.parametrize(("venue", "n"), [("bybit_linear", 300), ("bybit_spot", 120)])
async def test_refused_symbols_among_hundreds_cost_the_others_nothing(venue: str, n: int) -> None:
    async with listening(venue, n, unlisted=2) as (clock, practice, events):
        await until(lambda: any(isinstance(e, Connected) for e in events))
        gone = {f"SYN{n - 1}USDT", f"SYN{n - 2}USDT"}
        assert set(names(events, Disconnected)) == gone
        assert len(names(events, Connected)) == n - 2
        assert practice.state()["connections"] == 1
        practice.switch.change({"unlisted": 0})
        await clock.advance(61_000)
        await until(lambda: gone <= set(names(events, Connected)))
        await clock.advance(HOUR_MS - clock.now_ms() % HOUR_MS)
        await until(
            lambda: len({e.symbol for e in events if isinstance(e, Candle) and e.confirm}) == n
        )
        assert len({e.session for e in events if isinstance(e, Connected)}) == 1


async def test_a_silent_symbol_keeps_the_link_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # an answer takes wall time, in which the test's clock moves on by minutes
    monkeypatch.setattr(bybit_subscriptions, "ANSWER_TIMEOUT_S", 1e9)
    async with listening("bybit_linear", 200, silent=1) as (clock, practice, events):
        await until(lambda: any(isinstance(e, Connected) for e in events))
        while not names(events, Disconnected):
            await tick(clock, events, 199)
        assert set(names(events, Disconnected)) == {"SYN199USDT"}
        assert {e.session for e in events if isinstance(e, Connected)} == {1}
        assert practice.state()["connections"] == 1
        practice.switch.change({"silent": 0})
        while "SYN199USDT" not in names(events, Connected)[200:]:
            await tick(clock, events, 199)
        assert {e.session for e in events if isinstance(e, Connected)} == {1}

"""The adapter through pybit, unmodified, against the practice exchange."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from aiohttp import WSMsgType, web

from bot.adapters.bybit.asking import open_session
from bot.adapters.bybit.clock import ServerClock
from bot.adapters.bybit.exchange import BybitExchange
from bot.adapters.bybit.opening import open_bybit
from bot.adapters.bybit.socket import BybitSocket, Inbox, Socket
from bot.adapters.bybit.threads import DaemonPool
from bot.adapters.exchange import (
    BadFrame,
    Candle,
    Connected,
    Disconnected,
    Event,
    Exchange,
    Klines,
    Quote,
)
from bot.adapters.files.candles import Candles
from bot.config import Config, load_config
from bot.config.schema import Synthetic
from bot.errors import ConfigError, ExchangeError, UnlistedError
from bot.practice.clock import ManualClock
from bot.practice.exchange import PracticeExchange, serve
from bot.practice.faults import Faults
from bot.practice.instruments import instrument
from bot.practice.market import PracticeMarket
from bot.practice.synthetic import START_MS, SyntheticMarket, symbol_names
from bot.timegrid import HOUR_MS

NOW = START_MS + 500 * HOUR_MS
SYMBOLS = ("SYN0USDT", "SYN1USDT")


def settings(rest_url: str, stream_url: str, *sets: str) -> Config:
    return load_config(
        sets=[
            "exchange.source=practice",
            f"exchange.rest_url={rest_url}",
            f"exchange.stream_url={stream_url}",
            "exchange.requests_per_second=100",
            "exchange.reconnect_first_s=0.001",
            "exchange.reconnect_longest_s=0.002",
            "market.symbols=SYN0USDT,SYN1USDT",
            *sets,
        ],
        environ={},
    )


class Desk:
    """A practice exchange that stands still until told, and the adapter that talks to it."""

    def __init__(self, practice: PracticeExchange, clock: ManualClock, *sets: str) -> None:
        self.practice, self.clock = practice, clock
        self.config = settings(practice.rest_url, practice.stream_url, *sets)
        manual = ServerClock(wall_ms=lambda: 0, monotonic=lambda: clock.now_ms() / 1000.0)
        self.exchange = open_bybit(self.config, clock=manual)
        self.events: list[Event] = []

    async def collect(self, symbols: tuple[str, ...] = SYMBOLS) -> None:
        async with aclosing(self.exchange.stream(symbols, "1h")) as events:
            async for event in events:
                self.events.append(event)

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def is_connected(self) -> bool:
        turns = [e for e in self.events if isinstance(e, Connected | Disconnected)]
        return isinstance(turns[-1], Connected)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10.0):
            while not condition():
                await asyncio.sleep(0.001)


@asynccontextmanager
async def desk(*sets: str, faults: Faults | None = None) -> AsyncIterator[Desk]:
    clock = ManualClock(NOW, real_pauses=True)
    inverse = "market.venue=bybit_inverse" in sets
    source = SyntheticMarket(Synthetic(symbols=2, bars=1000), HOUR_MS, inverse=inverse)
    market = PracticeMarket(source)
    practice = await serve(market, clock, faults=faults)
    one = Desk(practice, clock, *sets)
    try:
        yield one
    finally:
        one.exchange.close()
        await practice.close()


@asynccontextmanager
async def streaming(
    *sets: str, faults: Faults | None = None, symbols: tuple[str, ...] = SYMBOLS
) -> AsyncIterator[Desk]:
    async with desk(*sets, faults=faults) as one:
        task = asyncio.create_task(one.collect(symbols))
        try:
            yield one
            assert not task.done(), "the stream has ended"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_requests() -> None:
    async with desk() as one:
        exchange: Exchange = one.exchange
        await one.clock.advance(30 * 60_000)
        assert await exchange.server_time_ms() == one.clock.now_ms() == exchange.now_ms()
        answer = await exchange.klines("SYN0USDT", "1h", NOW - 3 * HOUR_MS, NOW + 9 * HOUR_MS)
        candles = answer.candles
        assert NOW <= answer.over_ms < NOW + HOUR_MS
        assert ((answer.forming.time - NOW) // HOUR_MS).tolist() == [0]
        assert ((candles.time - NOW) // HOUR_MS).tolist() == [-3, -2, -1], (
            "the open one is left out"
        )
        marks = await exchange.marks("SYN0USDT", "1h", NOW - 3 * HOUR_MS, NOW)
        assert marks.time.tolist() == candles.time.tolist()
        funding = await exchange.funding("SYN0USDT", NOW - 24 * HOUR_MS, NOW)
        assert len(funding.time) == 3
        assert np.all(funding.time % (8 * HOUR_MS) == 0)
        assert set(await exchange.instruments(SYMBOLS)) == set(SYMBOLS)
        [quote] = await one.exchange.quote_all(["SYN1USDT"])
        assert quote.usable
        assert quote.next_funding_ms is not None
        assert quote.next_funding_ms > NOW


@pytest.mark.parametrize("status", ["PreLaunch", "Delivering", "Closed", "Settling"])
async def test_a_symbol_that_is_not_traded_now_is_named(status: str) -> None:
    def told_of(market: PracticeMarket, s: int, category: str, now_ms: int) -> dict[str, object]:
        return instrument(market, s, category, now_ms) | ({"status": status} if s == 1 else {})

    async with desk() as one:
        with patch("bot.practice.rest.instrument", told_of):
            with pytest.raises(ConfigError, match=f"SYN1USDT is {status}: .*leave it out"):
                await one.exchange.instruments(SYMBOLS)
            assert set(await one.exchange.instruments(["SYN0USDT"])) == {"SYN0USDT"}


async def test_symbols_that_are_not_listed_are_named() -> None:
    async with desk() as one:
        with pytest.raises(ConfigError, match=r"market\.symbols: Bybit does not list NOSUCH"):
            await one.exchange.instruments(["SYN0USDT", "NOSUCH"])
        assert await one.exchange.quote_all(["NOSUCH"]) == []
        with pytest.raises(UnlistedError, match="linear NOSUCH 60"):
            await one.exchange.klines("NOSUCH", "1h", NOW - HOUR_MS, NOW)
        with pytest.raises(UnlistedError, match="NOSUCH"):
            await one.exchange.funding("NOSUCH", NOW - HOUR_MS, NOW)


@pytest.mark.parametrize("others", [1, 20], ids=["asked one by one", "asked all at once"])
async def test_a_symbol_that_is_not_listed_has_no_quote_and_the_others_have(others: int) -> None:
    async with desk() as one:
        quotes = await one.exchange.quote_all(["SYN0USDT", *(f"NOSUCH{i}" for i in range(others))])
        assert [quote.symbol for quote in quotes] == ["SYN0USDT"]


async def test_a_candle_that_cannot_be_true_is_left_out_and_told() -> None:
    class Rest:
        def klines(self, *args: object) -> Iterator[Klines]:
            rows = np.tile([10.0, 11.0, 9.0, 10.0, 1.0, 10.0], (3, 1))
            rows[1, 1] = 9.5  # the high below the close
            times = NOW + HOUR_MS * np.arange(3, dtype=np.int64)
            yield Klines(Candles(times, rows), NOW + 3 * HOUR_MS, Candles.empty())

    def unused(category: str, inbox: Inbox) -> Socket:
        raise AssertionError("no stream is asked for")

    told: list[tuple[int, str]] = []
    clock = ServerClock(wall_ms=lambda: NOW, monotonic=lambda: 0.0)
    clock.answered(NOW, 0.0, 0.0)
    config = settings("http://127.0.0.1:9", "ws://127.0.0.1:9")
    exchange = BybitExchange(
        config, DaemonPool([Rest()]), clock, unused, asyncio.sleep, lambda: 1.0,  # type: ignore[list-item]
        lambda count, text: told.append((count, text)),
    )  # fmt: skip
    candles = (await exchange.klines("BTCUSDT", "1h", NOW, NOW + 2 * HOUR_MS)).candles
    await exchange.klines("BTCUSDT", "1h", NOW, NOW + 2 * HOUR_MS)
    exchange.close()
    assert ((candles.time - NOW) // HOUR_MS).tolist() == [0, 2]
    assert [count for count, _ in told] == [1, 2]
    assert "BTCUSDT" in told[0][1]
    assert "high 9.5 is below" in told[0][1]


@pytest.mark.parametrize("listed", [True, False])
async def test_that_a_symbol_is_unlisted_is_believed_only_with_the_instruments(
    listed: bool,
) -> None:
    class Rest:
        def klines(self, *args: object) -> Iterator[Klines]:
            raise UnlistedError("the exchange refuses: Not supported symbols")

        def lists(self, venue: str, symbol: str) -> bool:
            assert (venue, symbol) == ("bybit_linear", "BTCUSDT")
            return listed

    clock = ServerClock(wall_ms=lambda: NOW, monotonic=lambda: 0.0)
    config = settings("http://127.0.0.1:9", "ws://127.0.0.1:9")
    exchange = BybitExchange(
        config, DaemonPool([Rest()]), clock, lambda category, inbox: BybitSocket("", inbox, "", testnet=False),  # type: ignore[list-item]
        asyncio.sleep, lambda: 1.0, None,
    )  # fmt: skip
    with pytest.raises(ExchangeError) as caught:
        await exchange.klines("BTCUSDT", "1h", NOW, NOW)
    exchange.close()
    assert isinstance(caught.value, UnlistedError) is not listed


@asynccontextmanager
async def stream_server(handle: Any) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes([web.get("/v5/public/linear", handle)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def first_loss(stream_url: str) -> str:
    """Return why a stream ends its first session, what comes before left out."""
    async with desk() as one:
        exchange = open_bybit(settings(one.practice.rest_url, stream_url))
        async with aclosing(exchange.stream(SYMBOLS, "1h")) as events, asyncio.timeout(10.0):
            while not isinstance(event := await anext(events), Disconnected):
                pass
        exchange.close()
        return event.reason


async def test_the_stream_follows_no_redirect() -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.WebSocketResponse:
        asked.append("elsewhere")
        raise web.HTTPGone

    async with stream_server(elsewhere) as other:

        async def handle(request: web.Request) -> web.WebSocketResponse:
            raise web.HTTPFound(f"{other}/v5/public/linear")

        async with stream_server(handle) as address:
            assert "no connection to the stream" in await first_loss(address)
    assert asked == []


async def test_a_message_that_is_too_long_ends_the_connection() -> None:
    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:  # once it has been asked for something
            await socket.send_str(" " * 2_000_000)
        return socket

    async with stream_server(handle) as address:
        assert "a frame of 2,000,000 bytes" in await first_loss(address)


async def test_spot_and_linear_together() -> None:
    async with desk() as one:
        quotes = await one.exchange.quote_all(["SYN0USDT", "bybit_spot:SYN0USDT"])
        assert [q.symbol for q in quotes] == ["SYN0USDT", "bybit_spot:SYN0USDT"]
        assert np.isfinite(quotes[0].mark)
        assert np.isnan(quotes[1].mark)


@pytest.mark.parametrize("venue", ["bybit_linear", "bybit_inverse", "bybit_spot"])
async def test_candles_and_quotes_are_streamed(venue: str) -> None:
    symbols = symbol_names(2, inverse=venue == "bybit_inverse")
    async with streaming(f"market.venue={venue}", symbols=symbols) as one:
        await one.until(lambda: bool(one.of(Connected)))
        assert one.of(Connected) == [Connected(1, symbols)]
        await one.clock.advance(HOUR_MS)
        await one.until(lambda: sum(c.confirm for c in one.of(Candle)) == 2)
        for symbol in symbols:
            (closed,) = [c for c in one.of(Candle) if c.confirm and c.symbol == symbol]
            asked = await one.exchange.klines(symbol, "1h", NOW, NOW)
            assert list(closed.values) == asked.candles.values[0].tolist()
            assert closed.received_ms >= NOW + HOUR_MS
            quotes = [q for q in one.of(Quote) if q.symbol == symbol]
            assert quotes
            assert all(q.usable for q in quotes)
            assert np.isfinite(quotes[-1].mark) == (venue != "bybit_spot")
        assert not one.of(BadFrame)


async def test_every_fault_of_the_stream_at_once_ends_nothing() -> None:
    faults = Faults(
        seed=3, drop=0.05, garbage=0.3, duplicate=0.3, reorder=0.3, lost_confirm=0.2, revision=0.2
    )
    async with streaming(faults=faults) as one:
        await one.until(lambda: bool(one.of(Connected)))
        for _ in range(24):
            await one.clock.advance(HOUR_MS // 2)
            await asyncio.sleep(0.005)
            await one.until(one.is_connected)
        await one.until(lambda: bool(one.of(BadFrame)))
        assert one.of(Disconnected)
        sessions = [c.session for c in one.of(Connected)]
        assert sessions == sorted(set(sessions))
        assert any(c.confirm for c in one.of(Candle))


async def test_a_symbol_the_stream_refuses_is_reported_and_tried_again() -> None:
    async with desk() as one:
        task = asyncio.create_task(one.collect(("NOSUCH",)))
        await one.until(lambda: len(one.of(Disconnected)) >= 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert "Invalid symbol" in one.of(Disconnected)[0].reason


async def test_a_symbol_the_stream_refuses_does_not_keep_the_others_out() -> None:
    async with desk() as one:
        task = asyncio.create_task(one.collect(("SYN0USDT", "NOSUCH", "SYN1USDT")))
        await one.until(lambda: bool(one.of(Connected)))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert one.of(Connected)[0].symbols == ("SYN0USDT", "SYN1USDT")
        assert [lost.symbols for lost in one.of(Disconnected)] == [("NOSUCH",)]


async def test_polling_yields_the_same_candles() -> None:
    async with streaming("market.feed=poll", "exchange.poll_s=0.1") as one:
        await one.until(lambda: len(one.of(Quote)) >= 2)
        assert one.of(Connected) == [Connected(1, SYMBOLS)]
        await one.clock.advance(HOUR_MS + 2000)
        await one.until(lambda: sum(c.confirm for c in one.of(Candle)) == 2)
        for symbol in SYMBOLS:
            mine = [c for c in one.of(Candle) if c.symbol == symbol]
            assert [(c.open_time - NOW) // HOUR_MS for c in mine] == [0, 1]
            assert [c.confirm for c in mine] == [True, False]
            asked = await one.exchange.klines(symbol, "1h", NOW, NOW)
            assert list(mine[0].values) == asked.candles.values[0].tolist()


async def test_a_skewed_exchange_is_gone_by() -> None:
    async with streaming(faults=Faults(clock_skew_ms=90_000)) as one:
        await one.until(lambda: bool(one.of(Connected)))
        assert one.exchange.now_ms() == one.clock.now_ms() + 90_000


async def test_without_an_exchange_it_says_so_and_keeps_trying() -> None:
    config = settings("http://127.0.0.1:9", "ws://127.0.0.1:9", "exchange.request_tries=1")
    exchange = open_bybit(config)
    reasons: list[str] = []
    async with aclosing(exchange.stream(["BTCUSDT"], "1h")) as events, asyncio.timeout(10.0):
        while len(reasons) < 3:
            event = await anext(events)
            assert isinstance(event, Disconnected)
            reasons.append(event.reason)
    assert all("cannot be reached" in reason for reason in reasons)
    with pytest.raises(ExchangeError, match="cannot be reached"):
        await exchange.klines("BTCUSDT", "1h", 0, HOUR_MS)
    exchange.close()


async def test_the_stream_closes_within_a_second_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    async with desk() as one:
        task = asyncio.create_task(one.collect())
        await one.until(lambda: bool(one.of(Connected)))
        began = time.monotonic()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert time.monotonic() - began < 1.0
    await one.until(lambda: not {t for t in set(threading.enumerate()) - before if not t.daemon})


@asynccontextmanager
async def mute_server() -> AsyncIterator[str]:
    """Serve a port that takes the connection and never says a word, not even at closing."""

    writers: list[asyncio.StreamWriter] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.close()
            await writer.wait_closed()


async def test_it_closes_within_a_second_also_while_connecting() -> None:
    async with mute_server() as address, desk() as one:
        config = settings(one.practice.rest_url, f"ws://{address}")
        exchange = open_bybit(config)
        events = exchange.stream(SYMBOLS, "1h")
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await events.aclose()
        assert time.monotonic() - began < 1.0
        exchange.close()


async def test_frames_that_are_no_text_are_bad_frames() -> None:
    sent: list[web.WebSocketResponse] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sent.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT and "subscribe" in message.data:
                await socket.send_bytes(b"\xff\xfe")
                await socket.send_str('{"success":true,"ret_msg":"","op":"subscribe"}')
        return socket

    app = web.Application()
    app.add_routes([web.get("/v5/public/linear", handle)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with desk() as one:
        config = settings(one.practice.rest_url, f"ws://127.0.0.1:{runner.addresses[0][1]}/")
        exchange = open_bybit(config)
        async with aclosing(exchange.stream(SYMBOLS, "1h")) as events, asyncio.timeout(10.0):
            assert isinstance(await anext(events), BadFrame)
            assert await anext(events) == Connected(1, SYMBOLS)
        exchange.close()
    await runner.cleanup()


def test_the_practice_exchange_needs_an_address() -> None:
    config = load_config(sets=["exchange.source=practice"], environ={})
    with pytest.raises(ConfigError, match="rest_url"):
        open_bybit(config)


def test_the_testnet_and_the_limit_are_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def noted(*given: Any) -> Any:
        session = open_session(*given)
        opened.append(session.endpoint)
        return session

    monkeypatch.setattr("bot.adapters.bybit.opening.open_session", noted)
    config = load_config(
        sets=["exchange.testnet=true", "exchange.requests_per_second=35"], environ={}
    )
    open_bybit(config)
    assert opened == ["https://api-testnet.bybit.com"] * 4


@pytest.mark.parametrize(
    "wrong",
    [
        ["exchange.reconnect_first_s=9", "exchange.reconnect_longest_s=2"],
        ["exchange.close_deadline_s=20", "exchange.decide_within_s=10"],
        ["exchange.rest_url=http://127.0.0.1:1"],
        ["exchange.speed=2"],
        ["exchange.stream_url=http://127.0.0.1:1"],
        ["exchange.requests_per_second=101"],
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"exchange\."):
        load_config(sets=wrong, environ={})

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

import pytest

from bot.adapters.bybit import stream as bybit_stream
from bot.adapters.bybit.clock import ServerClock
from bot.adapters.bybit.links import Link, plan_links
from bot.adapters.bybit.retry import Backoff
from bot.adapters.bybit.socket import Inbox
from bot.adapters.bybit.stream import BybitStream, Supervision
from bot.adapters.bybit.subscriptions import ANSWER_TIMEOUT_S, LONGEST_S, REFUSED_FIRST_S
from bot.adapters.exchange import BadFrame, Candle, Connected, Disconnected, Event, Quote
from bot.errors import ExchangeError

MINUTE = 60_000
ACCEPTED = json.dumps({"op": "subscribe", "success": True, "ret_msg": ""})


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake connection never blocks, and a thread takes time that no test can tell."""

    async def here(call: Callable[[], object]) -> object:
        return call()

    monkeypatch.setattr(bybit_stream, "in_daemon_thread", here)


class FakeTime:
    """Seconds that pass when told to; sleepers wake in their order."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        target = self.now + seconds
        await turns()
        while self._sleepers and self._sleepers[0][0] <= target:
            self.now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await turns()
        self.now = target


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class FakeSocket:
    """A connection that a test speaks through."""

    def __init__(self, category: str, inbox: Inbox, *, refuses: bool = False) -> None:
        self.category, self.inbox = category, inbox
        self.requests: list[tuple[str, ...]] = []
        self.ops: list[str] = []
        self.answer = ""
        self.closed = threading.Event()
        self._refuses = refuses

    def open(self) -> None:
        if self._refuses:
            raise ExchangeError("no connection to the stream")

    def request(self, op: str, topics: Sequence[str]) -> None:
        self.ops.append(op)
        self.requests.append(tuple(topics))
        if self.answer:
            self.inbox.put(self.answer)

    def close(self) -> None:
        self.closed.set()


class Bench:
    """A stream over fake connections, and the events that it has yielded."""

    def __init__(
        self, links: Sequence[Link], *, refusals: int = 0, stale_after_s: float = 60.0,
        new_socket: Callable[[str, Inbox], FakeSocket] | None = None,
    ) -> None:  # fmt: skip
        self.time = FakeTime()
        self.sockets: list[FakeSocket] = []
        self.events: list[Event] = []
        self.clock_checks = 0
        self.clock_fails = False
        self.changed = asyncio.Event()
        self._refusals = refusals
        self.clock = ServerClock(wall_ms=lambda: 0, monotonic=lambda: self.time.now)
        self.stream = BybitStream(
            links,
            Supervision(
                new_socket=new_socket or self._new_socket,
                check_clock=self._check_clock,
                clock=self.clock,
                backoff=Backoff(first_s=0.7, longest_s=8.0),
                stale_after_s=stale_after_s,
                clock_check_s=300.0,
                sleep=self.time.sleep,
                dice=lambda: 1.0,
            ),
        )

    def _new_socket(self, category: str, inbox: Inbox) -> FakeSocket:
        refuses = len(self.sockets) < self._refusals
        self.sockets.append(FakeSocket(category, inbox, refuses=refuses))
        return self.sockets[-1]

    async def _check_clock(self) -> None:
        self.clock_checks += 1
        if self.clock_fails:
            raise ExchangeError("no time")
        self.clock.answered(int(self.time.now * 1000.0), self.time.now, self.time.now)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5.0):
            while not condition():
                await asyncio.sleep(0)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    async def requested(self, socket: int, count: int = 1) -> FakeSocket:
        await self.until(lambda: len(self.sockets) > socket)
        await self.until(lambda: len(self.sockets[socket].requests) >= count)
        return self.sockets[socket]

    async def connected(self, socket: int = 0) -> FakeSocket:
        one = await self.requested(socket)
        before = len(self.of(Connected))
        one.inbox.put(ACCEPTED)
        await self.until(lambda: len(self.of(Connected)) > before)
        return one


@asynccontextmanager
async def running(links: Sequence[Link], **options: float) -> AsyncIterator[Bench]:
    bench = Bench(links, **options)  # type: ignore[arg-type]

    async def collect() -> None:
        async with aclosing(bench.stream.events()) as events:
            async for event in events:
                bench.events.append(event)

    task = asyncio.create_task(collect())
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert all(socket.closed.is_set() for socket in bench.sockets)


ONE = plan_links(["BTCUSDT"], "bybit_linear", "1")
TWO = plan_links(["BTCUSDT", "ETHUSDT"], "bybit_linear", "1")


def kline(symbol: str, bar: int, *, confirm: bool = True) -> str:
    row = {
        "start": bar * MINUTE, "end": (bar + 1) * MINUTE - 1, "open": "10", "close": "11",
        "high": "12", "low": "9", "volume": "3", "turnover": "33", "confirm": confirm,
    }  # fmt: skip
    return json.dumps(
        {"topic": f"kline.1.{symbol}", "type": "snapshot", "ts": row["end"], "data": [row]}
    )


def ticker(symbol: str, sort: str = "snapshot", ts: int = 1) -> str:
    data = {"bid1Price": "10", "ask1Price": "11"}
    return json.dumps({"topic": f"tickers.{symbol}", "type": sort, "ts": ts, "data": data})


async def test_all_topics_are_asked_at_once_and_the_events_come_through() -> None:
    async with running(TWO) as bench:
        socket = await bench.connected()
        assert socket.requests == [
            ("kline.1.BTCUSDT", "tickers.BTCUSDT", "kline.1.ETHUSDT", "tickers.ETHUSDT")
        ]
        assert bench.of(Connected) == [Connected(1, ("BTCUSDT", "ETHUSDT"))]
        bench.time.now = 1.5
        socket.inbox.put(kline("BTCUSDT", 0))
        socket.inbox.put(ticker("ETHUSDT"))
        await bench.until(lambda: len(bench.events) == 3)
        candle, quote = bench.events[1:]
        assert isinstance(candle, Candle)
        assert isinstance(quote, Quote)
        assert candle.received_ms == 1500
        assert quote.usable


async def test_spot_is_asked_in_parts_each_answered_before_the_next() -> None:
    links = plan_links([f"S{i}USDT" for i in range(12)], "bybit_spot", "1")
    async with running(links) as bench:
        socket = await bench.requested(0)
        assert [len(r) for r in socket.requests] == [10]
        for parts in (2, 3):
            socket.inbox.put(ACCEPTED)
            await bench.requested(0, parts)
            assert not bench.of(Connected)
        socket.inbox.put(ACCEPTED)
        await bench.until(lambda: len(bench.of(Connected)) == 1)
        assert [len(r) for r in socket.requests] == [10, 10, 4]


GARBAGE = ["{", "[]", "null", "{}", '{"topic": "what"}', ticker("BTCUSDT", "delta")]


async def test_bad_frames_are_counted_and_end_nothing() -> None:
    async with running(ONE) as bench:
        socket = await bench.connected()
        for text in [*GARBAGE, kline("BTCUSDT", 0)]:
            socket.inbox.put(text)
        await bench.until(lambda: bool(bench.of(Candle)))
        bad = bench.of(BadFrame)
        assert [b.count for b in bad if isinstance(b, BadFrame)] == [1, 2, 3, 4, 5, 6]
        assert not bench.of(Disconnected)


def waits(bench: Bench) -> list[float]:
    """Return the waits of the back-off: what was slept besides ticks and clock checks."""
    return [s for s in bench.time.slept if s not in {1.0, 300.0}]


async def test_a_lost_connection_is_made_anew_with_a_growing_wait() -> None:
    expected = [0.7, 1.4, 2.8, 5.6, 8.0]
    async with running(ONE, refusals=5) as bench:
        for wait_s in expected:
            await bench.until(lambda w=wait_s: waits(bench)[-1:] == [w])  # type: ignore[misc]
            await bench.time.advance(wait_s)
        socket = await bench.connected(5)
        assert waits(bench) == expected
        assert len(bench.of(Disconnected)) == 5
        socket.inbox.put(kline("BTCUSDT", 0))
        await bench.until(lambda: bool(bench.of(Candle)))
        socket.inbox.fail("the connection was closed")
        await bench.until(lambda: len(waits(bench)) == 6 == len(bench.of(Disconnected)))
        assert waits(bench)[-1] == 0.7, "a session that delivered starts the back-off anew"
        assert bench.of(Disconnected)[-1] == Disconnected("the connection was closed", ("BTCUSDT",))
        await bench.time.advance(0.7)
        await bench.connected(6)
        assert bench.events[-1] == Connected(7, ("BTCUSDT",))


async def test_a_refusal_of_the_only_symbol_ends_the_session() -> None:
    async with running(ONE) as bench:
        socket = await bench.requested(0)
        socket.inbox.put(
            json.dumps({"op": "subscribe", "success": False, "ret_msg": "Invalid symbol"})
        )
        await bench.until(lambda: bool(bench.of(Disconnected)))
        (lost,) = bench.of(Disconnected)
        assert isinstance(lost, Disconnected)
        assert "Invalid symbol" in lost.reason
        assert socket.closed.is_set()


def refusal(message: str) -> str:
    return json.dumps({"op": "subscribe", "success": False, "ret_msg": message})


BTC, ETH = ("kline.1.BTCUSDT", "tickers.BTCUSDT"), ("kline.1.ETHUSDT", "tickers.ETHUSDT")


async def keep_alive(bench: Bench, socket: FakeSocket, seconds: float, *topics: str) -> None:
    """Let time pass while these symbols are heard."""
    for _ in range(int(seconds // 10)):
        for symbol in topics:
            socket.inbox.put(kline(symbol, 0))
            socket.inbox.put(ticker(symbol))
        await turns()
        await bench.time.advance(10.0)


async def test_a_symbol_refused_by_name_is_left_out_and_comes_back_by_itself() -> None:
    async with running(TWO, stale_after_s=60.0) as bench:
        socket = await bench.requested(0)
        socket.inbox.put(refusal("error:handler not found,topic:kline.1.ETHUSDT"))
        await bench.requested(0, 2)
        assert socket.requests[1] == BTC
        socket.inbox.put(ACCEPTED)
        await bench.until(lambda: bool(bench.of(Connected)))
        assert bench.of(Connected) == [Connected(1, ("BTCUSDT",))]
        (lost,) = bench.of(Disconnected)
        assert isinstance(lost, Disconnected)
        assert lost.symbols == ("ETHUSDT",)
        asked_s: list[float] = []
        for _ in range(900):  # two and a half hours
            before = len(socket.requests)
            await keep_alive(bench, socket, 10.0, "BTCUSDT")
            if len(socket.requests) > before:
                assert socket.requests[-1] == ETH
                asked_s.append(bench.time.now)
                socket.inbox.put(refusal("Invalid symbol :[kline.1.ETHUSDT]"))
                await turns()
        waits = [b - a for a, b in itertools.pairwise([0.0, *asked_s])]
        assert waits[0] == pytest.approx(REFUSED_FIRST_S, abs=15.0)
        assert all(b == pytest.approx(2 * a, abs=25.0) for a, b in itertools.pairwise(waits[:6]))
        assert max(waits) <= LONGEST_S + 15.0
        assert len(bench.sockets) == 1, "the link lives"
        assert len(bench.of(Disconnected)) == 1
        while len(bench.of(Connected)) < 2:
            before = len(socket.requests)
            await keep_alive(bench, socket, 10.0, "BTCUSDT")
            if len(socket.requests) > before:
                socket.inbox.put(ACCEPTED)
                await turns()
        assert bench.of(Connected)[1] == Connected(1, ("ETHUSDT",))


async def test_a_refusal_that_names_nobody_is_found_by_halves() -> None:
    names = [f"S{i}USDT" for i in range(300)]
    async with running(plan_links(names, "bybit_linear", "1")) as bench:
        socket = await bench.requested(0)
        answered = 0
        async with asyncio.timeout(10.0):
            while not bench.of(Connected):
                await bench.requested(0, answered + 1)
                bad = any(t.endswith(".S77USDT") for t in socket.requests[answered])
                answered += 1
                socket.inbox.put(refusal("error:params") if bad else ACCEPTED)
                await turns()
        (up,) = bench.of(Connected)
        assert isinstance(up, Connected)
        assert len(up.symbols) == 299
        assert [e.symbols for e in bench.of(Disconnected) if isinstance(e, Disconnected)] == [
            ("S77USDT",)
        ]
        assert answered < 25


async def test_a_topic_that_is_had_already_does_not_keep_the_others_out() -> None:
    async with running(TWO) as bench:
        socket = await bench.requested(0)
        socket.inbox.put(refusal("error:already subscribed,topic:kline.1.BTCUSDT"))
        await bench.requested(0, 2)
        assert socket.requests[1] == ("tickers.BTCUSDT", *ETH)
        socket.inbox.put(ACCEPTED)
        await bench.until(lambda: bool(bench.of(Connected)))
        assert bench.of(Connected) == [Connected(1, ("BTCUSDT", "ETHUSDT"))]


async def test_spot_goes_on_after_a_refusal_among_hundreds() -> None:
    names = [f"S{i}USDT" for i in range(200)]
    async with running(plan_links(names, "bybit_spot", "1")) as bench:
        socket = await bench.requested(0)
        answered = 0
        async with asyncio.timeout(10.0):
            while not bench.of(Connected):
                await bench.requested(0, answered + 1)
                asked = socket.requests[answered]
                answered += 1
                bad = [t for t in asked if t.endswith((".S7USDT", ".S9USDT", ".S150USDT"))]
                socket.inbox.put(refusal(f"Invalid symbol :[{bad[0]}]") if bad else ACCEPTED)
                await turns()
        assert max(map(len, socket.requests)) == 10
        (up,) = bench.of(Connected)
        assert isinstance(up, Connected)
        assert len(up.symbols) == 197


async def test_where_all_are_refused_all_are_tried_again() -> None:
    async with running(ONE) as bench:
        for turn in range(2):
            socket = await bench.requested(turn)
            assert socket.requests == [("kline.1.BTCUSDT", "tickers.BTCUSDT")]
            socket.inbox.put(
                json.dumps(
                    {"op": "subscribe", "success": False, "ret_msg": "Invalid symbol :[BTCUSDT]"}
                )
            )
            await bench.until(lambda turn=turn: len(bench.of(Disconnected)) > turn)  # type: ignore[misc]
            await bench.time.advance(2.0)


async def test_a_silent_symbol_is_asked_for_again_alone_and_the_link_lives() -> None:
    async with running(TWO) as bench:
        socket = await bench.connected()
        socket.answer = ACCEPTED
        asked_s: list[float] = []
        for _ in range(360):  # an hour
            before = len(socket.ops)
            await keep_alive(bench, socket, 10.0, "BTCUSDT")
            asked_s += [bench.time.now] * socket.ops[before:].count("subscribe")
        assert socket.requests[1:] == [ETH] * (2 * len(asked_s))
        assert len(bench.sockets) == 1, "the link of the others lives"
        (lost,) = bench.of(Disconnected)
        assert lost == Disconnected(
            "kline.1.ETHUSDT, tickers.ETHUSDT is silent for 60 s", ("ETHUSDT",)
        )
        waits = [b - a for a, b in itertools.pairwise(asked_s)]
        assert 4 <= len(asked_s) <= 7
        assert all(b > 1.5 * a for a, b in itertools.pairwise(waits))
        for topic in (kline("ETHUSDT", 0), ticker("ETHUSDT")):
            socket.inbox.put(topic)
        await bench.until(lambda: len(bench.of(Connected)) == 2)
        assert bench.of(Connected)[1] == Connected(1, ("ETHUSDT",))


async def test_where_nothing_at_all_is_heard_the_session_ends() -> None:
    async with running(TWO) as bench:
        await bench.connected()
        await bench.time.advance(63.0)
        await bench.until(lambda: bool(bench.of(Disconnected)))
        lost = bench.of(Disconnected)[-1]
        assert lost == Disconnected("nothing was heard for 60 s", ("BTCUSDT", "ETHUSDT"))


async def test_a_missing_answer_ends_the_session() -> None:
    async with running(ONE) as bench:
        await bench.requested(0)
        await bench.time.advance(ANSWER_TIMEOUT_S + 2.0)
        await bench.until(lambda: bool(bench.of(Disconnected)))
        (lost,) = bench.of(Disconnected)
        assert isinstance(lost, Disconnected)
        assert "no answer" in lost.reason


async def test_the_clock_is_checked_first_and_then_periodically() -> None:
    async with running(ONE, stale_after_s=3600.0) as bench:
        await bench.connected()
        assert bench.clock.measured
        first = bench.clock_checks
        bench.clock_fails = True
        await bench.time.advance(301.0)
        assert bench.clock_checks == first + 1
        assert not bench.of(Disconnected), "an old measure serves on"


async def test_without_the_time_nothing_is_opened() -> None:
    bench = Bench(ONE)
    bench.clock_fails = True
    events = bench.stream.events()
    async with aclosing(events), asyncio.timeout(5.0):
        assert await anext(events) == Disconnected("no time", ("BTCUSDT",))
    assert not bench.sockets[0].requests


async def test_frames_that_the_loop_cannot_keep_up_with_are_dropped_and_end_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bybit_stream, "INBOX_FRAMES", 3)
    async with running(ONE) as bench:
        socket = await bench.connected()
        for bar in range(5):  # without a turn of the loop between
            socket.inbox.put(kline("BTCUSDT", bar))
        assert socket.inbox.dropped == 2
        await bench.until(lambda: bool(bench.of(Disconnected)))
        assert len(bench.of(Candle)) == 3
        (lost,) = bench.of(Disconnected)
        assert isinstance(lost, Disconnected)
        assert "does not keep up" in lost.reason


async def test_a_consumer_that_stops_reading_holds_the_frames_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bybit_stream, "INBOX_FRAMES", 10)
    bench = Bench(ONE)
    events = bench.stream.events()
    async with aclosing(events), asyncio.timeout(5.0):
        first = asyncio.ensure_future(anext(events))
        socket = await bench.requested(0)
        socket.inbox.put(ACCEPTED)
        assert await first == Connected(1, ("BTCUSDT",))
        for bar in range(200):
            socket.inbox.put(kline("BTCUSDT", bar))
            await turns()
        assert socket.inbox.dropped > 0
        lost = ""
        while not lost:
            event = await anext(events)
            lost = event.reason if isinstance(event, Disconnected) else ""
        assert "does not keep up" in lost


async def test_links_live_apart() -> None:
    links = plan_links(["BTCUSDT", "bybit_spot:BTCUSDT"], "bybit_linear", "1")
    async with running(links) as bench:
        for number in (0, 1):
            await bench.connected(number)
        categories = [socket.category for socket in bench.sockets]
        assert sorted(categories) == ["linear", "spot"]
        bench.sockets[categories.index("spot")].inbox.fail("gone")
        await bench.until(lambda: bool(bench.of(Disconnected)))
        assert bench.of(Disconnected) == [Disconnected("gone", ("bybit_spot:BTCUSDT",))]
        bench.sockets[categories.index("linear")].inbox.put(kline("BTCUSDT", 0))
        await bench.until(lambda: bool(bench.of(Candle)))


async def test_a_fault_of_our_own_is_raised_not_hidden() -> None:
    def broken(category: str, inbox: Inbox) -> FakeSocket:
        raise KeyError("a fault of ours")

    stream = Bench(ONE, new_socket=broken).stream
    async with aclosing(stream.events()) as events, asyncio.timeout(5.0):
        with pytest.raises(KeyError, match="a fault of ours"):
            await anext(events)

"""Bybit's public stream, supervised: connect, subscribe, watch, and begin anew with back-off.

Rules: nothing that comes over a connection can end the stream: a bad frame is counted and left out;
a refused subscription, a topic that falls silent, frames that the loop cannot keep up with, and a
lost connection end the session, and the next begins after a back-off that grows until data flow. A
symbol that the exchange refuses by name is left out for an hour, for with it nothing is subscribed.
The clock, the sleep and the dice are handed in. Must not know candles or quotes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from bot.adapters.bybit_clock import ServerClock
from bot.adapters.bybit_frames import Answer, FrameReader
from bot.adapters.bybit_links import Link
from bot.adapters.bybit_rest import CODE_MS
from bot.adapters.bybit_socket import Inbox, Socket
from bot.adapters.bybit_threads import in_daemon_thread
from bot.adapters.exchange import BadFrame, Connected, Disconnected, Event
from bot.adapters.retry import Backoff
from bot.errors import DataError, ExchangeError

INBOX_FRAMES = 20_000
"""Frames that may wait: some seconds of 500 symbols."""

ANSWER_TIMEOUT_S = 10.0
LEFT_OUT_S = 3600.0
"""Seconds after which a refused symbol is tried again, in the next session."""

CLOSE_PATIENCE_S = 0.5
_BATCHES = 64


@dataclass(frozen=True, slots=True)
class Supervision:
    """How a stream is kept alive.

    Attributes:
        new_socket: makes a connection of a category that fills an inbox.
        check_clock: asks the exchange's time; may raise ExchangeError.
        clock: stamps frames and measures silence.
        backoff: the waits between sessions.
        stale_after_s: silence of a topic that ends a session.
        clock_check_s: between two looks at the exchange's time.
        sleep, dice: asyncio.sleep and random.random, or what a test has instead.
    """

    new_socket: Callable[[str, Inbox], Socket]
    check_clock: Callable[[], Awaitable[object]]
    clock: ServerClock
    backoff: Backoff
    stale_after_s: float
    clock_check_s: float
    sleep: Callable[[float], Awaitable[None]]
    dice: Callable[[], float]


class RefusedError(ExchangeError):
    """The exchange refuses a subscription; `names` are the symbols that it complains of."""

    def __init__(self, message: str, names: tuple[str, ...]) -> None:
        super().__init__(f"the subscription is refused: {message}")
        self.names = names


class BybitStream:
    """The events of several connections as one."""

    def __init__(self, links: Sequence[Link], supervision: Supervision) -> None:
        self._links = links
        self._by = supervision
        self._sessions = 0
        self._out: asyncio.Queue[list[Event]] = asyncio.Queue(_BATCHES)

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield the events of all connections, until it is closed."""
        faults: list[BaseException] = []

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (fault := task.exception()) is not None:
                faults.append(fault)
                with suppress(asyncio.QueueFull):
                    self._out.put_nowait([])

        tasks = [asyncio.create_task(self._supervise(link)) for link in self._links]
        for task in tasks:
            task.add_done_callback(ended)
        try:
            while True:
                batch = await self._out.get()
                if faults:
                    raise faults[0]
                for event in batch:
                    yield event
        finally:
            await _end(tasks)

    async def _supervise(self, link: Link) -> None:
        failures = 0
        refused_s: dict[str, float] = {}
        while True:
            self._sessions += 1
            now_s = self._by.clock.monotonic()
            refused_s = {name: s for name, s in refused_s.items() if now_s - s < LEFT_OUT_S}
            session = _Session(link.without(refused_s), self._sessions, self._by, self._out)
            fault = await session.run()
            if isinstance(fault, RefusedError):
                refused_s |= dict.fromkeys(fault.names, self._by.clock.monotonic())
            failures = 1 if session.heard else failures + 1
            await self._out.put([Disconnected(str(fault), link.names)])
            await self._by.sleep(self._by.backoff.wait_s(failures, self._by.dice))


class _Session:
    """One connection, from opening to its end."""

    def __init__(
        self, link: Link, number: int, by: Supervision, out: asyncio.Queue[list[Event]]
    ) -> None:
        self.heard = False
        self._link, self._number, self._by, self._out = link, number, by, out
        self._inbox = Inbox(INBOX_FRAMES, by.clock.now_ms)
        names = {symbol: name for name, symbol in link.symbols}
        self._reader = FrameReader(names, link.code, CODE_MS[link.code])
        self._unasked = link.requests
        self._asked_s: float | None = None
        self._heard_s: dict[str, float] = {}
        self._bad_frames = 0

    async def run(self) -> ExchangeError:
        """Deliver events until the connection is lost; return why."""
        socket = self._by.new_socket(self._link.category, self._inbox)
        beside = [asyncio.create_task(self._watch()), asyncio.create_task(self._keep_clock())]
        try:
            if not self._by.clock.measured:  # frames are stamped by it
                await self._by.check_clock()
            await in_daemon_thread(socket.open)
            await self._ask(socket)
            while True:
                await self._take(await self._inbox.take(), socket)
        except ExchangeError as error:
            return error
        finally:
            self._inbox.fail("the session ended")
            await _end(beside)
            with suppress(TimeoutError):
                await asyncio.wait_for(in_daemon_thread(socket.close), CLOSE_PATIENCE_S)

    async def _ask(self, socket: Socket) -> None:
        topics = self._unasked.pop(0)
        self._asked_s = self._by.clock.monotonic()
        self._heard_s.update(dict.fromkeys(topics, self._asked_s))
        await in_daemon_thread(lambda: socket.request(topics))

    async def _take(self, frames: list[tuple[str | bytes, int]], socket: Socket) -> None:
        events: list[Event] = []
        answers = 0
        now_s = self._by.clock.monotonic()
        for frame, received_ms in frames:
            try:
                reading = self._reader.read(frame, received_ms)
            except DataError as error:
                self._bad_frames += 1
                events.append(BadFrame(self._bad_frames, str(error)))
                continue
            if isinstance(reading, Answer):
                if not reading.accepted:
                    raise RefusedError(reading.message, self._link.named_in(reading.message))
                answers += 1
            elif reading.topic:
                if reading.topic in self._heard_s:
                    self._heard_s[reading.topic] = now_s
                self.heard = True
                events.extend(reading.events)
        if answers and self._asked_s is not None:
            self._asked_s = None
            if self._unasked:
                await self._ask(socket)
            else:
                events.append(Connected(self._number, self._link.names))
        if events:
            await self._out.put(events)

    async def _watch(self) -> None:
        """End the session when an answer or a topic stays out."""
        while True:
            await self._by.sleep(min(1.0, self._by.stale_after_s / 4.0))
            now_s = self._by.clock.monotonic()
            if self._asked_s is not None and now_s - self._asked_s > ANSWER_TIMEOUT_S:
                self._inbox.fail(f"no answer to a subscription within {ANSWER_TIMEOUT_S:g} s")
            for topic, heard_s in self._heard_s.items():
                if now_s - heard_s > self._by.stale_after_s:
                    self._inbox.fail(f"{topic} is silent for {self._by.stale_after_s:g} s")

    async def _keep_clock(self) -> None:
        """Measure the exchange's time now and then; where it does not answer, go by the old."""
        while True:
            with suppress(ExchangeError):
                await self._by.check_clock()
            await self._by.sleep(self._by.clock_check_s)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

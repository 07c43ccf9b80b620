"""Bybit's public stream, supervised: connect, subscribe, watch, and begin anew with back-off.

Rules: nothing that comes over a connection can end the stream: a bad frame is counted and left out;
an answer or all data that stay out, frames that the loop cannot keep up with, and a lost connection
end the session, and the next begins after a back-off that grows until data flow. A symbol that is
refused or falls silent is dealt with alone (`bybit_subscriptions`). The clock, the sleep and the dice are handed in. Must not know candles or quotes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from bot.adapters.bybit.clock import ASK_AGAIN_S, ServerClock
from bot.adapters.bybit.frames import Answer, FrameReader
from bot.adapters.bybit.links import Link
from bot.adapters.bybit.rest import CODE_MS
from bot.adapters.bybit.retry import Backoff
from bot.adapters.bybit.socket import Inbox, Socket
from bot.adapters.bybit.subscriptions import Subscriptions
from bot.adapters.bybit.threads import in_daemon_thread
from bot.adapters.exchange import BadFrame, Disconnected, Event
from bot.errors import DataError, ExchangeError

INBOX_FRAMES = 20_000
"""Frames that may wait: some seconds of 500 symbols."""

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
        stale_after_s: silence of a symbol after which it is asked for again, and of all after which a
            session ends.
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
        while True:
            self._sessions += 1
            session = _Connection(link, self._sessions, self._by, self._out)
            fault = await session.run()
            failures = 1 if session.heard else failures + 1
            await self._out.put([Disconnected(str(fault), link.names)])
            await self._by.sleep(self._by.backoff.wait_s(failures, self._by.dice))


class _Connection:
    """One connection, from opening to its end."""

    def __init__(
        self, link: Link, number: int, by: Supervision, out: asyncio.Queue[list[Event]]
    ) -> None:
        self.heard = self._open = False
        self._category, self._by, self._out = link.category, by, out
        self._inbox = Inbox(INBOX_FRAMES, by.clock.now_ms)
        names = {symbol: name for name, symbol in link.symbols}
        self._reader = FrameReader(names, link.code, CODE_MS[link.code])
        self._subscriptions = Subscriptions(link, number, by.stale_after_s)
        self._bad_frames = 0

    async def run(self) -> ExchangeError:
        """Deliver events until the connection is lost; return why."""
        socket = self._by.new_socket(self._category, self._inbox)
        beside = [asyncio.create_task(self._watch(socket)), asyncio.create_task(self._keep_clock())]
        try:
            if not self._by.clock.measured:  # frames are stamped by it
                await self._by.check_clock()
            await in_daemon_thread(socket.open)
            self._open = True
            await self._ask(socket)
            while True:
                await self._take(await self._inbox.take())
                await self._ask(socket)
        except ExchangeError as error:
            return error
        finally:
            self._inbox.fail("the session ended")
            await _end(beside)
            with suppress(TimeoutError):
                await asyncio.wait_for(in_daemon_thread(socket.close), CLOSE_PATIENCE_S)

    async def _ask(self, socket: Socket) -> None:
        request = self._subscriptions.next_request(self._by.clock.monotonic())
        if request is not None:
            await in_daemon_thread(lambda: socket.request(request.op, request.topics))

    async def _take(self, frames: list[tuple[str | bytes, int]]) -> None:
        events: list[Event] = []
        now_s = self._by.clock.monotonic()
        for frame, received_ms in frames:
            try:
                reading = self._reader.read(frame, received_ms)
            except DataError as error:
                self._bad_frames += 1
                events.append(BadFrame(self._bad_frames, str(error)))
                continue
            if isinstance(reading, Answer):
                events += self._subscriptions.answered(reading.accepted, reading.message, now_s)
            elif reading.topic:
                self.heard = True
                events += [*self._subscriptions.heard(reading.topic, now_s), *reading.events]
        if events:
            await self._out.put(events)

    async def _watch(self, socket: Socket) -> None:
        """Look for who is silent or to be asked for again, and end the session that is unusable."""
        while True:
            await self._by.sleep(min(1.0, self._by.stale_after_s / 4.0))
            try:
                changes = self._subscriptions.check(self._by.clock.monotonic())
                if self._open:
                    await self._ask(socket)
            except ExchangeError as error:
                self._inbox.fail(str(error))
                return
            if changes:
                await self._out.put([*changes])

    async def _keep_clock(self) -> None:
        """Measure the exchange's time now and then; where it does not answer, go by the old."""
        while True:
            with suppress(ExchangeError):
                await self._by.check_clock()
            doubted = self._by.clock.doubted
            await self._by.sleep(ASK_AGAIN_S if doubted else self._by.clock_check_s)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""One client of the stream: what it subscribed to, what it was last sent, and its outgoing frames.

Rules: frames leave in the order in which they were given, by a task of the connection's own, so a
client that does not read holds up nobody; once too many wait, it is cut off. The faults of single
frames (garbage, duplicate, reorder) are made here, and only to data.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.practice.faults import FaultSwitch
from bot.practice.wire import Fields

MOST_WAITING = 100_000
"""Frames that may wait for a client before it is cut off."""

_GARBAGE = ('{"topic":"kline.', "[1,2,3]", '"text"', '{"type":"snapshot","ts":1,"data":[]}', "null")


@dataclass(frozen=True, slots=True)
class Topic:
    """A subscribed topic: its text, its kind (kline, tickers or orderbook), its symbol's index."""

    text: str
    kind: str
    symbol: int


class Connection:
    """A websocket with its subscriptions.

    Attributes:
        topics: by their text.
        sent: by a topic's text, the fields that its client knows after the last frame.
    """

    def __init__(
        self, number: int, category: str, socket: web.WebSocketResponse, switch: FaultSwitch
    ) -> None:
        self.number = number
        self.category = category
        self.id = f"practice-{number}"
        self.topics: dict[str, Topic] = {}
        self.sent: dict[str, Fields] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self._socket = socket
        self._switch = switch
        self._waiting: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self._held: str | None = None
        self._frames = 0

    def say(self, frame: dict[str, Any]) -> None:
        """Send a sound frame: an acknowledgement, a rejection, a pong."""
        self._put(json.dumps(frame))

    def push(self, text: str) -> None:
        """Send a frame of data, with such faults as strike it."""
        self._frames += 1
        key = (self.number, self._frames)
        if self._switch.strikes_now("garbage", *key):
            self._put(_GARBAGE[self._frames % len(_GARBAGE)])
        held, self._held = self._held, None
        if held is None and self._switch.strikes_now("reorder", *key):
            self._held = text
            return
        self._put(text)
        if self._switch.strikes_now("duplicate", *key):
            self._put(text)
        if held is not None:
            self._put(held)

    async def write(self) -> None:
        """Send what waits, until the client is gone."""
        try:
            while True:
                await self._socket.send_str(await self._waiting.get())
        except ConnectionError:
            self.cut()

    def cut(self) -> None:
        """End the connection without a word, as a broken line does."""
        writer = self._socket._writer  # aiohttp has no public way to its transport
        if writer is not None and writer.transport is not None:
            writer.transport.abort()

    async def close(self) -> None:
        """Say goodbye."""
        await self._socket.close(code=1001)

    def _put(self, text: str) -> None:
        if self._waiting.full():
            self.cut()
        else:
            self._waiting.put_nowait(text)

"""Bybit's public v5 stream as its clients meet it: connections, requests, answers, the ticks.

Rules: an acknowledgement comes 20 to 50 ms after the request, and data of a topic only after it.
Acknowledgements and pongs are always sound, whatever faults are on. What is sent of a topic is the
`publisher`'s.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

from aiohttp import WSMsgType, web

from bot.practice.clock import Clock
from bot.practice.connection import Connection, Topic
from bot.practice.faults import FaultSwitch
from bot.practice.market import PracticeMarket
from bot.practice.publisher import Publisher
from bot.practice.wire import CATEGORIES, period_of

_ACK_MS, _ACK_SPREAD_MS = 20.0, 30.0
_SPOT_ARGS = 10


class Rejection(Exception):  # noqa: N818 - an answer, not a failure of this program
    """A request that the stream refuses, in Bybit's words."""


class Stream:
    """All connections, and the task that pushes to them.

    `finished` is set once a source that ends has confirmed its last bar.
    """

    def __init__(self, market: PracticeMarket, clock: Clock, switch: FaultSwitch) -> None:
        self._market = market
        self._clock = clock
        self._switch = switch
        self._period = period_of(market.interval_ms)
        self._numbers = itertools.count(1)
        self._publisher = Publisher(market, clock, switch)
        self.connections: set[Connection] = set()
        self.finished = asyncio.Event()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it is gone."""
        category = request.match_info["category"]
        if category not in CATEGORIES:
            raise web.HTTPNotFound
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        connection = self.connect(category, socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self.receive(connection, message.data)
        finally:
            self.leave(connection)
        return socket

    def connect(self, category: str, socket: web.WebSocketResponse) -> Connection:
        """Take a client on."""
        connection = Connection(next(self._numbers), category, socket, self._switch)
        self.connections.add(connection)
        self._start(connection, connection.write())
        return connection

    def leave(self, connection: Connection) -> None:
        """Forget a client."""
        self.connections.discard(connection)
        for task in connection.tasks:
            task.cancel()

    async def run(self) -> None:
        """Push at every tick, `ticks_per_bar` a bar; fall behind in forming candles only."""
        market = self._market
        step = market.interval_ms // market.ticks_per_bar
        tick_ms = self._clock.now_ms()
        while not self.finished.is_set():
            into = (tick_ms - market.source.start_ms) % market.interval_ms
            next_into = min((into // step + 1) * step, market.interval_ms)
            if next_into > step * (market.ticks_per_bar - 1):
                next_into = market.interval_ms
            tick_ms += next_into - into
            await self._clock.sleep_until(tick_ms)
            behind = self._clock.now_ms() - tick_ms > market.interval_ms
            if not behind or next_into == market.interval_ms:
                self._drop(tick_ms)
                if self._publisher.push(self.connections, tick_ms):
                    self.finished.set()
                await asyncio.sleep(0)  # a clock that is ahead must not starve the clients

    async def close(self) -> None:
        """Say goodbye to all clients."""
        await asyncio.gather(*(connection.close() for connection in list(self.connections)))

    def cut_all(self) -> int:
        """Cut every connection and return how many there were."""
        cut = list(self.connections)
        for connection in cut:
            connection.cut()
        return len(cut)

    def _drop(self, tick_ms: int) -> None:
        for connection in list(self.connections):
            if self._switch.strikes_now("drop", connection.number, tick_ms):
                connection.cut()
                self.connections.discard(connection)

    def _start(self, connection: Connection, work: Any) -> None:
        task = asyncio.create_task(work)
        connection.tasks.add(task)
        task.add_done_callback(connection.tasks.discard)

    def receive(self, connection: Connection, text: str) -> None:
        """Take a client's request."""
        answer: dict[str, Any] = {"success": False, "ret_msg": "", "conn_id": connection.id}
        try:
            request = json.loads(text)
        except json.JSONDecodeError:
            connection.say({**answer, "ret_msg": "error:request is not JSON", "op": ""})
            return
        if not isinstance(request, dict):
            connection.say({**answer, "ret_msg": "error:request is no object", "op": ""})
            return
        op = str(request.get("op", ""))
        answer |= {"req_id": str(request.get("req_id", "")), "op": op}
        if op == "ping":
            connection.say({**answer, "success": True, "ret_msg": "pong"})
        elif op in ("subscribe", "unsubscribe"):
            self._start(connection, self._acknowledge(connection, request.get("args"), answer))
        else:
            connection.say({**answer, "ret_msg": f"error:unknown op,op:{op}"})

    async def _acknowledge(
        self, connection: Connection, args: object, answer: dict[str, Any]
    ) -> None:
        delay = self._switch.draw("acknowledge", connection.number, answer["req_id"])
        await self._clock.pause(_ACK_MS + _ACK_SPREAD_MS * delay)
        try:
            topics = self._topics(args, connection.category)
        except Rejection as rejection:
            connection.say({**answer, "ret_msg": str(rejection)})
            return
        said = answer["op"] if connection.category == "spot" else ""
        connection.say({**answer, "success": True, "ret_msg": said})
        if answer["op"] == "unsubscribe":
            for topic in topics:
                connection.topics.pop(topic.text, None)
                connection.sent.pop(topic.text, None)
            return
        moment = self._market.at(self._clock.now_ms())
        for topic in topics:
            connection.topics[topic.text] = topic
            connection.sent.pop(topic.text, None)
            self._publisher.update(connection, topic, moment)

    def _topics(self, args: object, category: str) -> list[Topic]:
        """Return the topics of a request; one that is wrong refuses all."""
        if not isinstance(args, list) or not args:
            raise Rejection("error:args is empty")
        if category == "spot" and len(args) > _SPOT_ARGS:
            raise Rejection(f"args size >{_SPOT_ARGS}")
        if (category == "inverse") is not self._market.inverse:
            raise Rejection(f"Invalid symbol :[{args[0]}]")
        return [self._topic(str(arg)) for arg in args]

    def _topic(self, text: str) -> Topic:
        kind, _, rest = text.partition(".")
        wanted = {"kline": f"{self._period}.", "tickers": "", "orderbook": "1."}
        if kind not in wanted or not rest.startswith(wanted[kind]):
            raise Rejection(f"error:handler not found,topic:{text}")
        symbol = rest.removeprefix(wanted[kind])
        index = self._market.index.get(symbol)
        if index is None or index >= len(self._market.symbols) - self._switch.faults.unlisted:
            raise Rejection(f"Invalid symbol :[{text}]")
        return Topic(text, kind, self._market.index[symbol])

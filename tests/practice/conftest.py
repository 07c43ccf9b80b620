"""An exchange on a manual clock over a small synthetic market, and a client of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bot.config.schema import Synthetic
from bot.practice.clock import ManualClock
from bot.practice.exchange import PracticeExchange, serve
from bot.practice.market import PracticeMarket
from bot.practice.synthetic import SyntheticMarket
from bot.timegrid import HOUR_MS

Socket = aiohttp.ClientWebSocketResponse

NOW_BAR = 1500
"""The bar that is forming when an exchange of these tests starts."""


class Client:
    """Speak to an exchange over real sockets, each of which `close` closes, however a test ends."""

    def __init__(
        self,
        exchange: PracticeExchange,
        clock: ManualClock,
        market: PracticeMarket,
        http: aiohttp.ClientSession,
    ) -> None:
        self.exchange = exchange
        self.clock = clock
        self.market = market
        self.http = http
        self._sockets: list[Socket] = []

    async def close(self) -> None:
        for socket in self._sockets:
            await socket.close()

    async def get(self, path: str, **query: str | int) -> Any:
        async with self.http.get(f"{self.exchange.rest_url}{path}", params=query) as answer:
            return await answer.json()

    async def result(self, path: str, **query: str | int) -> Any:
        body = await self.get(f"/v5/market/{path}", **query)
        assert body["retCode"] == 0, body
        return body["result"]

    async def connect(self, category: str = "linear") -> Socket:
        url = f"{self.exchange.stream_url}/v5/public/{category}"
        socket = await self.http.ws_connect(url)
        self._sockets.append(socket)
        return socket

    async def subscribe(self, *topics: str, category: str = "linear") -> Socket:
        """Connect and subscribe; the acknowledgement is the first frame to read."""
        socket = await self.connect(category)
        await socket.send_json({"op": "subscribe", "req_id": "r1", "args": list(topics)})
        await self.frames(socket)  # whose pong shows that the request before was read
        await self.clock.advance(50)
        return socket

    @staticmethod
    async def frames(socket: Socket) -> list[dict[str, Any]]:
        """Return all frames sent up to now, by asking for a pong behind them."""
        found = []
        for text in await Client.texts(socket):
            found.append(json.loads(text))
        return found

    @staticmethod
    async def texts(socket: Socket) -> list[str]:
        """Return the raw text of all frames sent up to now."""
        await socket.send_json({"op": "ping"})
        found = []
        while '"ret_msg": "pong"' not in (text := await socket.receive_str(timeout=5)):
            found.append(text)
        return found


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_672_531_200_000 + NOW_BAR * HOUR_MS + HOUR_MS // 2)


@pytest.fixture
def inverse() -> bool:
    """Tell whether the market is of inverse contracts; tests of these say so by a parameter."""
    return False


@pytest.fixture
def market(inverse: bool) -> PracticeMarket:
    spec = Synthetic(symbols=3, bars=100, missing=0.02, seed=3)
    return PracticeMarket(SyntheticMarket(spec, HOUR_MS, inverse=inverse), ticks_per_bar=4)


@pytest.fixture
async def client(clock: ManualClock, market: PracticeMarket) -> AsyncIterator[Client]:
    exchange = await serve(market, clock)
    async with aiohttp.ClientSession() as http:
        client = Client(exchange, clock, market, http)
        yield client
        await client.close()
    await exchange.close()

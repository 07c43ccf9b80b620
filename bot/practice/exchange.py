"""The practice exchange: REST, stream and controls behind one local port.

Controls, for tests, soaks and people (JSON in and out):
    GET  /practice/state       time, bar, connections, requests, strikes of each fault, finished
    GET  /practice/faults      the faults in force
    PUT  /practice/faults      change those named in the body, for example {"drop": 0.01}
    POST /practice/advance     {"bars": 1} or {"ms": 60000}: move a manual clock on; answers the state
    POST /practice/disconnect  cut every stream connection once

Rules: listens at the given address and nowhere else; keeps nothing on disk.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from bot.errors import ConfigError
from bot.practice.clock import Clock, ManualClock
from bot.practice.faults import Faults, FaultSwitch
from bot.practice.market import PracticeMarket
from bot.practice.rest import Rest
from bot.practice.stream import Stream


class PracticeExchange:
    """A running practice exchange; made by `serve`.

    Attributes:
        port: the port it listens on.
        rest_url, stream_url: what `exchange.rest_url` and `exchange.stream_url` are set to.
        switch: its faults.
        finished: set once a source that ends has confirmed its last bar.
    """

    def __init__(self, market: PracticeMarket, clock: Clock, faults: Faults) -> None:
        self.switch = market.switch = FaultSwitch(faults)
        self.port = 0
        self.rest_url = self.stream_url = ""
        self._market = market
        self._clock = clock
        self._rest = Rest(market, clock, self.switch)
        self._stream = Stream(market, clock, self.switch)
        self.finished = self._stream.finished
        app = web.Application()
        app.add_routes(
            [
                *self._rest.routes(),
                web.get("/v5/public/{category}", self._stream.serve),
                web.get("/practice/state", self._state),
                web.get("/practice/faults", self._faults),
                web.put("/practice/faults", self._change_faults),
                web.post("/practice/advance", self._advance),
                web.post("/practice/disconnect", self._disconnect),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._pushing: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen and begin to push; port 0 takes a free one."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.port = self._runner.addresses[0][1]
        self.rest_url, self.stream_url = f"http://{host}:{self.port}", f"ws://{host}:{self.port}"
        self._pushing = asyncio.create_task(self._stream.run())

    async def run_until(self, stopped: asyncio.Event) -> None:
        """Return once stopped, or when the pushing has broken; `close` then raises why."""
        assert self._pushing is not None, "start comes first"
        waiting = asyncio.create_task(stopped.wait())
        await asyncio.wait({waiting, self._pushing}, return_when=asyncio.FIRST_COMPLETED)
        if self._pushing.done() and self._pushing.exception() is None:
            await waiting
        waiting.cancel()

    async def close(self) -> None:
        """Stop pushing, say goodbye to the clients, and free the port.

        Raises:
            Exception: what made the pushing stop before, if something did.
        """
        pushing = self._pushing
        if pushing is not None:
            pushing.cancel()
            await asyncio.wait([pushing])
        await self._stream.close()
        await self._runner.cleanup()
        if pushing is not None and not pushing.cancelled():
            pushing.result()

    def state(self) -> dict[str, Any]:
        """Return what /practice/state answers."""
        now_ms = self._clock.now_ms()
        return {
            "now_ms": now_ms,
            "bar": self._market.bar_at(now_ms),
            "bar_open_time": self._market.open_time(self._market.bar_at(now_ms)),
            "connections": len(self._stream.connections),
            "requests": self._rest.requests,
            "strikes": dict(self.switch.strikes),
            "finished": self.finished.is_set(),
        }

    async def _state(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler
        return web.json_response(self.state())

    async def _faults(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler
        return web.json_response(asdict(self.switch.faults))

    async def _change_faults(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(asdict(self.switch.change(await _object(request))))
        except ConfigError as error:
            raise web.HTTPBadRequest(text=str(error)) from error

    async def _advance(self, request: web.Request) -> web.Response:
        clock, wanted = self._clock, await _object(request)
        if not isinstance(clock, ManualClock):
            raise web.HTTPConflict(text="the clock runs by itself; only a manual one is advanced")
        amount = next(iter(wanted.values()), None)
        if len(wanted) != 1 or set(wanted) - {"bars", "ms"} or type(amount) is not int:
            raise web.HTTPBadRequest(text='expected {"bars": N} or {"ms": N}')
        if amount < 0:
            raise web.HTTPBadRequest(text=f"{amount}: time does not go back")
        if "bars" in wanted:
            bar = self._market.bar_at(clock.now_ms())
            amount = max(self._market.open_time(bar + amount) - clock.now_ms(), 0)
        await clock.advance(amount)
        return web.json_response(self.state())

    async def _disconnect(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler
        return web.json_response({"cut": self._stream.cut_all()})


async def serve(
    market: PracticeMarket,
    clock: Clock,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    faults: Faults | None = None,
) -> PracticeExchange:
    """Start a practice exchange in the running loop; `close` it when done.

    Raises:
        OSError: the port cannot be had.
    """
    exchange = PracticeExchange(market, clock, faults or Faults())
    await exchange.start(host, port)
    return exchange


def serve_until_stopped(
    market: PracticeMarket,
    clock: Clock,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    faults: Faults | None = None,
    on_ready: Callable[[PracticeExchange], None] | None = None,
) -> None:
    """Serve in a loop of its own until SIGTERM or SIGINT; `on_ready` is called at the start.

    Raises:
        OSError: the port cannot be had.
    """

    async def main() -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        exchange = await serve(market, clock, host=host, port=port, faults=faults)
        if on_ready is not None:
            on_ready(exchange)
        await exchange.run_until(stopped)
        await exchange.close()

    asyncio.run(main())


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.text())
    except json.JSONDecodeError as error:
        raise web.HTTPBadRequest(text=f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body is no JSON object")
    return body

"""A daemon with the very adapter of Bybit on the practice exchange, in virtual time.

What is left out are sockets, HTTP and threads: pybit's session and connection are replaced by calls of
the practice exchange's own handlers, so that clocks can be skewed and minutes be waited for at no
cost. Rule: nothing else of the adapter and the daemon is replaced.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, cast
from unittest.mock import patch

from aiohttp import web
from pybit.exceptions import InvalidRequestError

from bot.adapters.bybit import stream as bybit_stream
from bot.adapters.bybit.clock import Jump, ServerClock
from bot.adapters.bybit.exchange import BybitExchange
from bot.adapters.bybit.present import Present
from bot.adapters.bybit.retry import Backoff, Limiter
from bot.adapters.bybit.socket import Inbox
from bot.adapters.bybit.tickers import LiveRest
from bot.adapters.journal import facts as journal
from bot.app.live import retraining as live_training
from bot.app.live.command import run_on
from bot.app.live.exchange import ExchangeClock
from bot.log import open_log
from bot.practice.connection import Connection
from bot.practice.faults import Faults, FaultSwitch
from bot.practice.rest import Rest
from bot.practice.stream import Stream
from scripts.soaking.rehearsal import PoolHere, Rehearsal, connect_quickly
from scripts.soaking.virtual_time import VirtualClock, run_virtually

LATENCY_S = 0.03

Play = Callable[["Local"], Awaitable[None]]


class Local:
    """The practice exchange without its port.

    Attributes:
        clock: of the exchange, which never errs; `switch.faults` make it tell other times.
    """

    def __init__(self, rehearsal: Rehearsal, clock: VirtualClock, faults: Faults) -> None:
        self.clock, self.switch = clock, FaultSwitch(faults)
        rehearsal.market.switch = self.switch
        self.rest = Rest(rehearsal.market, clock, self.switch)
        self.stream = Stream(rehearsal.market, clock, self.switch)


class _Session:
    """pybit's session, answered by the practice exchange at once."""

    endpoint = "here"

    def __init__(self, local: Local) -> None:
        self._local = local

    def __getattr__(self, call: str) -> Callable[..., Any]:
        paths = {
            "get_server_time": "time", "get_kline": "kline", "get_tickers": "tickers",
            "get_mark_price_kline": "mark-price-kline",
            "get_funding_rate_history": "funding/history",
            "get_instruments_info": "instruments-info",
            "get_risk_limit": "risk-limit",
            "get_option_delivery_price": "delivery-price",
        }  # fmt: skip
        return lambda **query: self._ask(paths[call], query)

    def _ask(self, path: str, query: dict[str, Any]) -> Any:
        answer = self._local.rest.answer(path, {k: str(v) for k, v in query.items()})
        if answer["retCode"]:
            raise InvalidRequestError("GET", answer["retMsg"], answer["retCode"], "", {})
        return answer


class _Pool:
    """Requests that take their time on the loop."""

    def __init__(self, rest: LiveRest) -> None:
        self._rest = rest

    async def run(self, job: Callable[[LiveRest], Any]) -> Any:
        await asyncio.sleep(LATENCY_S)
        return job(self._rest)

    def close(self) -> None:
        """Nothing is open."""


class _Socket:
    """A connection to the practice exchange's stream, in this loop."""

    def __init__(self, local: Local, category: str, inbox: Inbox) -> None:
        self._local, self._category, self._inbox = local, category, inbox
        self._connection: Connection | None = None

    def open(self) -> None:
        self._connection = self._local.stream.connect(
            self._category, cast(web.WebSocketResponse, self)
        )

    async def send_str(self, text: str) -> None:
        self._inbox.put(text)

    def request(self, op: str, topics: Sequence[str]) -> None:
        assert self._connection is not None
        text = json.dumps({"op": op, "req_id": topics[0], "args": list(topics)})
        self._local.stream.receive(self._connection, text)

    def close(self) -> None:
        if self._connection is not None:
            self._local.stream.leave(self._connection)


@asynccontextmanager
async def _adapter(rehearsal: Rehearsal, local: Local, wall_skew_ms: int, log: Any) -> Any:
    config, speed = rehearsal.config, rehearsal.config.exchange.speed
    loop = asyncio.get_running_loop()
    clock = ServerClock(
        speed,
        wall_ms=lambda: local.clock.now_ms() + wall_skew_ms,
        monotonic=loop.time,
    )

    def on_jump(jump: Jump, refused: int) -> None:
        log.warning("clock_jump", by_ms=jump.by_ms, believed=jump.believed, refused=refused)

    rest = LiveRest(
        cast(Any, _Session(local)), limiter=Limiter(1e9), backoff=Backoff(tries=1),
        clock=clock.monotonic, sleep=lambda _: None, present=Present(clock.rate, clock.monotonic),
    )  # fmt: skip

    exchange = BybitExchange(
        config, cast(Any, _Pool(rest)), clock, lambda category, inbox: _Socket(local, category, inbox),
        asyncio.sleep, random.Random(1).random, None, on_jump,
    )  # fmt: skip
    pushing = asyncio.create_task(local.stream.run())
    try:
        yield exchange
    finally:
        pushing.cancel()
        with suppress(asyncio.CancelledError):
            await pushing


async def _here(call: Callable[[], Any]) -> Any:
    return call()


def play(
    rehearsal: Rehearsal, bars: int, script: Play, *, wall_skew_ms: int = 0,
    faults: Faults | None = None, max_hours: float = 1000.0,
) -> int:  # fmt: skip
    """Run a daemon until it has closed so many bars live; return the exchange's time at its end.

    Args:
        script: what happens beside.
        wall_skew_ms: by how much this machine's clock is ahead of the exchange's.
        max_hours: of the exchange's time, after which it is stopped.
    """

    async def life(log: Any) -> int:
        speed = rehearsal.config.exchange.speed
        local = Local(rehearsal, VirtualClock(rehearsal.begin_ms, speed), faults or Faults())
        stop = asyncio.Event()
        beside = asyncio.ensure_future(script(local))
        asyncio.get_running_loop().call_later(max_hours * 3600.0 / speed, stop.set)
        async with _adapter(rehearsal, local, wall_skew_ms, log) as exchange:
            clock = ExchangeClock(exchange, speed)
            await run_on(exchange, clock, rehearsal.config, rehearsal.folder, log, stop, bars)
        beside.cancel()
        with suppress(asyncio.CancelledError):
            await beside
        return local.clock.now_ms()

    with (
        patch.object(journal, "connect", partial(connect_quickly, journal.connect)),
        patch.object(live_training, "TrainingPool", return_value=PoolHere(1.0)),
        patch.object(bybit_stream, "in_daemon_thread", _here),
        open_log(rehearsal.folder.log) as log,
    ):
        return run_virtually(life(log))

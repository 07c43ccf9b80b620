"""From settings to the exchange: the clients and their threads, the clock, the sockets.

Rule: requests share the limit of exchange.requests_per_second, whatever number of threads makes them.
Must not ask the exchange anything.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable

from bot.adapters.bybit.asking import open_session
from bot.adapters.bybit.clock import Jump, ServerClock
from bot.adapters.bybit.exchange import BybitExchange
from bot.adapters.bybit.hosts import hosts_of
from bot.adapters.bybit.present import Present
from bot.adapters.bybit.retry import Limiter, backoff_of
from bot.adapters.bybit.socket import BybitSocket, Inbox, Socket
from bot.adapters.bybit.threads import DaemonPool
from bot.adapters.bybit.tickers import LiveRest
from bot.config import Config

_REQUESTS_A_THREAD = 10.0
_LEAST_THREADS, _MOST_THREADS = 4, 8
"""Several, so that an answer that does not come holds up but one."""


def open_bybit(
    config: Config,
    *,
    clock: ServerClock | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    dice: Callable[[], float] = random.random,
    on_wait: Callable[[float, str], None] | None = None,
    on_fault: Callable[[int, str], None] | None = None,
    on_jump: Callable[[Jump, int], None] | None = None,
) -> BybitExchange:
    """Return the exchange that the settings name; nothing is asked of it yet.

    Args:
        config: market.venue, market.feed and the section exchange are read.
        clock, sleep, dice: by default the machine's.
        on_wait: called, in a request's thread, with how many seconds it waits to ask again, and why.
        on_fault: called with how many candles so far could not be true and were left out, and the last.
        on_jump: called with an exchange's time that jumps, and how many were not believed so far.

    Raises:
        ConfigError: the practice exchange is to be used, and its address is not given.
    """
    settings = config.exchange
    hosts = hosts_of(settings)
    threads = min(
        max(math.ceil(settings.requests_per_second / _REQUESTS_A_THREAD), _LEAST_THREADS),
        _MOST_THREADS,
    )
    limiter = Limiter(settings.requests_per_second)
    clock = clock or ServerClock(settings.speed)
    present = Present(clock.rate, clock.monotonic)
    clients = [
        LiveRest(
            open_session(hosts.rest, settings.request_timeout_s),
            limiter=limiter,
            backoff=backoff_of(settings),
            on_wait=on_wait,
            present=present,
        )
        for _ in range(threads)
    ]

    def new_socket(category: str, inbox: Inbox) -> Socket:
        return BybitSocket(category, inbox, hosts.stream, testnet=settings.testnet)

    return BybitExchange(
        config,
        DaemonPool(clients),
        clock,
        new_socket=new_socket,
        sleep=sleep,
        dice=dice,
        on_fault=on_fault,
        on_jump=on_jump,
    )

"""A practice exchange in a loop of its own, for what asks it from this thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bot.practice.clock import ManualClock
from bot.practice.exchange import PracticeExchange, serve
from bot.practice.faults import Faults
from bot.practice.market import PracticeMarket


@contextmanager
def served_practice(
    market: PracticeMarket, now_ms: int, faults: Faults | None = None
) -> Iterator[PracticeExchange]:
    """Serve a market whose time stands still."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    serving = serve(market, ManualClock(now_ms), faults=faults)
    exchange = asyncio.run_coroutine_threadsafe(serving, loop).result(10)
    try:
        yield exchange
    finally:
        asyncio.run_coroutine_threadsafe(exchange.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

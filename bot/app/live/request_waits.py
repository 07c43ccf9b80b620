"""What a request waits for: logged when a long wait begins, and in the status while it lasts.

Rule: a request of another thread may wait for ten minutes (HTTP 403), and the loop does not know of
it; what is logged comes from the loop's own thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bot.timestamps import format_utc

TOLD_WAIT_S = 15.0
"""A request that is asked again only after so long is logged before; an HTTP 403 takes minutes."""


class RequestWaits:
    """The long waits of requests.

    Args:
        wall_s: this machine's time, in seconds.
    """

    def __init__(self, log: Any, wall_s: Callable[[], float] = time.time) -> None:
        self._log, self._wall_s = log, wall_s
        self._reason, self._until_s = "", 0.0
        self._loop = asyncio.get_running_loop()

    def on_wait(self, wait_s: float, reason: str) -> None:
        """Take, in a request's thread, that it will ask again after so long."""
        with suppress(RuntimeError):  # the loop is closed: nobody reads on
            self._loop.call_soon_threadsafe(self._begin, wait_s, reason)

    def now(self) -> str | None:
        """Return what is waited for and until when, None where nothing is for long."""
        if self._wall_s() >= self._until_s:
            return None
        return f"{self._reason}; asks again at {format_utc(int(self._until_s * 1000.0))} UTC"

    def _begin(self, wait_s: float, reason: str) -> None:
        if wait_s < TOLD_WAIT_S:
            return
        self._log.warning("exchange_unreachable", reason=reason, retry_s=round(wait_s, 1))
        until_s = self._wall_s() + wait_s
        if until_s > self._until_s:
            self._reason, self._until_s = reason, until_s

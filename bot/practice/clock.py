"""The exchange's clock: wall time at any speed, or time that moves only when it is told to.

Rules: everything in the practice exchange that waits, waits here; nothing else sleeps.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """What the exchange needs of time; all in milliseconds UTC of the exchange."""

    def now_ms(self) -> int:
        """Return the exchange's time."""
        ...

    async def sleep_until(self, time_ms: int) -> None:
        """Return once the exchange's time has reached `time_ms`."""
        ...

    async def pause(self, ms: float) -> None:
        """Wait as a network would, unscaled by the speed of the market."""
        ...


class RealClock:
    """Run from `start_ms` at `speed` exchange seconds per wall second.

    Raises:
        ValueError: the speed is not positive.
    """

    def __init__(self, start_ms: int, speed: float = 1.0) -> None:
        if not speed > 0.0:
            raise ValueError(f"a clock's speed is {speed}; expected a number above 0")
        self.speed = speed
        self._start_ms = start_ms
        self._origin = time.monotonic()

    def now_ms(self) -> int:
        """Return the exchange's time."""
        return self._start_ms + int((time.monotonic() - self._origin) * 1000.0 * self.speed)

    async def sleep_until(self, time_ms: int) -> None:
        """Return once the exchange's time has reached `time_ms`."""
        while (left_ms := time_ms - self.now_ms()) > 0:
            await asyncio.sleep(left_ms / 1000.0 / self.speed)

    async def pause(self, ms: float) -> None:
        """Wait so many milliseconds of wall time."""
        await asyncio.sleep(ms / 1000.0)


class ManualClock:
    """Stand still until `advance`, which wakes the sleepers one moment after another.

    Args:
        start_ms: the time at first.
        real_pauses: let pauses pass in wall time (a client that waits for an acknowledgement need
            not wait for an advance) instead of on this clock.
    """

    _TURNS = 10
    """Turns of the event loop after each moment, in which the woken do their work."""

    def __init__(self, start_ms: int, *, real_pauses: bool = False) -> None:
        self._now_ms = start_ms
        self._real_pauses = real_pauses
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._advancing = asyncio.Lock()

    def now_ms(self) -> int:
        """Return the exchange's time."""
        return self._now_ms

    async def sleep_until(self, time_ms: int) -> None:
        """Return once `advance` has reached `time_ms`."""
        if time_ms <= self._now_ms:
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (time_ms, next(self._order), woken))
        await woken

    async def pause(self, ms: float) -> None:
        """Wait on this clock, or in wall time where it was made so."""
        if self._real_pauses:
            await asyncio.sleep(ms / 1000.0)
        else:
            await self.sleep_until(self._now_ms + max(int(ms), 1))

    async def advance(self, ms: int) -> None:
        """Move on by `ms`, stopping at every time that somebody sleeps for."""
        async with self._advancing:
            target = self._now_ms + ms
            await self._settle()
            while self._sleepers and self._sleepers[0][0] <= target:
                self._now_ms = self._sleepers[0][0]
                while self._sleepers and self._sleepers[0][0] <= self._now_ms:
                    _, _, woken = heapq.heappop(self._sleepers)
                    if not woken.done():  # a cancelled sleeper stays in the heap until its time
                        woken.set_result(None)
                await self._settle()
            self._now_ms = target

    async def _settle(self) -> None:
        for _ in range(self._TURNS):
            await asyncio.sleep(0)

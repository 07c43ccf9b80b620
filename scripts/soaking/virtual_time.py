"""An event loop whose time jumps to the next timer as soon as nothing is ready: waits cost nothing.

Rules: everything under it waits by the loop's timers, so what happens is a function of the code alone;
a wait that nothing can end is an error and not a hang. Not for threads or sockets: their answers
would come hours late.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

BEYOND_S = 1e-6
"""How far a jump goes past the next timer: after months a second's fraction is but so fine."""


class Stuck(RuntimeError):  # noqa: N818 - a state, found out
    """Everybody waits, and no timer is set."""


class _Jumps(selectors.DefaultSelector):
    """Instead of waiting for a file, let the time pass at once."""

    passed: Callable[[float], None]

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Stuck("everybody waits, and no timer is set")
        self.passed(timeout)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Keep the time itself; `on_jump` is told of each new one, in seconds since the start."""

    def __init__(self, on_jump: Callable[[float], None] = lambda _: None) -> None:
        selector = _Jumps()
        super().__init__(selector)
        self._now_s = 0.0
        self._on_jump = on_jump
        selector.passed = self._pass

    def time(self) -> float:
        """Return the seconds that have passed."""
        return self._now_s

    def _pass(self, seconds: float) -> None:
        self._now_s += seconds + BEYOND_S
        self._on_jump(self._now_s)


class VirtualClock:
    """The exchange's time in a `VirtualTimeLoop`, from `start_ms` at the loop's beginning.

    `speed` is seconds of the exchange's time in one of the loop's.
    """

    def __init__(self, start_ms: int, speed: float = 1.0) -> None:
        self._start_ms, self._rate = start_ms, 1000.0 * speed

    def now_ms(self) -> int:
        """Return the exchange's time."""
        return self._start_ms + int(asyncio.get_running_loop().time() * self._rate)

    async def sleep_until(self, time_ms: int) -> None:
        """Return once the exchange's time has reached `time_ms`."""
        while (left_ms := time_ms - self.now_ms()) > 0:
            await asyncio.sleep(left_ms / self._rate)

    async def pause(self, ms: float) -> None:
        """Wait so many milliseconds of the loop's time."""
        await asyncio.sleep(ms / 1000.0)


def run_virtually(
    work: Coroutine[Any, Any, T], on_jump: Callable[[float], None] = lambda _: None
) -> T:
    """Run to the end in virtual time; raises what the work raises, and `Stuck`."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(on_jump)) as runner:
        return runner.run(work)

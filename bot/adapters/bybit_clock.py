"""The exchange's time by our clock: what it said, and how long ago by a clock that never jumps.

Rules: an answer was made between the question and its arrival, which bounds the exchange's time from
both sides. The first is taken as the lower bound, so that a candle closed by this clock is closed at
the exchange; later ones move it only where it lies outside, so that a slow answer cannot set it
back. Set and suspended wall clocks do not move it forward. Safe to read from any thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class ServerClock:
    """Until the exchange has told its time, the wall clock is believed.

    `speed` is seconds of the exchange's time in one of ours, 1 but for a practice exchange.

    >>> clock = ServerClock(wall_ms=lambda: 5_000, monotonic=lambda: 2.0)
    >>> clock.now_ms(), clock.measured
    (5000, False)
    >>> clock.told(9_000, asked_s=1.4, at_s=1.5)
    >>> clock.now_ms(), clock.measured, clock.seconds_until(10_000)
    (9500, True, 0.5)
    >>> clock.told(9_000, asked_s=0.0, at_s=2.0)  # a slow answer says nothing new
    >>> clock.now_ms()
    9500
    """

    def __init__(
        self,
        speed: float = 1.0,
        wall_ms: Callable[[], int] = _wall_ms,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.monotonic = monotonic
        self.measured = False
        self._rate = speed * 1000.0
        self._offset_ms = wall_ms() - monotonic() * self._rate

    def now_ms(self) -> int:
        """Return the exchange's time, ms UTC."""
        return int(self.monotonic() * self._rate + self._offset_ms)

    def seconds_until(self, time_ms: int) -> float:
        """Return our seconds until the exchange's time is `time_ms`, negative where it is past."""
        return (time_ms - self.now_ms()) / self._rate

    def told(self, server_ms: int, asked_s: float, at_s: float) -> None:
        """Take the exchange's time, and the monotonic seconds of the question and the answer."""
        least, most = server_ms - at_s * self._rate, server_ms - asked_s * self._rate
        self._offset_ms = min(max(self._offset_ms, least), most) if self.measured else least
        self.measured = True

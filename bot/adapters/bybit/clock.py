"""The exchange's time by our clock: what it said, and how long ago by a clock that never jumps.

Rules: an answer was made between the question and its arrival, which bounds the exchange's time from
both sides. The first is taken as the lower bound, so that a candle closed by this clock is closed at
the exchange; later ones move it only where it lies outside, so that a slow answer cannot set it
back. A time that jumps is not believed before it has stood for a while: an answer that is wrong once,
or for some seconds, moves nothing. Set and suspended wall clocks do not move it. Safe to read from
any thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

LIMIT_S = 2.0
"""Seconds of ours by which the exchange's time may be off what was believed: more is a jump."""

STAND_S = 60.0
"""Seconds of ours for which the exchange must keep to a jump before it is believed."""

ASK_AGAIN_S = 5.0
"""Seconds until a time that jumped is asked again."""


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _steady_s() -> float:
    """Return seconds that also pass while the machine is suspended, where there is such a clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass(frozen=True, slots=True)
class Jump:
    """The exchange's time was not what was expected.

    Attributes:
        by_ms: how far ahead of what was believed.
        believed: it has stood for long enough, and is the time now.
        first: it was not reported before.
    """

    by_ms: int
    believed: bool
    first: bool


class ServerClock:
    """Until the exchange has answered its time, the wall clock is believed.

    `speed` is seconds of the exchange's time in one of ours, 1 but for a practice exchange;
    `refused` counts the times that were not believed.

    >>> clock = ServerClock(wall_ms=lambda: 5_000, monotonic=lambda: 2.0)
    >>> clock.now_ms(), clock.measured
    (5000, False)
    >>> clock.answered(9_000, asked_s=1.4, at_s=1.5)
    >>> clock.now_ms(), clock.measured, clock.seconds_until(10_000)
    (9500, True, 0.5)
    >>> clock.answered(9_000, asked_s=0.0, at_s=2.0)  # a slow answer says nothing new
    >>> clock.now_ms()
    9500
    >>> clock.answered(99_500, asked_s=2.0, at_s=2.0)
    Jump(by_ms=90000, believed=False, first=True)
    >>> clock.now_ms(), clock.doubted, clock.refused
    (9500, True, 1)
    """

    def __init__(
        self,
        speed: float = 1.0,
        wall_ms: Callable[[], int] = _wall_ms,
        monotonic: Callable[[], float] = _steady_s,
    ) -> None:
        self.monotonic = monotonic
        self.measured = False
        self.refused = 0
        self.rate = speed * 1000.0
        self._offset_ms = wall_ms() - monotonic() * self.rate
        self._doubt: tuple[float, float] | None = None

    @property
    def doubted(self) -> bool:
        """Return whether the exchange tells another time than is believed."""
        return self._doubt is not None

    def now_ms(self) -> int:
        """Return the exchange's time, ms UTC."""
        return int(self.monotonic() * self.rate + self._offset_ms)

    def seconds_until(self, time_ms: int) -> float:
        """Return our seconds until the exchange's time is `time_ms`, negative where it is past."""
        return (time_ms - self.now_ms()) / self.rate

    def answered(self, server_ms: int, asked_s: float, at_s: float) -> Jump | None:
        """Take the exchange's time, and the monotonic seconds of the question and the answer.

        Returns:
            what was odd about it.
        """
        least, most = server_ms - at_s * self.rate, server_ms - asked_s * self.rate
        if not self.measured:
            self._offset_ms, self.measured = least, True
            return None
        offset_ms = min(max(self._offset_ms, least), most)
        jump_ms, limit_ms = offset_ms - self._offset_ms, LIMIT_S * self.rate
        if abs(jump_ms) <= limit_ms:
            self._offset_ms, self._doubt = offset_ms, None
            return None
        doubt = self._doubt
        if doubt is None or abs(doubt[1] - offset_ms) > limit_ms:
            self._doubt = (at_s, offset_ms)
        elif at_s - doubt[0] >= STAND_S:
            self._offset_ms, self._doubt = offset_ms, None
            return Jump(int(jump_ms), believed=True, first=False)
        self.refused += 1
        return Jump(int(jump_ms), believed=False, first=self._doubt is not doubt)

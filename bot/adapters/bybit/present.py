"""How late it is at the exchange at least: shown by its candles, not by what it says of the time.

A clock that tells the time wrongly tells it wrongly everywhere; a candle cannot be there before it
has opened. Rules: a candle is over when a newer one has opened, or when as much time has passed since
it was first seen as it is long; an answer is judged by what was known when it was asked for, and by
what it shows itself, since what comes later may be newer than the answer. Safe to use from any thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Present:
    """The newest candle that was shown, and when.

    `rate` is ms of the exchange's time in a second of ours.

    >>> present = Present(monotonic=lambda: 50.0)
    >>> present.least_ms()
    0
    >>> present.shown(6_000)
    >>> present.least_ms()
    6000
    """

    def __init__(
        self, rate: float = 1000.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._monotonic = rate, monotonic
        self._lock = threading.Lock()
        self._newest_ms = 0
        self._seen_s = 0.0

    def shown(self, open_ms: int) -> None:
        """Take note of a candle that has opened at this time."""
        with self._lock:
            if open_ms > self._at_least():
                self._newest_ms, self._seen_s = open_ms, self._monotonic()

    def least_ms(self) -> int:
        """Return the time that it is at least: what ended before it is over for whoever asks now."""
        with self._lock:
            return self._at_least()

    def _at_least(self) -> int:
        if not self._newest_ms:
            return 0
        passed_s = self._monotonic() - self._seen_s
        return self._newest_ms + int(max(passed_s, 0.0) * self._rate)

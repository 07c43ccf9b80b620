"""How many wrong tries are still answered: some at once, then one every few seconds.

Rule: it slows who guesses. Who has the token or a cookie is never slowed: 256 bits are not guessed,
and a limit that kept the owner out would be a switch for every other user of the machine.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from threading import Lock

from bot.serve.problems import Problem

AT_ONCE = 10
EVERY_S = 6.0


class Failures:
    """A bucket of tries, which fills again with time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left = float(AT_ONCE)
        self._at = clock()
        self._lock = Lock()

    def another(self) -> float:
        """Count a wrong try; return the seconds to wait before the next, 0 where there are tries left."""
        with self._lock:
            now = self._clock()
            self._left = min(float(AT_ONCE), self._left + (now - self._at) / EVERY_S)
            self._at = now
            if self._left < 1.0:
                return (1.0 - self._left) * EVERY_S
            self._left -= 1.0
            return 0.0

    def refusal(self, detail: str) -> Problem:
        """Count a wrong try; return its answer."""
        wait_s = self.another()
        if wait_s > 0.0:
            return Problem(429, "too many wrong tries", {"Retry-After": str(math.ceil(wait_s))})
        return Problem(401, detail, {"WWW-Authenticate": "Bearer"})

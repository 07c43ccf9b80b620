"""How long the stages of a bar took, for the log: open, features, forecast, portfolio, commit.

Rules: nothing is decided by it. Must not know what a stage does.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Stopwatch:
    """Durations by stage, in milliseconds, each from the end of the one before.

    >>> ticks = iter([1.0, 1.002, 1.5, 1.501])
    >>> watch = Stopwatch(lambda: next(ticks))
    >>> watch.start()
    >>> watch.ended("features")
    >>> watch.start()  # what lay between was no stage
    >>> watch.ended("commit")
    >>> watch.taken_ms()
    {'features': 2.0, 'commit': 1.0}
    >>> watch.taken_ms()
    {}
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._since = 0.0
        self._taken: dict[str, float] = {}

    def start(self) -> None:
        """Begin: the next stage is measured from now on."""
        self._since = self._clock()

    def ended(self, stage: str) -> None:
        """Note that a stage has ended; the next one has begun."""
        now = self._clock()
        self._taken[stage] = round((now - self._since) * 1e3, 3)
        self._since = now

    def taken_ms(self) -> dict[str, float]:
        """Return the durations since the last call, and forget them."""
        taken, self._taken = self._taken, {}
        return taken

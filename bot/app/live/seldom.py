"""Telling the same thing seldom: what comes again and again must not fill the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

EVERY_S = 10.0
"""Seconds between two lines about the same."""

_REMEMBERED = 1000


class Seldom:
    """Say of each thing whether it may be told, at most every `EVERY_S`.

    >>> seldom = Seldom(monotonic=iter([0.0, 5.0, 5.0, 11.0]).__next__)
    >>> [seldom.may_tell(what) for what in ("a", "a", "b", "a")]
    [True, False, True, True]
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told_s: dict[Hashable, float] = {}

    def may_tell(self, what: Hashable) -> bool:
        """Return whether it may be told now; then it counts as told."""
        now_s = self._monotonic()
        told_s = self._told_s.get(what)
        if told_s is not None and now_s - told_s < EVERY_S:
            return False
        if len(self._told_s) >= _REMEMBERED:
            self._told_s.clear()
        self._told_s[what] = now_s
        return True

"""Telling the same thing seldom: what comes again and again must not fill the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

EVERY_S = 10.0
"""Seconds between two lines about the same."""

_REMEMBERED = 1000


class Seldom:
    """Say of each thing whether it may be logged, at most every `EVERY_S`.

    >>> seldom = Seldom(monotonic=iter([0.0, 5.0, 5.0, 11.0]).__next__)
    >>> [seldom.may_tell(what) for what in ("a", "a", "b", "a")]
    [True, False, True, True]
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._logged_s: dict[Hashable, float] = {}

    def may_tell(self, what: Hashable) -> bool:
        """Return whether it may be logged now; then it counts as logged."""
        now_s = self._monotonic()
        logged_s = self._logged_s.get(what)
        if logged_s is not None and now_s - logged_s < EVERY_S:
            return False
        if len(self._logged_s) >= _REMEMBERED:
            self._logged_s.clear()
        self._logged_s[what] = now_s
        return True

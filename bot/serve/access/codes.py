"""One-time codes: what a link carries, so that the token itself is in no address.

Rules: a code opens the page once, within minutes; only its digest is kept. Must not know the token.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from threading import Lock

LIFETIME_S = 600.0
_MOST = 32
"""Codes that are good at a time; the oldest gives way."""


class OneTimeCodes:
    """Codes that are good, by their digest."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[bytes, float] = {}
        self._lock = Lock()

    def new(self) -> str:
        """Return a new code."""
        code = secrets.token_urlsafe(24)
        with self._lock:
            while len(self._until) >= _MOST:
                del self._until[next(iter(self._until))]
            self._until[_digest(code)] = self._clock() + LIFETIME_S
        return code

    def spend(self, code: str) -> bool:
        """Return whether a code is good; it is good no more."""
        with self._lock:
            until = self._until.pop(_digest(code), None)
        return until is not None and self._clock() < until


def _digest(code: str) -> bytes:
    # what is looked up is a digest: how far a guess agrees tells nothing of the code
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()

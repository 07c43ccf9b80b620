"""Cookies: a browser's leave to look, signed with a key made of the token.

Rules: a cookie holds when it ends, a random part and their seal, nothing else; so it outlives a
restart, and a new token ends all of them. `HttpOnly` keeps it from scripts, `SameSite=Strict` from
what other sites ask.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

NAME = "mtl_paper_bot"
LIFETIME_S = 30 * 24 * 3600


class Sessions:
    """Give out cookies and tell ours from others."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock

    def cookie(self, *, secure: bool) -> str:
        """Return the header of a new cookie.

        Args:
            secure: whether the page is asked for over TLS.
        """
        body = f"{int(self._clock()) + LIFETIME_S}.{secrets.token_urlsafe(16)}"
        value = f"{body}.{self._seal(body)}"
        ends = f"Max-Age={LIFETIME_S}; Path=/; HttpOnly; SameSite=Strict"
        return f"{NAME}={value}; {ends}" + ("; Secure" if secure else "")

    def is_ours(self, header: str) -> bool:
        """Return whether the header of a request holds a cookie of ours that is still good."""
        try:
            found = SimpleCookie(header).get(NAME)
        except CookieError:
            return False
        body, _, seal = ("" if found is None else found.value).rpartition(".")
        if not hmac.compare_digest(self._seal(body).encode(), seal.encode("utf-8", "replace")):
            return False
        return int(body.partition(".")[0]) > self._clock()

    def _seal(self, body: str) -> str:
        sealed = hmac.digest(self._key, body.encode("utf-8", "replace"), hashlib.sha256)
        return urlsafe_b64encode(sealed).decode().rstrip("=")


def ended() -> str:
    """Return the header that ends a cookie."""
    return f"{NAME}=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict"

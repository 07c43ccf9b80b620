"""Cookies: a browser's leave to look, signed with a key made of the token and the port.

Rules: a cookie holds when it ends, a random part and their seal, nothing else; so it outlives a
restart, and a new token ends all of them. Browsers keep cookies by host and not by port: its name has
the port, so that two servers on a machine do not overwrite each other's. `HttpOnly` keeps it from
scripts, `SameSite=Strict` from what other sites ask. One that signed out is good no more, whoever has
a copy of it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable

from bot.serve.access.signed_out import SignedOut

LIFETIME_S = 30 * 24 * 3600


class Sessions:
    """Give out cookies, tell ours from others, and end them.

    Args:
        key: what cookies are sealed with; of this token and this port alone.
        port: that the server listens on.
    """

    def __init__(
        self, key: bytes, port: int, signed_out: SignedOut, clock: Callable[[], float] = time.time
    ) -> None:
        self.name = f"mtl_paper_bot_{port}"
        self._key = key
        self._signed_out = signed_out
        self._clock = clock

    def cookie(self, *, secure: bool) -> str:
        """Return the header of a new cookie.

        Args:
            secure: whether the page is asked for over TLS.
        """
        body = f"{int(self._clock()) + LIFETIME_S}.{secrets.token_urlsafe(16)}"
        value = f"{body}.{self._seal(body)}"
        ends = f"Max-Age={LIFETIME_S}; Path=/; HttpOnly; SameSite=Strict"
        return f"{self.name}={value}; {ends}" + ("; Secure" if secure else "")

    def is_ours(self, header: str) -> bool:
        """Return whether the header of a request holds a cookie of ours that is still good."""
        return any(map(self._is_good, self._values(header)))

    def end(self, header: str) -> str:
        """End the cookies of a request; return the header by which its browser forgets them."""
        for value in self._values(header):
            if self._is_good(value):
                self._signed_out.add(value)
        return f"{self.name}=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict"

    def _values(self, header: str) -> list[str]:
        # by hand: http.cookies gives up at the first cookie of another program that it cannot read
        pairs = (pair.strip().partition("=") for pair in header.split(";"))
        return [value for name, _, value in pairs if name == self.name]

    def _is_good(self, value: str) -> bool:
        body, _, seal = value.rpartition(".")
        if not hmac.compare_digest(self._seal(body).encode(), seal.encode("utf-8", "replace")):
            return False
        return int(body.partition(".")[0]) > self._clock() and value not in self._signed_out

    def _seal(self, body: str) -> str:
        sealed = hmac.digest(self._key, body.encode("utf-8", "replace"), hashlib.sha256)
        return urlsafe_b64encode(sealed).decode().rstrip("=")

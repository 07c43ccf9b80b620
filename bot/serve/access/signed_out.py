"""Cookies that signed out before their time: a digest a line, in a file beside the token.

Rules: the file is only ever appended to, so that several servers share it and a killed one loses
nothing; only good cookies get there, so it grows by who signs out and by nobody else. Where it cannot
be written the cookie is refused until the server ends, and the log says so.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from bot.serve.access.token import AccessToken

_log = logging.getLogger(__name__)


class SignedOut:
    """The cookies that are good no more.

    Args:
        path: the file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._digests = set(path.read_text("ascii", errors="replace").split())
        except FileNotFoundError:
            self._digests = set()
        except OSError as error:
            _log.warning("%s: who signed out before is not known (%s)", path, error.strerror)
            self._digests = set()

    def __contains__(self, cookie: str) -> bool:
        return _digest(cookie) in self._digests

    def add(self, cookie: str) -> None:
        """Refuse a cookie from now on."""
        digest = _digest(cookie)
        self._digests.add(digest)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        try:
            handle = os.open(self._path, flags, 0o600)
            try:
                os.write(handle, f"{digest}\n".encode())
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            _log.warning(
                "%s: cannot be written (%s); who signed out is refused until this server ends only; "
                "a new token ends all cookies",
                self._path, error.strerror,
            )  # fmt: skip


def signed_out_beside(token: AccessToken) -> SignedOut:
    """Return the cookies of a token that signed out."""
    return SignedOut(token.path.with_name(f"{token.path.name}.signed-out"))


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()

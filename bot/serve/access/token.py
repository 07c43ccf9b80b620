"""The token: 256 random bits in a file of mode 0600, made at the first start.

Rules: a file that others can read or that is another user's is refused, a link is not followed. The
token is in no address, log or error, and is compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from bot.errors import ConfigError

NAME = "serve-token"
_BYTES = 32
_LETTERS = 43
"""Of the token in base64url."""


def default_path() -> Path:
    """Return where the user's token is: the folder of the user's state, never a run's.

    Raises:
        ConfigError: the user has no home.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError:
        raise ConfigError(
            "the token: this user has no home; name its place by --token-file"
        ) from None
    return base / "mtl-paper-bot" / NAME


class AccessToken:
    """The token, which prints as nothing.

    Attributes:
        path: its file.
    """

    def __init__(self, value: str, path: Path) -> None:
        self._value = value
        self.path = path

    def __repr__(self) -> str:
        return "AccessToken(…)"

    def is_it(self, given: str) -> bool:
        """Return whether this is the token; takes as long for a wrong one."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._value.encode())

    def key(self, purpose: str) -> bytes:
        """Return a key for one purpose, from which the token cannot be told."""
        return hmac.digest(self._value.encode(), purpose.encode(), hashlib.sha256)

    def bearer(self) -> dict[str, str]:
        """Return the header by which this user's own processes ask."""
        return {"Authorization": f"Bearer {self._value}"}


def read_or_make(path: Path) -> AccessToken:
    """Return the token of a file, which is made where there is none.

    Raises:
        ConfigError: others can read it, it is another user's, holds no token, or cannot be made.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(path)
    except OSError as error:
        raise ConfigError(
            f"{path}: the token cannot be written ({error.strerror}); --token-file names another place"
        ) from None
    return _read(path)


def read(path: Path) -> AccessToken:
    """Return the token of a file.

    Raises:
        ConfigError: there is none, others can read it, it is another user's, or holds no token.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no token: no 'bot serve' was started with it yet; start one, or name its "
            "--token-file"
        ) from None


def _make(path: Path) -> None:
    """Make the file whole or not at all, unless another process has made it meanwhile."""
    # born with its mode: there is no instant at which others can read it
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_BYTES) + "\n")
        with suppress(FileExistsError):
            os.link(beside, path)
    finally:
        os.unlink(beside)


def _read(path: Path) -> AccessToken:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(
            f"{path}: the token cannot be read ({error.strerror}); expected a file of yours, no link"
        ) from None
    try:
        about = os.fstat(handle)
        regular = stat.S_ISREG(about.st_mode)
        content = os.read(handle, _LETTERS + 2) if regular else b""
    finally:
        os.close(handle)
    if not regular or about.st_uid != os.geteuid():
        raise ConfigError(f"{path}: is no file of yours; --token-file names another place")
    if about.st_mode & 0o077:
        raise ConfigError(
            f"{path}: others can read the token (mode {stat.S_IMODE(about.st_mode):04o}, expected 0600), so "
            "that it may be known; delete the file, a new one is made at the next start"
        )
    text = content.decode("ascii", "replace").strip()
    if len(text) != _LETTERS or not text.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f"{path}: holds no token; delete the file, a new one is made")
    return AccessToken(text, path)

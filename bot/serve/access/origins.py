"""Which hosts and origins are ours: names under which the page is asked for, and none else.

A page of another site can send requests to this address, and can give itself a name that leads here
(DNS rebinding): the former has another `Origin`, the latter another `Host`.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class Ours:
    """The names that are ours.

    Attributes:
        hosts: lower case, with the port where it is not the usual one.
        port: that is listened on.
    """

    hosts: frozenset[str]
    port: int

    def is_host(self, host: str) -> bool:
        """Return whether a request's Host is ours."""
        return host.lower() in self.hosts

    def is_origin(self, origin: str) -> bool:
        """Return whether a request's Origin is ours.

        >>> ours(8765).is_origin("http://127.0.0.1:8765"), ours(8765).is_origin("null")
        (True, False)
        """
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        plain = f"{parts.scheme}://{parts.netloc}" == origin
        return plain and parts.scheme in ("http", "https") and self.is_host(parts.netloc)


def ours(port: int, host: str = "127.0.0.1", names: tuple[str, ...] = ()) -> Ours:
    """Return the names of a server.

    Args:
        port: that it listens on.
        host: the address that it listens on.
        names: further ones, as a proxy in front of it has; with a port where it is not the usual.
    """
    bare = host if ":" not in host or host.startswith("[") else f"[{host}]"
    own = {*LOOPBACK, bare} - {"0.0.0.0", "[::]"}
    with_port = {f"{name}:{port}" for name in own} | (own if port == 80 else set())
    return Ours(frozenset(name.lower() for name in (*with_port, *names)), port)

"""`bot serve`: the process, its address, and the links by which its page is opened.

Rules: it listens on this machine only unless it is told another address; nothing that it prints but the
links lets anybody in, and the links do so once. It ends with its parent where it was started by one.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from bot.errors import ConfigError
from bot.serve.access.codes import LIFETIME_S
from bot.serve.access.origins import ours
from bot.serve.access.token import default_path, read, read_or_make
from bot.serve.app import make_app
from bot.serve.feed.coverages import get_ready
from bot.serve.site import Site, site_for

PORT = 8765


@dataclass(frozen=True)
class ServeOptions:
    """How to serve.

    Attributes:
        port: to listen on; 0 takes a free one.
        allow_hosts: further names under which it is asked for, as a proxy's.
        token_file: None for the usual one.
        with_parent: number of the process that started this one, with which it ends; 0: none.
        any_port: take a free port where the asked one is taken.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    allow_hosts: tuple[str, ...] = ()
    token_file: Path | None = None
    with_parent: int = 0
    any_port: bool = False

    @property
    def token_path(self) -> Path:
        """Return where the token is.

        Raises:
            ConfigError: the user has no home.
        """
        return self.token_file or default_path()


def serve_command(runs_dir: Path, options: ServeOptions) -> None:
    """Serve a folder of runs until it is stopped.

    Raises:
        ConfigError: the port is taken, or the token is unfit.
    """
    token = read_or_make(options.token_path)
    listening = _listening(options)
    port = int(listening.getsockname()[1])
    site = site_for(runs_dir, token, ours(port, options.host, options.allow_hosts))
    address = address_of(options.host, port)
    _tell(site, address, options)
    logging.basicConfig(
        stream=sys.stderr, format="serve: %(levelname)s %(message)s", level=logging.WARNING
    )
    # what is no HTTP is answered; whoever sends it is not to fill the terminal
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(
        make_app(site), log_config=None, access_log=False, server_header=False, date_header=True,
        timeout_graceful_shutdown=2, lifespan="on", ws="none",
    )  # fmt: skip
    server = _Server(config, site)
    threading.Thread(target=get_ready, daemon=True).start()
    threading.Thread(target=_links_by_enter, args=(server, site, address), daemon=True).start()
    if options.with_parent:
        given = (server, options.with_parent)
        threading.Thread(target=watch_parent, args=given, daemon=True).start()
    with listening:
        server.run(sockets=[listening])


def address_of(host: str, port: int) -> str:
    """Return the address under which a server that listens there is asked on this machine.

    >>> address_of("0.0.0.0", 8765), address_of("::1", 8765)
    ('http://127.0.0.1:8765', 'http://[::1]:8765')
    """
    asked = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    return f"http://{f'[{asked}]' if ':' in asked and asked[0] != '[' else asked}:{port}"


class _Server(uvicorn.Server):
    """One that lets go of streams before it waits for requests to end, and ends well when it is told to."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self._site = site

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End in order on Ctrl-C and SIGTERM; the library would then raise them once more."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close."""
        self._site.watching.close()
        await super().shutdown(sockets)


def link_command(options: ServeOptions) -> str:
    """Return a new one-time link of a server that runs.

    Raises:
        ConfigError: none runs at this address, or it is another user's.
    """
    base = address_of(options.host, options.port)
    headers = {**read(options.token_path).bearer(), "Accept": "application/json"}
    request = urllib.request.Request(f"{base}/api/v1/links", b"", headers)
    try:
        with urllib.request.urlopen(request, timeout=5.0) as answer:
            return f"{base}{json.load(answer)['path']}"
    except urllib.error.HTTPError as error:
        raise ConfigError(
            f"{base}: 'bot serve' of another token answers there ({error.code}); --port or --token-file"
        ) from None
    except (OSError, ValueError, KeyError):
        raise ConfigError(
            f"{base}: no 'bot serve' answers there; start one, or name its --port"
        ) from None


def listening_at(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises:
        OSError: it cannot be listened on.
    """
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
    except OSError:
        found.close()
        raise
    return found


def _listening(options: ServeOptions) -> socket.socket:
    try:
        return listening_at(options.host, options.port)
    except OSError as error:
        if options.any_port:
            return listening_at(options.host, 0)
        raise ConfigError(
            f"{options.host}:{options.port}: cannot be listened on ({error.strerror or error}); --port "
            "names another, 0 takes a free one"
        ) from None


def _tell(site: Site, address: str, options: ServeOptions) -> None:
    link = f"{address}/open#{site.codes.new()}"
    print(f"page: {link}", flush=True)
    port = address.rpartition(":")[2]
    again = "'bot serve --link" + ("" if port == str(PORT) else f" --port {port}") + "'"
    if _is_terminal():
        again = f"Enter or {again}"
    minutes = LIFETIME_S / 60
    print(f"      (opens once, within {minutes:.0f} minutes; {again} gives another)", flush=True)
    if options.host not in ("127.0.0.1", "::1", "localhost"):
        print(
            f"serve: {options.host} can be reached from other machines, and nothing is encrypted on the "
            "way; a tunnel or a proxy with TLS is safer (docs/page.md)",
            file=sys.stderr,
        )  # fmt: skip


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _links_by_enter(server: uvicorn.Server, site: Site, address: str) -> None:
    """Print a link for each Enter."""
    if not _is_terminal():
        return
    while not server.should_exit and sys.stdin.readline():
        print(f"page: {address}/open#{site.codes.new()}", flush=True)


def watch_parent(server: uvicorn.Server, parent: int) -> None:
    """End once the parent has: whoever adopts this process then, init or a subreaper, has another number.

    The parent says its own number: it may be gone before this process looks, and may itself be number 1.
    """
    while os.getppid() == parent:
        time.sleep(1.0)
    server.should_exit = True

"""One connection of pybit, made harmless: its thread only ever lays frames into an inbox.

pybit's read path ends the stream silently at any exception, and its own reconnecting has no
back-off; so nothing of it runs here. A frame goes, unread, into the inbox; an error or a close ends
the inbox; reading, subscribing again and waiting are the supervisor's. A redirect is not followed, and
a message that is too long ends the connection. Must not parse.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import websocket
from pybit.unified_trading import WebSocket

from bot.errors import ExchangeError

CONNECT_TIMEOUT_S = 10.0
MOST_BYTES = 1_000_000
"""Of a message, a thousand times what Bybit sends; and sixty-four times that may wait to be read."""

_PING_S, _PONG_TIMEOUT_S = 20, 10

_GONE = (websocket.WebSocketException, OSError, AttributeError)
"""What pybit and websocket-client raise on a connection that is closing in another thread."""


class _Bounded(websocket.WebSocket):
    """The library's connection, which follows redirects and takes messages of any length."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._parts = 0
        take = self.frame_buffer.recv_strict

        def recv_strict(size: int) -> Any:
            if size > MOST_BYTES:
                raise websocket.WebSocketPayloadException(f"a frame of {size:,} bytes")
            return take(size)

        self.frame_buffer.recv_strict = recv_strict  # type: ignore[method-assign,assignment]

    def connect(self, url: str, **options: Any) -> None:
        super().connect(url, **{**options, "redirect_limit": 0})  # type: ignore[no-untyped-call]

    def recv_frame(self) -> Any:
        frame = super().recv_frame()  # type: ignore[no-untyped-call]
        if frame.opcode in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY):
            self._parts = 0
        self._parts += len(frame.data)
        if self._parts > MOST_BYTES and not frame.fin:
            raise websocket.WebSocketPayloadException(
                f"a message of more than {MOST_BYTES:,} bytes"
            )
        return frame


websocket._app.WebSocket = _Bounded  # type: ignore[attr-defined]
"""pybit makes its WebSocketApp itself, and that its connection."""


class Socket(Protocol):
    """What the supervisor needs of a connection; each call blocks, and may raise ExchangeError."""

    def open(self) -> None:
        """Connect."""
        ...

    def request(self, op: str, topics: Sequence[str]) -> None:
        """Subscribe to topics or unsubscribe from them; the answer comes as a frame."""
        ...

    def close(self) -> None:
        """Close, also while `open` is still under way; raise nothing."""
        ...


class Inbox:
    """Frames on their way from a connection's thread to the loop, with the time of each.

    Bounded in number and in size: where the loop does not keep up, what is there is still read, what comes is dropped and
    counted, and the connection counts as lost. `lost` is why nothing more will come, empty while
    it may. Made on the loop that takes from it.
    """

    def __init__(self, limit: int, now_ms: Callable[[], int]) -> None:
        self.dropped = 0
        self._limit, self._now_ms = limit, now_ms
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._arrived = asyncio.Event()
        self._frames: list[tuple[str | bytes, int]] = []
        self._size = 0
        self.lost = ""

    def put(self, frame: str | bytes) -> None:
        """Add a frame, from any thread."""
        received_ms = self._now_ms()
        with self._lock:
            fits = len(self._frames) < self._limit and self._size < 64 * MOST_BYTES
            if not self.lost and fits:
                self._frames.append((frame, received_ms))
                self._size += len(frame)
                if len(self._frames) == 1:
                    self._wake()
                return
            self.dropped += 1
        self.fail("too many frames wait to be read; the loop does not keep up")

    def fail(self, reason: str) -> None:
        """Say, from any thread, that nothing more will come; the first reason counts."""
        with self._lock:
            self.lost = self.lost or reason
            self._wake()

    async def take(self) -> list[tuple[str | bytes, int]]:
        """Return every frame that waits, at least one.

        Raises:
            ExchangeError: the connection is lost, and all its frames were taken.
        """
        while True:
            await self._arrived.wait()
            with self._lock:
                frames, self._frames, self._size = self._frames, [], 0
                if frames:
                    return frames
                if self.lost:
                    raise ExchangeError(self.lost)
                self._arrived.clear()

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody will read
            self._loop.call_soon_threadsafe(self._arrived.set)


class BybitSocket:
    """A connection to `/v5/public/{category}` of Bybit, its testnet, or another base."""

    def __init__(self, category: str, inbox: Inbox, base_url: str, *, testnet: bool) -> None:
        self._category, self._inbox = category, inbox
        self._base_url, self._testnet = base_url.rstrip("/"), testnet
        self._session: _PybitSession | None = None

    def open(self) -> None:
        """Connect.

        Raises:
            ExchangeError: it does not succeed.
        """
        websocket.setdefaulttimeout(CONNECT_TIMEOUT_S)
        try:
            _PybitSession(self, self._category, self._inbox, self._base_url, testnet=self._testnet)
        except _GONE as error:
            cause = self._inbox.lost or str(error)
            raise ExchangeError(f"no connection to the stream: {cause}") from None

    def request(self, op: str, topics: Sequence[str]) -> None:
        """Subscribe to topics, or unsubscribe from them.

        Raises:
            ExchangeError: the connection is closed.
        """
        try:
            self._attached().ws.send(
                json.dumps({"op": op, "req_id": topics[0], "args": list(topics)})
            )
        except _GONE as error:
            raise ExchangeError(f"the stream closed at subscribing: {error}") from None

    def close(self) -> None:
        """Close, also while `open` is still under way."""
        with suppress(ExchangeError, *_GONE):
            self._attached().leave()

    def attach(self, session: _PybitSession) -> None:
        """Know the session before it connects, so that it can be closed while it does."""
        self._session = session

    def _attached(self) -> _PybitSession:
        if self._session is None:
            raise ExchangeError("the stream is not open")
        return self._session


class _PybitSession(WebSocket):
    """pybit's connection, with its reading, its errors and its reconnecting taken out."""

    def __init__(
        self, owner: BybitSocket, category: str, inbox: Inbox, base_url: str, *, testnet: bool
    ) -> None:
        self._inbox = inbox
        self._base_url = base_url
        self._unwanted = self._settled = False
        self._opened: list[Any] = []
        owner.attach(self)
        super().__init__(
            channel_type=category,
            testnet=testnet,
            ping_interval=_PING_S,
            ping_timeout=_PONG_TIMEOUT_S,
            retries=2,  # 1 raises even when connected
            restart_on_error=False,
        )

    def _connect(self, url: str) -> None:
        if self._base_url:
            url = self._base_url + url[url.index("/v5/") :]
        try:
            super()._connect(url)
        except websocket.WebSocketException:
            self._shut()
            raise
        self._settled = True
        if self._unwanted:
            self._shut()

    def leave(self) -> None:
        """Close now, or as soon as the connecting is over: a half-open connection would leak."""
        self._unwanted = True
        if self._settled:
            self._shut()

    def _shut(self) -> None:
        self.exit()
        for opened in self._opened:  # after a server's goodbye websocket-client leaves it open
            opened.shutdown()

    def _on_open(self) -> None:
        self._opened.append(self.ws.sock)

    def _on_message(self, message: str | bytes) -> None:
        self._inbox.put(message)

    def _on_error(self, error: Any) -> None:
        self._inbox.fail(f"{type(error).__name__}: {error}"[:200])

    def _on_close(self) -> None:
        self._inbox.fail("the connection was closed")

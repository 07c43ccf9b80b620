"""Places that take messages, here on this machine, and can be down."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@dataclass
class HttpSink:
    """Takes requests on a port while it is up."""

    port: int = field(default_factory=free_port)
    status: int = 204
    retry_after: str = ""
    taken: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/tokentoken"

    @contextmanager
    def up(self) -> Iterator[None]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.take()

            def do_GET(self) -> None:
                self.take()

            def take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if sink.status < 300:
                    sink.taken.append((self.path, dict(self.headers), body))
                self.send_response(sink.status)
                if sink.status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{sink.port}/elsewhere")
                if sink.retry_after:
                    self.send_header("Retry-After", sink.retry_after)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *given: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = False  # so that closing it waits for what it still answers
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@dataclass
class MailSink:
    """Takes mails on a port while it is up."""

    port: int = field(default_factory=free_port)
    taken: list[EmailMessage] = field(default_factory=list)

    @property
    def address(self) -> str:
        to = "from=bot@example.com&to=eva@example.com&mode=insecure"
        return f"mailto://127.0.0.1:{self.port}?{to}"

    @contextmanager
    def up(self) -> Iterator[None]:
        from email import message_from_bytes, policy

        from aiosmtpd.controller import Controller

        sink = self

        class Handler:
            async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
                mail = message_from_bytes(envelope.content, policy=policy.default)
                assert isinstance(mail, EmailMessage)
                sink.taken.append(mail)
                return "250 OK"

        controller = Controller(Handler(), hostname="127.0.0.1", port=self.port)
        controller.start()
        try:
            yield
        finally:
            controller.stop()

"""One request: what a receiver can do to it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest

from bot.adapters.messages import posting
from bot.adapters.messages.delivery import NotDelivered


def test_an_answer_that_comes_letter_by_letter_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(posting, "WHOLE_S", 0.3)
    over = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.0 200 OK\r\n")
            while not over.wait(0.05):
                connection.sendall(b"X: y\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        dripping = threading.Thread(target=drip, args=(listening,))
        dripping.start()
        try:
            with pytest.raises(NotDelivered, match=r"no whole answer within 0\.3 s"):
                posting.request(f"http://127.0.0.1:{listening.getsockname()[1]}/secret", b"{}")
        finally:
            over.set()
            dripping.join()

"""What systemd is told, through a socket of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.adapters.system.sd_notify import notify, tell_alive


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield made


def test_a_state_is_sent(listener: socket.socket) -> None:
    assert notify("READY=1")
    assert listener.recv(100) == b"READY=1"


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")


def test_a_socket_that_is_gone_is_nobody(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", f"{listener.getsockname()}.gone")
    assert not notify("READY=1")


async def test_the_watchdog_is_fed_while_the_loop_turns(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setattr("bot.adapters.system.sd_notify.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await tell_alive()
    assert slept == [15.0] * 3
    assert [listener.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3


async def test_without_a_watchdog_nothing_is_sent(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    await tell_alive()
    with pytest.raises(BlockingIOError):
        listener.recv(100)

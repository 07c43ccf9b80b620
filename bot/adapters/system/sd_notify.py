"""Tell systemd that the daemon is ready and alive, where it asks for it (Type=notify).

Protocol: a datagram of VARIABLE=value lines to the socket named by NOTIFY_SOCKET (sd_notify(3)).
"""

from __future__ import annotations

import asyncio
import os
import socket


def notify(state: str) -> bool:
    """Send a state such as READY=1 or WATCHDOG=1; return whether somebody was listening.

    A socket that is gone or full is nobody: the daemon goes on, and systemd judges it by its watchdog.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode(), address)
    except OSError:
        return False
    return True


async def tell_alive() -> None:
    """Send WATCHDOG=1 twice in each period that systemd grants, as long as the event loop turns.

    Also while an exchange is waited for: a wait of half an hour after a 403 is no hang. Returns at
    once where no watchdog is set (WATCHDOG_USEC).
    """
    period_us = int(os.environ.get("WATCHDOG_USEC") or 0)
    while period_us > 0:
        notify("WATCHDOG=1")
        await asyncio.sleep(period_us / 2e6)

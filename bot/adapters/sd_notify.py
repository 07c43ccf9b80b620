"""Tell systemd that the daemon is ready and alive, where it asks for it (Type=notify).

Protocol: a datagram of VARIABLE=value lines to the socket named by NOTIFY_SOCKET (sd_notify(3)).
"""

from __future__ import annotations

import os
import socket


def notify(state: str) -> bool:
    """Send a state such as READY=1 or WATCHDOG=1; return whether somebody was listening."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), address)
    return True

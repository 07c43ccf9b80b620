"""A webhook: a JSON body, signed with HMAC-SHA256 over its time and itself.

The receiver computes the signature again and compares it, and refuses what is older than a few
minutes: docs/messages.md has the lines for it. What it has seen by its id it ignores.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.adapters.messages.delivery import OutgoingMessage
from bot.adapters.messages.posting import request

SCHEMA = 1
SIGNED = "X-Bot-Signature"
TIMED = "X-Bot-Timestamp"
NUMBERED = "X-Bot-Id"


@dataclass(frozen=True)
class Webhook:
    """An address that takes signed bodies.

    Args:
        now_s: this machine's time, in seconds since 1970.
    """

    address: str = field(repr=False)
    secret: str = field(repr=False)
    now_s: Callable[[], float]
    name: str = "webhook"

    @property
    def key(self) -> str:
        """Return what it is known by."""
        return key_of(self.address)

    def send(self, delivery: OutgoingMessage) -> None:
        """Post it.

        Raises:
            NotDelivered: it was not answered with 2xx.
        """
        content = {
            "schema": SCHEMA, "id": delivery.id, "title": delivery.title, "text": delivery.text,
            "urgent": delivery.urgent, "messages": list(delivery.messages),
        }  # fmt: skip
        body = json.dumps(content).encode()
        moment = str(int(self.now_s()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "mtl-paper-bot",
            NUMBERED: delivery.id,
            TIMED: moment,
            SIGNED: signature(self.secret, moment, body),
        }
        request(self.address, body, headers)


def signature(secret: str, moment: str, body: bytes) -> str:
    """Return what a body is signed with: 'v1=' and HMAC-SHA256 of time, full stop and body.

    >>> signature("k", "1", b"{}")[:13]
    'v1=3dd49b2593'
    """
    digest = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256)
    return f"v1={digest.hexdigest()}"


def key_of(address: str) -> str:
    """Return a name for an address that gives nothing away."""
    return hashlib.sha256(address.encode()).hexdigest()[:12]

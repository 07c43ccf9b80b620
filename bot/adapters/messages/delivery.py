"""What is sent to an address, and what went wrong with it.

Rule: the reason of a failure names no address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class NotDelivered(Exception):  # noqa: N818
    """It was not taken; the text says why, without the address."""


@dataclass(frozen=True)
class OutgoingMessage:
    """One message as it is sent.

    Attributes:
        id: the same when it is sent again.
        messages: what it is made of, as JSON values.
        picture: a PNG, where there is one.
    """

    id: str
    title: str
    text: str
    urgent: bool
    messages: Sequence[Mapping[str, Any]]
    picture: Path | None = None


class Address(Protocol):
    """Where messages go.

    Attributes:
        name: for people; it gives nothing away.
        key: for the state file; it gives nothing away either.
    """

    @property
    def name(self) -> str:
        """Return what it is called."""

    @property
    def key(self) -> str:
        """Return what it is known by, from start to start."""

    def send(self, delivery: OutgoingMessage) -> None:
        """Send it.

        Raises:
            NotDelivered: it was not taken, or nobody knows.
        """

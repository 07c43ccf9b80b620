"""What is sent to an address, and what went wrong with it.

Rule: the reason of a failure names no address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

_LATER = frozenset({408, 425, 429})
"""Answers of 4xx that say when, not what: the same may be taken later."""


class NotDelivered(Exception):  # noqa: N818
    """It was not taken; the text says why, without the address.

    Args:
        status: of the HTTP answer, where there was one.
        retry_after_s: what the receiver asked to wait.
    """

    def __init__(
        self, why: str, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(why)
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def refused(self) -> bool:
        """Return whether the receiver has looked at it and does not want it: trying again is of little use."""
        return self.status is not None and 300 <= self.status < 500 and self.status not in _LATER


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

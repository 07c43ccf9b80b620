"""A message: what happened, in a sentence, with an id that stays the same however often it is sent.

Must not know where it goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

URGENT = frozenset({"halt", "liquidation", "crash", "disk"})
"""Kinds that wait for nothing: no group, no quiet hours, no limit."""


@dataclass(frozen=True)
class Message:
    """What happened in a run.

    Attributes:
        id: the run, the kind, and what makes it this one.
        kind: one of `notify.kinds`.
        time_ms: of the bar where it belongs to one, else this machine's.
        calm: that of an urgent kind which is good news, and can wait.
        picture: the name of a picture to make of the run when it is sent.
    """

    id: str
    run: str
    kind: str
    time_ms: int
    text: str
    calm: bool = False
    picture: bool = False

    @property
    def urgent(self) -> bool:
        """Return whether it waits for nothing."""
        return self.kind in URGENT and not self.calm

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Message:
        """Return what `as_json` gave."""
        return cls(**{f.name: value[f.name] for f in fields(cls) if f.name in value})


def message_id(run: str, kind: str, *parts: object) -> str:
    """Return the id of a message.

    >>> message_id("live", "fill", 1700000000000, 2)
    'live/fill/1700000000000/2'
    """
    return "/".join(map(str, (run, kind, *parts)))

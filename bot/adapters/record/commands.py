"""A person's commands as a record keeps them: rows, and the bytes that a bar's link takes in.

Rules: a row says from where on a command holds: the open of a bar, or its close where the bar was open
already; one that could not hold is a row with the reason. An id is in a record once. Must not apply one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CommandRow:
    """A command that was asked of the run.

    Attributes:
        id: its name, of the time it was asked at and a random part.
        kind: `bot.portfolio.hand.Command`, or "unreadable" for a file that holds none.
        settings: JSON of the values by key; "{}" but for `set`.
        asked_by: the user's name.
        asked_ms: this machine's time when it was asked.
        open_time: of the bar from which it holds.
        inside: whether that bar was open already, so that it holds from its close on.
        refused: why it does not hold; None where it does.
        position: its place in the record, from 1.
    """

    id: str
    kind: str
    settings: str
    asked_by: str
    asked_ms: int
    open_time: int
    inside: bool
    refused: str | None = None
    position: int = 0

    @property
    def values(self) -> Mapping[str, Any]:
        """Return the settings by key."""
        values: dict[str, Any] = json.loads(self.settings)
        return values

    @property
    def place(self) -> tuple[int, bool]:
        """Return from where it holds, in the order of time."""
        return self.open_time, self.inside


def settings_text(values: Mapping[str, Any]) -> str:
    """Return values by key as a row keeps them.

    >>> settings_text({"risk.max_gross": 1.0})
    '{"risk.max_gross": 1.0}'
    """
    return json.dumps(dict(values), sort_keys=True)


def command_bytes(rows: Iterable[CommandRow]) -> dict[int, bytes]:
    """Return what each bar's link takes in of its commands, by the bar's open time."""
    found: dict[int, bytes] = {}
    for row in rows:
        parts = (
            row.id, row.kind, row.settings, row.asked_by, str(row.asked_ms), str(int(row.inside)),
            row.refused or "",
        )  # fmt: skip
        text = "".join(f"{len(part)}:{part}" for part in ("command", *parts))
        found[row.open_time] = found.get(row.open_time, b"") + text.encode("utf-8")
    return found

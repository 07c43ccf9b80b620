"""The first place where a record is not what it must be, written for people and programs.

Must not compare anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.timestamps import format_utc

MISSING = "no such row"


@dataclass(frozen=True)
class Difference:
    """The first place where a run and its replay, or what it must be, are not the same.

    Attributes:
        table, field: of the record; a row that only one of them has differs in the field "row".
        open_time: of the bar, ms UTC; None where it is about no bar.
        symbol: None where the row is about all of them.
        stored, replayed: the two values.
    """

    table: str
    field: str
    open_time: int | None
    symbol: str | None
    stored: Any
    replayed: Any

    def __str__(self) -> str:
        bar = [] if self.open_time is None else [format_utc(self.open_time), "UTC"]
        where = " ".join([*bar, *([self.symbol] if self.symbol else [])])
        values = f"the run has {_shown(self.stored)}, the replay {_shown(self.replayed)}"
        return f"{where + ': ' if where else ''}{self.table}.{self.field}: {values}"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "bar": None if self.open_time is None else format_utc(self.open_time),
            "open_time": self.open_time,
            "symbol": self.symbol,
            "table": self.table,
            "field": self.field,
            "stored": _plain(self.stored),
            "replayed": _plain(self.replayed),
        }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else repr(plain)

"""What a table is: a sheet with its rows, before anyone gives it a look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["", "good", "bad", "doubt"]


@dataclass(frozen=True, slots=True)
class SheetRow:
    """Cells of text; the tone colours the last one, `strong` is a total, `ends` closes a group."""

    cells: tuple[str, ...]
    tone: Tone = ""
    strong: bool = False
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: a key to find it by, a title, columns (numbers stand right), rows and a note."""

    key: str
    title: str
    columns: tuple[str, ...]
    numbers: frozenset[int]
    rows: tuple[SheetRow, ...]
    note: str = ""


def from_column(first: int, columns: tuple[str, ...]) -> frozenset[int]:
    """Return the columns from `first` on, as those that hold numbers."""
    return frozenset(range(first, len(columns)))

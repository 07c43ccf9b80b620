"""Files under a root that nobody reads: why, and how to import them.

Rules: only files that end as data do count. One that a known layout fits is wrong where it is, since
its rows are missing; so is one in a folder that is for nothing else. Others are only mentioned.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.files.data_root import DataRoot
from bot.adapters.files.layouts.layout import SeriesKind
from bot.adapters.files.tables import FileTable, read_table
from bot.app.history.import_reading import Wanted, identify, import_command
from bot.app.history.importing import is_imported
from bot.errors import DataError


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that is not read, why, and the command that imports it, empty where there is none."""

    path: Path
    reason: str
    fix: str
    wrong: bool


_NAMED: dict[SeriesKind, tuple[str, str]] = {
    "candles": ("candles", "VENUE_SYMBOL_INTERVAL"),
    "mark": ("mark prices", "VENUE_SYMBOL_INTERVAL_mark"),
    "funding": ("funding rates", "VENUE_SYMBOL_funding"),
}
"""What a file holds in words, and what it would have to be called."""


def unread_files(where: DataRoot, venue: str) -> list[Unread]:
    """Return the data files under a root whose names nobody reads.

    Args:
        venue: named in the command where the file does not tell its own.
    """
    return [_unread(path, where, venue) for path in where.unread_files()]


def import_hint(path: Path, root: str | Path, venue: str) -> str:
    """Return the command that imports a file, empty where its layout is not known."""
    try:
        identity = identify(read_table(path))
    except DataError:
        return ""
    return import_command(path, root, identity, venue) if identity else ""


def _unread(path: Path, where: DataRoot, venue: str) -> Unread:
    for_nothing_else = path.parent.name in {"candles", "funding", "mark"}
    try:
        table = read_table(path)
        identity = identify(table)
    except DataError as error:
        return Unread(path, str(error).removeprefix(f"{path}: "), "", for_nothing_else)
    if identity is not None:
        command = import_command(path, where.path, identity, venue)
        wanted = Wanted() if identity.venue else Wanted(venue=identity.likely_venue or venue)
        if is_imported(path, where.path, wanted, time.time_ns() // 1_000_000):
            return Unread(path, "all its rows are imported; it is not read", "", False)
        kind, name = _NAMED[identity.kind]
        reason = f"holds {kind}, but is not named {name} with a known venue in front; import it:"
        return Unread(path, reason, command, True)
    if _is_forecasts(table):
        return Unread(path, "holds forecasts; 'bot backtest --forecasts' reads it", "", False)
    reason = f"laid out in no known way; its columns are {','.join(table.columns[:8])}"
    return Unread(path, reason, "", for_nothing_else)


def _is_forecasts(table: FileTable) -> bool:
    return {"return", "p_up"} <= {name.strip().lower() for name in table.columns}

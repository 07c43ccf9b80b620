"""Parts of a request that several addresses read: names, times and cursors.

Rule: what cannot be meant is refused with what was expected, and so is a name that an address does not
have; a cursor is opaque, and only one that was given out is taken.
"""

from __future__ import annotations

import base64
import binascii
import re

from fastapi import Request

from bot.adapters.record.tables import EARLIEST, LATEST
from bot.app.runs.log_backwards import LogPlace
from bot.errors import ConfigError
from bot.serve.problems import Problem
from bot.timestamps import parse_utc
from bot.wording import did_you_mean

_NUMBER = re.compile(r"-?\d{1,18}")


def known_names(request: Request) -> None:
    """Let a request pass that asks an address for nothing that it does not have.

    A misspelt filter would else be answered with everything.

    Raises:
        Problem: a name in the query is none of the address's.
    """
    names = [each.alias for each in request.scope["route"].dependant.query_params]
    for given in request.query_params:
        if given not in names:
            there_are = f"there are {', '.join(names)}" if names else "this address takes none"
            meant = did_you_mean(given, names)
            raise Problem(422, f"query.{given:.60}: no such name{meant or f'; {there_are}'}")


def time_asked(text: str | None, name: str, usual: int) -> int:
    """Return a time in ms UTC: of milliseconds, or of a date or time as text.

    Raises:
        Problem: it is neither.
    """
    if text is None:
        return usual
    if _NUMBER.fullmatch(text):
        return int(text)
    try:
        parsed = parse_utc(text, name)
    except (ConfigError, ValueError, OverflowError):
        parsed = None
    if parsed is None:
        raise Problem(
            422, f"{name}: '{text:.60}' is no time; milliseconds UTC, or such as 2026-01-31T12:00"
        )
    return parsed


def span_asked(start: str | None, end: str | None) -> tuple[int, int]:
    """Return after which time and up to which rows are wanted, `from` and `to` inclusive."""
    first = time_asked(start, "from", EARLIEST + 1)
    return first - 1, time_asked(end, "to", LATEST)


def cursor_of(*numbers: int) -> str:
    """Return the cursor that names a place.

    >>> numbers_of(cursor_of(1_700_000_000_000), 1)
    (1700000000000,)
    """
    return base64.urlsafe_b64encode(".".join(map(str, numbers)).encode()).decode().rstrip("=")


def numbers_of(cursor: str, count: int) -> tuple[int, ...]:
    """Return what a cursor names.

    Raises:
        Problem: it was not given out here.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").split(".")
    except (binascii.Error, ValueError):
        parts = []
    if len(parts) != count or not all(_NUMBER.fullmatch(part) for part in parts):
        raise Problem(422, "cursor: this is none of ours; take 'next' of the page before")
    return tuple(int(part) for part in parts)


def place_of(cursor: str | None) -> LogPlace | None:
    """Return the place in a log that a cursor names."""
    return None if cursor is None else LogPlace(*numbers_of(cursor, 2))

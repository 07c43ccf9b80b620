"""Lengths of time as people write them: '2h', '3 d 4 h'."""

from __future__ import annotations

import re

from bot.timegrid import DAY_MS, HOUR_MS, MINUTE_MS

SECOND_MS = 1000
_UNITS = {"d": DAY_MS, "h": HOUR_MS, "m": MINUTE_MS, "s": SECOND_MS}
_GIVEN = re.compile(r"(\d+(?:\.\d+)?)\s*([dhms])")


def parse_duration(text: str) -> int | None:
    """Return the milliseconds of '90s', '30m', '2h' or '7d'; None where it is no such text.

    >>> parse_duration("2h"), parse_duration("1.5 d"), parse_duration("2024-01-01")
    (7200000, 129600000, None)
    """
    match = _GIVEN.fullmatch(text.strip())
    return None if match is None else int(float(match[1]) * _UNITS[match[2]])


def duration(ms: float) -> str:
    """Return a length of time in its two largest units.

    >>> duration(250), duration(61_500), duration(93_600_000), duration(-5000)
    ('250 ms', '1 min 1 s', '1 d 2 h', '-5 s')
    """
    if ms < 0:
        return f"-{duration(-ms)}"
    if ms < SECOND_MS:
        return f"{ms:.0f} ms"
    parts: list[str] = []
    for unit, size in (("d", DAY_MS), ("h", HOUR_MS), ("min", MINUTE_MS), ("s", SECOND_MS)):
        count, ms = divmod(int(ms), size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(part for part in parts[:2] if part)

"""A run's log by pages, newest first, with the filters of `bot logs`.

Rules: a page reads only so many lines, so that a filter which nothing passes costs no minute; what is
no event is left out. Must not change what an event says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.app.runs.folder import RunFolder
from bot.app.runs.log_backwards import LogPlace, lines_backwards
from bot.app.runs.log_view import LogFilter, parse_event
from bot.app.runs.sentences import NO_NEWS

MOST_LINES = 20_000
"""Lines that a page reads."""


@dataclass(frozen=True)
class EventsPage:
    """Events with their places, newest first.

    Attributes:
        older: where the next page begins, None where there is nothing older.
    """

    events: Sequence[tuple[LogPlace, dict[str, Any]]]
    older: LogPlace | None


def events_page(
    folder: RunFolder, wanted: LogFilter, most: int, before: LogPlace | None = None
) -> EventsPage:
    """Return the newest events that pass, older than a place where one is given."""
    found: list[tuple[LogPlace, dict[str, Any]]] = []
    place = None
    for read, (place, line) in enumerate(lines_backwards(folder.log, before), start=1):
        event = parse_event(line)
        if event is not None:
            if wanted.since_ms is not None and event["time_ms"] < wanted.since_ms:
                return EventsPage(found, None)
            if wanted.passes(event):
                found.append((place, event))
        if len(found) >= most or read >= MOST_LINES:
            return EventsPage(found, place)
    return EventsPage(found, None)


def newest_news(folder: RunFolder, most_lines: int = 400) -> dict[str, Any] | None:
    """Return the newest event that is not of every bar, None where there is none of late."""
    for read, (_, line) in enumerate(lines_backwards(folder.log)):
        if read >= most_lines:
            return None
        event = parse_event(line)
        if event is not None and event["event"] not in NO_NEWS and event["level"] != "debug":
            return event
    return None


def ended_in_order(folder: RunFolder) -> bool:
    """Return whether the last that a daemon wrote was that it stops."""
    for read, (_, line) in enumerate(lines_backwards(folder.log)):
        event = parse_event(line)
        if event is not None:
            return bool(event["event"] == "run_stopped")
        if read > 20:
            break
    return False

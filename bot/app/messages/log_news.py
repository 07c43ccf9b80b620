"""Halts, trainings, starts and stops that a run's log has and nobody was told of.

Rules: the cursor is a file's number and a place in it, so that a log that is set aside meanwhile is
read on; where that file is gone, what is older than the last line told is left out. A file that is
shorter than the place is another one, which got the number of one that was removed. The log's level
may keep events out of it: `warning` has all of these but starts and stops.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

from bot.app.messages.message import Message, message_id
from bot.app.runs.log_reading import opened_parts
from bot.app.runs.log_view import parse_event
from bot.app.runs.sentences import LogEvent, sentence

KINDS = {
    "risk": "halt", "margin_call": "liquidation", "training_failed": "training",
    "training_skipped": "training", "heads_untrained": "training", "error": "crash",
    "run_started": "life", "run_resumed": "life", "run_stopped": "life", "symbol_leaving": "symbol",
    "symbol_stays": "symbol", "symbol_unlisted": "symbol",
}  # fmt: skip
"""The kind of message by event; what the journal tells is not told from here again."""


@dataclass(frozen=True)
class LogCursor:
    """How far a log was read.

    Attributes:
        file: the number of the file, 0 before the first.
        place: bytes of it that are read.
        time_ms: of the last line told.
    """

    file: int = 0
    place: int = 0
    time_ms: int = 0


@dataclass(frozen=True)
class LogNews:
    """What a look at the log has found.

    Attributes:
        stopped: the daemon has said that it ended; None where it said nothing new.
    """

    messages: list[Message]
    cursor: LogCursor
    stopped: bool | None = None


def end_of_log(path: Path) -> LogCursor:
    """Return the cursor behind all that there is."""
    try:
        found = path.stat()
    except OSError:
        return LogCursor()
    return LogCursor(found.st_ino, found.st_size)


def log_news(run: str, path: Path, cursor: LogCursor) -> LogNews:
    """Return what is new behind the cursor, and the cursor behind it."""
    news = LogNews([], cursor)
    for line, place in _new_lines(path, cursor):
        event = _wanted(line)
        if event is None:
            news = replace(news, cursor=replace(place, time_ms=news.cursor.time_ms))
            continue
        if place.time_ms and event["time_ms"] < place.time_ms:
            continue  # the file of the cursor is gone: this was told before
        news = _taken(run, line, event, news)
        news = replace(news, cursor=replace(place, time_ms=event["time_ms"]))
    return news


def _taken(run: str, line: bytes, event: dict[str, Any], news: LogNews) -> LogNews:
    name, at = event["event"], event["time_ms"]
    if name in {"run_started", "run_resumed", "run_stopped"}:
        news = replace(news, stopped=name == "run_stopped")
    kind = KINDS[name]
    told = message_id(run, kind, at, f"{crc32(line):08x}")
    calm = name == "risk" and _lifted(event)
    news.messages.append(Message(told, run, kind, at, sentence(event), calm=calm))
    return news


def _wanted(line: bytes) -> dict[str, Any] | None:
    if not any(f'"{name}"'.encode() in line for name in KINDS):
        return None  # most lines are decisions: not worth parsing
    event = parse_event(line.decode("utf-8", "replace"))
    return event if event is not None and event["event"] in KINDS else None


def _lifted(event: LogEvent) -> bool:
    nothing = {"none", "", None}
    return event.get("halt") in nothing and event.get("stage") in nothing


def _new_lines(path: Path, cursor: LogCursor) -> Iterator[tuple[bytes, LogCursor]]:
    """Yield whole lines behind the cursor with the cursor behind each; its time where it is to be heeded."""
    parts = opened_parts(path)
    try:
        found = any(
            number == cursor.file and _length(file) >= cursor.place for number, file in parts
        )
        while found and parts[0][0] != cursor.file:
            parts.pop(0)[1].close()
        heeded = 0 if found else cursor.time_ms
        for number, file in parts:
            place = cursor.place if found and number == cursor.file else 0
            file.seek(place)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # it is being written
                place += len(line)
                yield line, LogCursor(number, place, heeded)
    finally:
        for _, file in parts:
            file.close()


def _length(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size

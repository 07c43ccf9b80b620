"""`bot logs`: a run's events for people, with colours, columns and filters.

Rules: --json gives the lines through as they are; what is no event is counted and reported, not fatal.
Owns which event passes and how it looks. Must not change what an event says.
"""

from __future__ import annotations

import difflib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from bot.app.runs.durations import parse_duration
from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.log_reading import follow_lines, log_lines
from bot.app.symbols import traded_symbols
from bot.errors import ConfigError, DataError
from bot.log import EVENTS
from bot.timestamps import format_utc, parse_utc

LEVELS = ("debug", "info", "warning", "error")
_STYLES = {"debug": "dim", "info": "green", "warning": "yellow", "error": "bold red"}
_OWN = {"timestamp", "level", "event", "schema"}
_TIMES = range(10**12, 10**13)
"""Whole numbers in here are times of a bar, in ms: no count in the log comes near."""


@dataclass(frozen=True)
class LogFilter:
    """Which events pass: of these names, of this symbol, not older, at least of this level."""

    events: frozenset[str] = frozenset()
    symbol: str | None = None
    since_ms: int | None = None
    level: str = "debug"

    def passes(self, event: dict[str, Any]) -> bool:
        """Return whether an event passes."""
        if self.events and event["event"] not in self.events:
            return False
        if self.symbol is not None and event.get("symbol") != self.symbol:
            return False
        if LEVELS.index(event["level"]) < LEVELS.index(self.level):
            return False
        return self.since_ms is None or event["time_ms"] >= self.since_ms


def check_symbol(folder: RunFolder, symbol: str) -> None:
    """Refuse a symbol that the run does not trade, where the run's settings are there to tell.

    Raises:
        DataError: with the run's symbols, as `bot export` does.
    """
    if not folder.config.is_file():
        return
    known = traded_symbols(config_of(folder))
    if symbol not in known:
        close = difflib.get_close_matches(symbol.upper(), known, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise DataError(f"--symbol {symbol}: the run has {', '.join(known)}{meant}")


def log_filter(
    events: Iterable[str], symbol: str | None, since: str | None, level: str, now_ms: int
) -> LogFilter:
    """Make a filter of what was asked for.

    Args:
        since: a UTC time, or a duration back from now: '2h', '30m'.

    Raises:
        ConfigError: an event or level is unknown, or the time is none.
    """
    for name in events:
        if name not in EVENTS:
            near = difflib.get_close_matches(name, EVENTS, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(EVENTS)}"
            raise ConfigError(f"--event {name}: there is no such event; {hint}")
    if level not in LEVELS:
        raise ConfigError(f"--level {level}: expected one of {', '.join(LEVELS)}")
    back = parse_duration(since) if since else None
    since_ms = now_ms - back if back is not None else parse_utc(since or "", "--since")
    return LogFilter(frozenset(events), symbol, since_ms, level)


def show_log(
    folder: RunFolder,
    wanted: LogFilter,
    out: TextIO,
    *,
    follow: bool,
    as_json: bool,
    wait: Callable[[float], None] = time.sleep,
) -> int:
    """Print the events that pass, and go on as they come where `follow` says so.

    Returns:
        the number of lines that are no events.

    Raises:
        JournalError: there is no log.
    """
    console = Console(file=out, soft_wrap=True, highlight=False)
    lines = follow_lines(folder.log, wait) if follow else log_lines(folder.log)
    malformed = 0
    try:
        for line in lines:
            event = parse_event(line)
            if event is None:
                malformed += 1
            elif wanted.passes(event):
                if as_json:
                    out.write(line + "\n")
                else:
                    console.print(event_text(event))
                if follow:
                    out.flush()
    except KeyboardInterrupt:
        if not follow:
            raise
    return malformed


def tell_malformed(count: int) -> None:
    """Say on stderr how many lines were no events."""
    if count:
        print(f"{count} line(s) of the log are no events and were left out", file=sys.stderr)


def parse_event(line: str) -> dict[str, Any] | None:
    """Return a line as an event with its time in `time_ms`, None where it is none."""
    try:
        event: dict[str, Any] = json.loads(line)
        if event["level"] in LEVELS and isinstance(event["event"], str):
            return event | {"time_ms": parse_utc(event["timestamp"], "timestamp")}
    except (ValueError, KeyError, TypeError, AttributeError, ConfigError):
        return None
    return None


def event_text(event: dict[str, Any]) -> Text:
    """Return an event as a line: time, level, name, and its fields, the promised ones first."""
    level, name = event["level"], event["event"]
    moment = event["timestamp"].replace("T", " ")[:19]
    line = Text.assemble(
        (moment, "dim"), " ", (f"{level:<7}", _STYLES[level]), " ", (f"{name:<20}", "bold")
    )
    for key, value in _fields(event):
        line.append(f" {key}=", "cyan")
        line.append(_shown(value))
    return line


def _fields(event: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    promised = EVENTS.get(event["event"], frozenset())
    keys = [key for key in event if key not in _OWN and key != "time_ms"]
    for key in sorted(keys, key=lambda key: key not in promised):
        yield key, event[key]


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return format_utc(value).replace(" ", "T") if value in _TIMES else str(value)
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) >= 1000.0 else f"{value:.6g}"
    if isinstance(value, dict):
        return "{" + " ".join(f"{k}:{_shown(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + " ".join(map(_shown, value)) + "]"
    return str(value) if " " not in str(value) else json.dumps(value, ensure_ascii=False)

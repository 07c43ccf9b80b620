"""Logging: structlog, JSON lines to a run's log.jsonl, readable lines to the terminal.

Owns the names of the events and the fields each of them carries; `EVENTS` is their schema, and an
event that is not in it, or lacks a field, is refused; docs/logs.md explains them. The file is
set aside when it is full: log.jsonl.1 is the newest of the old ones. Rules: the core never logs; a
log line never holds a number that the journal does not. Must not decide anything.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TextIO

import structlog

from bot.errors import InvariantError, JournalError

LOG_SCHEMA = 1
"""Version of the events' names and fields; it stands in every line as `schema`."""

Lines = Callable[[structlog.typing.EventDict], str]

OF_A_COMMAND = frozenset({"id", "kind", "settings", "asked_by", "asked_ms", "bar", "inside"})
OF_A_DECISION = frozenset({
    "bar", "symbol", "close", "forecast", "signal", "slope", "slope_error", "edge", "hurdle", "age",
    "why", "target", "order", "refusal", "fill", "costs", "position", "equity", "model_id", "lag_ms",
    "stages_ms",
})  # fmt: skip
EVENTS: dict[str, frozenset[str]] = {
    "run_started": frozenset({"mode", "run_dir", "symbols", "interval", "config_hash"}),
    "part_compiled": frozenset({"part", "seconds"}),
    "run_finished": frozenset({"bars", "equity", "ledger_sha256", "seconds"}),
    "run_interrupted": frozenset({"bars", "last_bar"}),
    "history_loaded": frozenset({"bars", "first", "last", "missing", "funding_unknown"}),
    "file_put_in_order": frozenset({"path", "what"}),
    "variance_unknown": frozenset({"bars", "first", "last", "unknown"}),
    "universe": frozenset({"rule", "candidates", "members", "changes"}),
    "universe_changed": frozenset({"bar", "members", "joined", "left"}),
    "training_submitted": frozenset({"due", "rows"}),
    "training_skipped": frozenset({"due", "reason"}),
    "heads_untrained": frozenset({"model_id", "heads"}),
    "epoch": frozenset({"model_id", "member", "number", "train", "validation", "weights"}),
    "model_trained": frozenset({"model_id", "due", "rows", "seconds", "best_epoch"}),
    "model_activated": frozenset({"model_id", "effective_from"}),
    "run_resumed": frozenset({"run_dir", "last_bar", "opened"}),
    "build_changed": frozenset({"build", "last_bar"}),
    "run_stopped": frozenset({"bars", "reason"}),
    "history_wanted": frozenset({"bars", "reason"}),
    "backfilled": frozenset({"bars", "first", "last"}),
    "gap_filled": frozenset({"bars", "first", "last", "reason"}),
    "rehearsal_started": frozenset({"bars", "first", "last"}),
    "rehearsal_model": frozenset({"model_id", "due", "number", "of"}),
    "rehearsal_done": frozenset({"models", "days", "days_needed", "slope", "slope_error"}),
    "no_model": frozenset({"next_due"}),
    "training_started": frozenset({"due"}),
    "training_failed": frozenset({"due", "failures", "reason"}),
    "connected": frozenset({"session", "symbols"}),
    "disconnected": frozenset({"reason", "symbols"}),
    "implausible": frozenset({"symbol", "time", "what", "value", "last"}),
    "bad_frame": frozenset({"count", "sample"}),
    "exchange_unreachable": frozenset({"reason", "retry_s"}),
    "symbol_unlisted": frozenset({"symbol", "reason"}),
    "symbol_leaving": frozenset({"bar", "symbol", "status", "delivery_ms"}),
    "symbol_stays": frozenset({"bar", "symbol"}),
    "symbol_settled": frozenset({"bar", "symbol", "quantity", "price", "fee"}),
    "clock_jump": frozenset({"by_ms", "believed", "refused"}),
    "loop_state": frozenset({"was", "on", "now"}),
    "bar_opened": frozenset({"bar", "fills", "not_fillable", "lag_ms"}),
    "bar_closed": frozenset(
        {"bar", "equity", "cash", "model_id", "tradable", "missing", "lag_ms", "step_ms"}
    ),
    "decision": OF_A_DECISION,
    "command_taken": OF_A_COMMAND,
    "command_refused": OF_A_COMMAND | {"reason"},
    "fill": frozenset(
        {"bar", "symbol", "quantity", "price", "reason", "fee", "spread", "slippage"}
    ),
    "funding": frozenset({"bar", "paid"}),
    "liquidation": frozenset({"bar", "symbol", "quantity", "price", "fee"}),
    "margin_call": frozenset({"bar", "used", "maintenance", "symbol", "liquidation_price"}),
    "risk": frozenset({"bar", "halt", "stage", "cooling_bars", "equity"}),
    "cooling": frozenset({"bar", "symbol", "bars"}),
    "feed": frozenset(
        {
            "duplicates",
            "revisions",
            "reordered",
            "late",
            "foreign",
            "fetched",
            "absent",
            "late_bars",
            "clock_refused",
            "implausible",
        }
    ),
    "heartbeat": frozenset(
        {"last_bar", "equity", "lag_ms", "memory_mb", "connection", "clock_skew_ms"}
    ),
    "error": frozenset({"kind", "message"}),
}

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def _check_event(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    name = event["event"]
    if name not in EVENTS:
        raise InvariantError(
            f"the log event '{name}' is not in the schema; add it to bot.log.EVENTS"
        )
    lacking = EVENTS[name] - event.keys()
    if lacking:
        raise InvariantError(f"the log event '{name}' lacks {sorted(lacking)}")
    event["schema"] = LOG_SCHEMA
    return event


def rotated(path: Path, number: int) -> Path:
    """Return the name of the log's `number`-th newest old file; 0 is the log itself.

    >>> rotated(Path("log.jsonl"), 2).name
    'log.jsonl.2'
    """
    return path.with_name(f"{path.name}.{number}") if number else path


class RotatingFile:
    """Append lines to a file; when it is full it is set aside, and the oldest is dropped.

    A line is one write, so that a reader and a crash see whole lines but for the last.

    Args:
        max_bytes: a file is not made longer than this, but for a single longer line.
        keep: old files kept.
    """

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        self._path, self._max_bytes, self._keep = path, max_bytes, keep
        self._open()

    def write(self, line: str) -> None:
        """Append a line.

        Raises:
            JournalError: the disk is full, or the file cannot be written.
        """
        content = line.encode() + b"\n"
        try:
            if self._size and self._size + len(content) > self._max_bytes:
                self._rotate()
            self._file.write(content)
        except OSError as error:
            raise JournalError(
                f"{self._path}: the log cannot be written: {error.strerror}; free disk space, then "
                "start again"
            ) from error
        self._size += len(content)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _open(self) -> None:
        try:
            self._file = self._path.open("ab", buffering=0)
            self._size = self._file.tell()
            if self._size and not _ends_a_line(self._path):
                self._size += self._file.write(b"\n")  # a crash has torn the last line
        except OSError as error:
            raise JournalError(
                f"{self._path}: the log cannot be written: {error.strerror}; free disk space or make "
                "the folder writable, then start again"
            ) from error

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._keep, 0, -1):
            if rotated(self._path, number - 1).exists():
                rotated(self._path, number - 1).replace(rotated(self._path, number))
        self._open()


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def _known(value: Any) -> Any:
    """Return the value with null for what is not a number, since JSON knows no NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _known(each) for key, each in value.items()}
    return [_known(each) for each in value] if isinstance(value, list | tuple) else value


class Terminal:
    """A terminal, or a pipe in its place, that may go away: what nobody reads is lost.

    A daemon outlives whoever reads its stderr (a closed window, `| head`, a full disk behind `2>`);
    its log file has every line all the same.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or drop the text where nobody reads any more."""
        with self._gone_is_fine():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or drop what nobody reads any more."""
        with self._gone_is_fine():
            self._stream.flush()

    def isatty(self) -> bool:
        """Return whether a person reads."""
        return self._stream.isatty()

    @contextmanager
    def _gone_is_fine(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError):  # the latter of a stream that is closed
            # what the stream still holds would fail again, at the latest when Python ends
            with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())


class _Tee:
    """Write each event to the JSON lines file and, readable, to the terminal."""

    def __init__(
        self, file: RotatingFile | None, terminal: TextIO | None, lines: Lines | None
    ) -> None:
        self._file, self._lines = file, lines
        self._terminal = Terminal(terminal) if terminal else None
        self._render = structlog.dev.ConsoleRenderer(
            colors=terminal.isatty() if terminal else False, pad_event_to=20
        )

    def __call__(self, logger: Any, name: str, event: structlog.typing.EventDict) -> Any:
        if self._file is not None:
            self._file.write(json.dumps(_known(event), default=str, allow_nan=False))
        if self._terminal is not None and self._lines is not None:
            if lines := self._lines(event):
                self._terminal.write(lines)
        elif self._terminal is not None:
            shown = {k: v for k, v in event.items() if k != "schema"}
            self._terminal.write(f"{self._render(logger, name, shown)}\n")
        raise structlog.DropEvent


@contextmanager
def open_log(
    path: Path | None,
    level: str = "info",
    terminal: TextIO | None = None,
    max_mb: float = 64.0,
    keep: int = 5,
    lines: Lines | None = None,
) -> Iterator[structlog.typing.FilteringBoundLogger]:
    """Give a logger that writes JSON lines to `path` and readable lines to `terminal`.

    Args:
        max_mb: size at which the file is set aside, in 10^6 bytes.
        keep: old files kept beside it.
        lines: what the terminal gets of an event instead; nothing where that is empty.
    """
    parts = closing(RotatingFile(path, int(max_mb * 1e6), keep)) if path else nullcontext()
    with parts as file:
        yield structlog.wrap_logger(
            None,
            processors=[
                _check_event,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _Tee(file, terminal, lines),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        )

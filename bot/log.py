"""Logging: structlog, JSON lines to a run's log.jsonl, readable lines to the terminal.

Owns the names of the events and the fields each of them carries; `EVENTS` is their schema, and an
event that is not in it, or lacks a field, is refused. Rules: the core never logs; a log line never
holds a number that the journal does not. Must not decide anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TextIO

import structlog

from bot.errors import InvariantError

LOG_SCHEMA = 1
"""Version of the events' names and fields; it stands in every line as `schema`."""

EVENTS: dict[str, frozenset[str]] = {
    "run_started": frozenset({"mode", "run_dir", "symbols", "interval", "config_hash"}),
    "run_finished": frozenset({"bars", "equity", "ledger_sha256", "seconds"}),
    "run_interrupted": frozenset({"bars", "last_bar"}),
    "history_loaded": frozenset({"bars", "first", "last", "missing", "funding_unknown"}),
    "training_submitted": frozenset({"due", "rows"}),
    "training_skipped": frozenset({"due", "rows", "reason"}),
    "model_trained": frozenset({"model_id", "due", "rows", "seconds", "best_epoch"}),
    "model_activated": frozenset({"model_id", "effective_from"}),
    "run_resumed": frozenset({"run_dir", "last_bar", "opened"}),
    "run_stopped": frozenset({"bars", "reason"}),
    "backfilled": frozenset({"bars", "first", "last"}),
    "gap_filled": frozenset({"bars", "first", "last", "reason"}),
    "training_started": frozenset({"due"}),
    "training_failed": frozenset({"due", "failures", "reason"}),
    "connected": frozenset({"session", "symbols"}),
    "disconnected": frozenset({"reason", "symbols"}),
    "bad_frame": frozenset({"count", "sample"}),
    "exchange_unreachable": frozenset({"reason", "retry_s"}),
    "bar_opened": frozenset({"bar", "fills", "not_fillable", "lag_ms"}),
    "bar_closed": frozenset({"bar", "equity", "cash", "model_id", "tradable", "missing", "lag_ms",
                             "step_ms", "commit_ms"}),
    "decision": frozenset({"bar", "symbol", "close", "forecast", "signal", "target", "order",
                           "refusal", "position", "model_id"}),
    "fill": frozenset({"bar", "symbol", "quantity", "price", "fee", "spread", "slippage", "reason"}),
    "funding": frozenset({"bar", "paid"}),
    "risk": frozenset({"bar", "halt", "equity"}),
    "feed": frozenset({"duplicates", "revisions", "reordered", "late"}),
    "heartbeat": frozenset({"last_bar", "equity", "lag_ms", "memory_mb", "connection"}),
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


class _Tee:
    """Write each event to the JSON lines file and, readable, to the terminal."""

    def __init__(self, file: TextIO | None, terminal: TextIO | None) -> None:
        self._file = file
        self._terminal = terminal
        self._render = structlog.dev.ConsoleRenderer(
            colors=terminal.isatty() if terminal else False, pad_event_to=20
        )

    def __call__(self, logger: Any, name: str, event: structlog.typing.EventDict) -> Any:
        if self._file is not None:
            self._file.write(json.dumps(event, default=str) + "\n")
        if self._terminal is not None:
            shown = {k: v for k, v in event.items() if k != "schema"}
            print(self._render(logger, name, shown), file=self._terminal)
        raise structlog.DropEvent


@contextmanager
def open_log(
    path: Path | None, level: str = "info", terminal: TextIO | None = None
) -> Iterator[structlog.typing.FilteringBoundLogger]:
    """Give a logger that writes JSON lines to `path` and readable lines to `terminal`."""
    with path.open("a", encoding="utf-8", buffering=1) if path else nullcontext() as file:
        yield structlog.wrap_logger(
            None,
            processors=[
                _check_event,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _Tee(file, terminal),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        )

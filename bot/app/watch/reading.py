"""All that a look at a run needs: its status, its curve, its newest fills and events.

Rules: of the ledger only what is new is read, and of the log only its end, so that a look at a run of
years takes as long as one at a run of days. Must not draw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bot.adapters.record.tables import EARLIEST
from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.log_backwards import lines_backwards
from bot.app.runs.log_view import parse_event
from bot.app.runs.record import open_record
from bot.app.runs.sentences import SENTENCES
from bot.app.runs.status import Status, read_status
from bot.blocks import F64, I64
from bot.portfolio.reasons import FILL_REASON
from bot.timegrid import INTERVAL_MS

NEWEST = 60
"""Fills and events of a look: more than a screen has room for."""
FILL_BARS = 5_000
LOG_LINES = 5_000


@dataclass(frozen=True)
class FillLine:
    """A fill as a panel shows it."""

    time_ms: int
    symbol: str
    quantity: float
    price: float
    reason: str
    costs: float


@dataclass(frozen=True)
class Look:
    """A run at one instant.

    Attributes:
        capital: what it began with.
        times, equity: of the ledger, at each close.
        fills, events: newest first.
        now_ms: this machine's time.
    """

    status: Status
    capital: float
    times: I64
    equity: F64
    fills: tuple[FillLine, ...]
    events: tuple[dict[str, Any], ...]
    now_ms: int


class RunReader:
    """Read a run look by look.

    Args:
        now_ms: this machine's time.
    """

    def __init__(self, folder: RunFolder, now_ms: Callable[[], int]) -> None:
        self._folder, self._now_ms = folder, now_ms
        config = config_of(folder)
        self._capital = config.portfolio.initial_capital
        self._span_ms = FILL_BARS * INTERVAL_MS[config.market.interval]
        self._curve: tuple[I64, F64] = np.empty(0, dtype=np.int64), np.empty(0)

    def look(self) -> Look:
        """Read what there is now.

        Raises:
            JournalError: the record is damaged.
        """
        now_ms, (before, equity) = self._now_ms(), self._curve
        status = read_status(self._folder, now_ms, coverage=False)
        with open_record(self._folder, follow=True) as record:
            times, ledger = record.ledger(after=int(before[-1]) if len(before) else EARLIEST)
            newest = record.span("fills").last
            found = () if newest is None else record.fills(newest - self._span_ms)[-NEWEST:]
            fills = tuple(_fill_line(fill, record.symbols) for fill in reversed(found))
        # a look of another thread may end meanwhile: each goes on from the curve that it began with
        times, equity = np.concatenate((before, times)), np.concatenate((equity, ledger["equity"]))
        self._curve = times, equity
        return Look(
            status, self._capital, times, equity, fills,
            events=newest_events(self._folder.log), now_ms=now_ms,
        )  # fmt: skip


def newest_events(log: Path) -> tuple[dict[str, Any], ...]:
    """Return the newest events of a log that are news, newest first; none where there is no log."""
    found: list[dict[str, Any]] = []
    for _, line in islice(lines_backwards(log), LOG_LINES):
        event = parse_event(line)
        if event is not None and event["event"] in SENTENCES and event["event"] != "fill":
            found.append(event)
        if len(found) == NEWEST:
            break
    return tuple(found)


def _fill_line(fill: Any, symbols: tuple[str, ...]) -> FillLine:
    return FillLine(
        int(fill["open_time"]), symbols[int(fill["symbol"])], float(fill["quantity"]),
        float(fill["price"]), FILL_REASON[int(fill["reason"])],
        costs=float(fill["fee"] + fill["spread"] + fill["slippage"]),
    )  # fmt: skip

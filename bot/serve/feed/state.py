"""In one word, how a run fares; the page, the API and the metrics say the same.

Rules: whether a process lives is told by the kernel's lock, how late it is by its own last words.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from bot.app.runs.heartbeat import SLOW_MS
from bot.app.runs.status import Status
from bot.timegrid import INTERVAL_MS


class RunState(StrEnum):
    """How a run fares."""

    LIVE = "live"
    LATE = "late"
    """It runs, and neither its bars nor its words come in time."""
    HALTED = "halted"
    """It runs, and opens nothing: a halt, a pause, or the kill switch."""
    DEAD = "dead"
    """Its process ended, and not in order."""
    STOPPED = "stopped"
    """Its process ended in order; it can go on."""
    FINISHED = "finished"
    """A backtest that is over."""


def state_of(status: Status, meta: Mapping[str, str], *, in_order: bool) -> tuple[RunState, str]:
    """Return a run's state, and why in a phrase; "" where there is nothing to say.

    Args:
        meta: the facts of its record.
        in_order: whether the last that its log says is that it stops.
    """
    if status.mode != "live":
        if "ledger_sha256" in meta:
            interrupted = meta.get("interrupted") == "1"
            return RunState.FINISHED, "interrupted" if interrupted else ""
        return RunState.LIVE, "being made, or ended on the way"
    if status.pid is None:
        return (RunState.STOPPED, "") if in_order else (RunState.DEAD, "its process is gone")
    halt = _halt(status)
    if halt:
        return RunState.HALTED, halt
    late = _late(status)
    return (RunState.LATE, late) if late else (RunState.LIVE, "")


def _halt(status: Status) -> str:
    if status.stop_file:
        return "STOP_TRADING is in its folder"
    if status.paused != "no":
        return f"{status.paused} by hand"
    return "" if status.halted == "none" else f"halt: {status.halted}"


def _late(status: Status) -> str:
    age, beat = status.heartbeat_age_ms, status.heartbeat
    if age is not None and beat is not None and age >= beat.allowed_silence_ms:
        return f"no word for {age // 1000:,} s"
    if beat is not None and beat.connection.startswith("disconnected"):
        return "disconnected"
    allowed = 2 * INTERVAL_MS[status.interval] + SLOW_MS * max(1.0, status.clock_speed)
    if status.behind_ms is not None and status.behind_ms > allowed:
        return f"{status.behind_ms // 60_000:,} minutes behind"
    return ""

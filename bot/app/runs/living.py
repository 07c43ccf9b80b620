"""Whether a run's daemon lives, in one look that costs little: for supervisors and containers.

Rule: its lock says whether the process is there, its heartbeat whether it still does anything. Must not
open the journal.
"""

from __future__ import annotations

from pathlib import Path

from bot.adapters.system.run_lock import holder
from bot.app.runs.durations import duration
from bot.app.runs.heartbeat import read_heartbeat
from bot.timestamps import format_utc


def missing_life(folder: Path, now_ms: int) -> str | None:
    """Return what is wrong with a run's daemon, None where it lives.

    One that has not made its first heartbeat yet lives: it reads packages and compiles kernels.

    Args:
        now_ms: by this machine's clock.

    Raises:
        JournalError: the heartbeat's file is damaged.
    """
    heartbeat = read_heartbeat(folder)
    if holder(folder) is None:
        when = "" if heartbeat is None else f"; last alive {format_utc(heartbeat.time_ms)} UTC"
        return f"no daemon runs{when}"
    if heartbeat is None:
        return None
    silent_ms = now_ms - heartbeat.time_ms
    if silent_ms >= heartbeat.allowed_silence_ms:
        return f"the daemon hangs: no sign of life for {duration(silent_ms)}"
    return None

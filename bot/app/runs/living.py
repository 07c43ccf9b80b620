"""Whether a run's daemon lives, in one look that costs little: for supervisors and containers.

Rule: its lock says whether the process is there, its heartbeat whether it still does anything. Must not
open the journal.
"""

from __future__ import annotations

from pathlib import Path

from bot.adapters.system.run_lock import holder
from bot.app.runs.durations import SECOND_MS, duration
from bot.app.runs.heartbeat import read_heartbeat
from bot.timestamps import format_utc

HANGS_MS = 180 * SECOND_MS
"""Without a heartbeat for so long a daemon that lives hangs; it makes one twice a minute."""


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
    silent_ms = 0 if heartbeat is None else now_ms - heartbeat.time_ms
    if silent_ms >= HANGS_MS:
        return f"the daemon hangs: no sign of life for {duration(silent_ms)}"
    return None

"""The write-ahead log beside a journal, kept short whoever reads.

SQLite begins it anew where nobody reads it at that moment; with several readers, one nearly always does,
and it grows. So once it is long, a writer waits, between two commits, for those that read at this moment; who
comes meanwhile reads the journal itself and is not waited for.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

LONG_BYTES = 8_000_000
WAIT_MS = 50
"""The longest that a commit is held up then; who reads for longer is waited for again after the next one."""
TOO_LONG_BYTES = 12_000_000
WAIT_OUT_MS = 250
"""Likewise once it is longer still: no reader of ours holds a transaction for 200 ms."""
LOCKED_MS = 5_000
"""How long a lock of others is waited for otherwise."""


def keep_short(db: sqlite3.Connection, journal: Path) -> None:
    """Empty the log where it is long and nobody needs it; outside a transaction."""
    try:
        size = journal.with_name(f"{journal.name}-wal").stat().st_size
    except OSError:
        return
    if size < LONG_BYTES:
        return
    db.execute(f"PRAGMA busy_timeout = {WAIT_MS if size < TOO_LONG_BYTES else WAIT_OUT_MS}")
    # what was committed is safe in the log, whatever goes wrong here; a full disk is the next commit's
    with suppress(sqlite3.OperationalError):
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    db.execute(f"PRAGMA busy_timeout = {LOCKED_MS}")

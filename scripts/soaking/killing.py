"""Kill −9: children forked from a warm parent that end at a chosen write, between any two of them.

Rules: a child dies by SIGKILL and by nothing gentler; whatever hooks it has are put in after the
fork, and the daemon does not know of them. A write point is the moment before or after a statement
of the journal or the renaming of a file.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bot.adapters import journal

Point = str
"""What was to be written, after 'before ' or 'after ': a table, BEGIN, COMMIT, or a kind of file."""

FAILED = 70


class WritePoints:
    """Count the write points of this process, and tell `reached` of each: (point, how often)."""

    def __init__(self, reached: Callable[[Point, int], None]) -> None:
        self.counts: Counter[Point] = Counter()
        self._reached = reached

    def install(self) -> None:
        """Put the hooks in, for the rest of this process's life."""
        points = self

        class Connection(sqlite3.Connection):
            """A connection that tells of its statements."""

            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
                return points.around(_what(sql), super().execute, sql, *values)

            def executemany(self, sql: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
                return points.around(_what(sql), super().executemany, sql, rows)

            def executescript(self, sql: str) -> sqlite3.Cursor:
                return points.around("tables", super().executescript, sql)

            def commit(self) -> None:
                points.around("COMMIT", super().commit)

        connect, replace = sqlite3.connect, os.replace

        def connect_here(*where: Any, **how: Any) -> sqlite3.Connection:
            return connect(*where, **({"factory": Connection} | how))

        def replace_here(source: Path, target: Path) -> None:
            points.around(Path(target).suffix, replace, source, target)

        # only what the daemon writes with: readers and verify share the module sqlite3
        journal.sqlite3 = _Module(connect_here)  # type: ignore[attr-defined]
        os.replace = replace_here  # type: ignore[assignment]

    def around(self, what: str, write: Callable[..., Any], *values: Any) -> Any:
        """Write, and tell of the moments before and after; reading is no write."""
        if not what:
            return write(*values)
        self._tell(f"before {what}")
        result = write(*values)
        self._tell(f"after {what}")
        return result

    def _tell(self, point: Point) -> None:
        self.counts[point] += 1
        self._reached(point, self.counts[point])


class _Module:
    """The module sqlite3 with another `connect`."""

    def __init__(self, connect: Callable[..., sqlite3.Connection]) -> None:
        self.connect = connect

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)


def _what(sql: str) -> str:
    """Return what a statement writes, empty where it only reads."""
    table = re.match(r"INSERT (?:OR REPLACE )?INTO (\w+)", sql)
    if table:
        return table[1]
    return sql.split(maxsplit=1)[0] if sql.startswith(("BEGIN", "COMMIT")) else ""


def die() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def fork(life: Callable[[], None]) -> int:
    """Live that life in a child, and return its process number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the parent's threads only wait
        child = os.fork()
    if child:
        return child
    code = FAILED
    try:
        life()
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may come back from a child
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def was_killed(child: int) -> bool:
    """Wait for a child's end and tell whether it was killed; a child that lived on ended well.

    Raises:
        RuntimeError: it failed.
    """
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) != signal.SIGKILL:
            raise RuntimeError(f"a child ended by signal {os.WTERMSIG(status)}")
        return True
    if os.WEXITSTATUS(status) != 0:
        raise RuntimeError(f"a child failed with exit code {os.WEXITSTATUS(status)}")
    return False

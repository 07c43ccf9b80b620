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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.adapters.journal import facts as journal

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
                with points.around(_what(sql)):
                    return super().execute(sql, *values)

            def executemany(self, sql: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
                with points.around(_what(sql)):
                    return super().executemany(sql, rows)

            def executescript(self, sql: str) -> sqlite3.Cursor:
                with points.around("tables"):
                    return super().executescript(sql)

            def commit(self) -> None:
                with points.around("COMMIT"):
                    super().commit()

        replace = os.replace

        def replace_here(source: Path, target: Path) -> None:
            with points.around(Path(target).suffix):
                replace(source, target)

        # journal_reader and verify ask the module sqlite3 themselves and are left alone
        vars(journal)["sqlite3"] = _Module(Connection)
        vars(os)["replace"] = replace_here

    @contextmanager
    def around(self, what: str) -> Iterator[None]:
        """Tell of the moments before and after a write; reading is none."""
        if what:
            self._tell(f"before {what}")
        yield
        if what:
            self._tell(f"after {what}")

    def _tell(self, point: Point) -> None:
        self.counts[point] += 1
        self._reached(point, self.counts[point])


class _Module:
    """The module sqlite3 with another kind of connection."""

    def __init__(self, connection: type[sqlite3.Connection]) -> None:
        self._connection = connection

    def connect(self, *where: Any, **how: Any) -> sqlite3.Connection:
        """Connect as the module does."""
        return sqlite3.connect(*where, factory=self._connection, **how)

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

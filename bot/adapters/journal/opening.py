"""Opening a journal to read it: whatever its folder is called, and whoever may write there.

Rules: nothing is made where no journal is, and what a run has written is left as it is. A journal in
WAL mode is read beside its `-wal` and `-shm`; SQLite makes the latter where it may, and takes an
empty pair away again. Whoever reads for long while a run goes on reads a copy, for a WAL grows as long as
anybody looks at an instant of it. Where it may not make them (the folder is read-only), nobody writes either: a
journal at rest is read as it stands, and one that a killed process left with its `-wal` is read from
a copy in the temporary folder.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from bot.errors import JournalError

TIMEOUT_S = 5.0
STEP_PAGES = 1000
"""Pages of 4 kB that a copy of a living journal takes at once: some ms, and no WAL waits longer."""
MOST_RESTARTS = 20
"""A commit between two steps begins a copy anew; after so many it is made in one step."""
_TRIED = "SELECT count(*) FROM sqlite_schema"


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection on which nothing can be written.

    Raises:
        JournalError: there is no journal.
        sqlite3.Error: it is no journal, damaged or locked.
    """
    if not path.is_file():
        raise JournalError(f"{path}: there is no journal here; 'bot runs' lists the runs")
    wal = path.with_name(path.name + "-wal")
    left_over = wal.is_file() and wal.stat().st_size > 0
    if left_over or not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        try:
            return _tried(_uri(path, "mode=ro"))
        except sqlite3.OperationalError:
            if os.access(path.parent, os.W_OK):
                raise
        return _copied(path, wal) if left_over else _tried(_uri(path, "immutable=1"))
    # opened to write, the last connection takes the empty -wal and -shm away
    return _tried(_uri(path, "mode=rw"))


def _uri(path: Path, how: str) -> str:
    return f"{path.absolute().as_uri()}?{how}"


def _tried(uri: str) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, timeout=TIMEOUT_S)
    try:
        db.execute("PRAGMA query_only = 1")
        db.execute(_TRIED).fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _copied(path: Path, wal: Path) -> sqlite3.Connection:
    """Read a copy; its files have no name any more once they are open."""
    with _passing_folder() as folder:
        for source in (path, wal):
            shutil.copyfile(source, folder / source.name)
        return _tried(_uri(folder / path.name, "mode=rw"))


@contextmanager
def _passing_folder() -> Iterator[Path]:
    """Give a folder that goes with the block; what is open in it stays readable without a name."""
    folder = Path(tempfile.mkdtemp(prefix="mtl-paper-bot-journal-"))
    try:
        yield folder
    finally:
        with suppress(OSError):
            shutil.rmtree(folder)


def connect_to_copy(path: Path) -> sqlite3.Connection:
    """Return a connection to a copy of a journal as it is at one instant; the copy has no name.

    Raises:
        JournalError: there is no journal, or no room for the copy.
        sqlite3.Error: it is no journal, damaged or locked.
    """
    with _passing_folder() as folder:
        try:
            return _page_by_page(path, folder / path.name)
        except sqlite3.OperationalError as error:
            if "full" not in str(error):
                raise
            raise JournalError(
                f"{folder.parent}: no room for a copy of {path} ({path.stat().st_size / 1e6:,.0f} MB), which is "
                "read while the run goes on; free space there, or set TMPDIR to another folder"
            ) from error


def _page_by_page(path: Path, target: Path) -> sqlite3.Connection:
    with closing(connect_to_read(path)) as source:
        copy = sqlite3.connect(target, timeout=TIMEOUT_S)
        try:
            copy.execute("PRAGMA synchronous = OFF")
            copy_pages(source, copy)
            copy.execute("PRAGMA journal_mode = OFF")
            copy.execute("PRAGMA query_only = 1")
            copy.execute(_TRIED).fetchone()
        except BaseException:
            copy.close()
            raise
    return copy


class _BegunAnewTooOften(Exception):  # noqa: N818 - no error: it is made in one step then
    """A writer commits more often than a copy takes."""


def copy_pages(source: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """Copy page by page, in steps between which the writer's log may be taken over."""
    left_before: int | None = None
    restarts = 0

    def look(status: int, left: int, pages: int) -> None:
        nonlocal left_before, restarts
        del status, pages
        restarts += left_before is not None and left >= left_before
        left_before = left
        if restarts > MOST_RESTARTS:
            raise _BegunAnewTooOften

    try:
        source.backup(copy, pages=STEP_PAGES, progress=look, sleep=0.01)
    except _BegunAnewTooOften:
        source.backup(copy)

"""The record read on from a cursor, also where another record has taken its place."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from bot.adapters.record.tables import EARLIEST
from bot.app.messages.journal_news import JournalCursor, end_of, journal_news
from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.timegrid import DAY_MS


def test_nothing_is_new_behind_the_end(live_run: RunFolder) -> None:
    with open_record(live_run) as record:
        end = end_of(record)
        assert end.fills > 0
        assert journal_news("a", record, end) == ([], end)


def test_a_record_that_ends_before_the_cursor_is_told_from_its_end_on(
    live_run: RunFolder, tmp_path: Path
) -> None:
    with open_record(live_run) as record:
        end = end_of(record)
        later = replace(end, fill_time=end.fill_time + DAY_MS)
        assert journal_news("a", record, later) == ([], end)
    new = RunFolder(Path(shutil.copytree(live_run.path, tmp_path / "new")))
    with closing(sqlite3.connect(new.journal)) as db, db:
        db.execute("DELETE FROM fills")  # it has begun and not traded yet
    with open_record(new) as record:
        told, cursor = journal_news("a", record, end)
    assert ([m for m in told if m.kind == "fill"], cursor.fill_time, cursor.fills) == (
        [],
        EARLIEST,
        0,
    )
    with open_record(live_run) as record:
        told, cursor = journal_news("a", record, JournalCursor(cursor.fill_time, cursor.fills))
        assert len([m for m in told if "/fill/" in m.id]) == len(record.fills())
    assert (cursor.fill_time, cursor.fills) == (end.fill_time, end.fills)

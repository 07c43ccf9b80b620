"""Who reads a run beside its daemon holds no transaction between two reads: the log of writes can be
taken into the journal meanwhile."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import bot
from bot.app.backtest.command import report_run
from bot.app.messages.summary import picture, summary
from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.app.tables.document import export_rows
from bot.app.watch.reading import RunReader

NOON = 1_795_780_800_000
READERS: dict[str, Callable[[RunFolder, Path], object]] = {
    "a look of bot watch": lambda folder, _: RunReader(folder, lambda: NOON).look(),
    "a daily summary": lambda folder, _: summary("a", folder, "2026-11-27", NOON),
    "its picture": picture,
    "the report": lambda folder, _: report_run(folder),
    "rows of a symbol": lambda folder, _: export_rows(folder, "SYN0USDT", None),
    "the library": lambda folder, _: bot.load_run(folder.path).summary,
}


@pytest.mark.parametrize("name", READERS)
def test_the_journal_can_be_tidied_up_between_two_reads(
    live_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = RunFolder(Path(shutil.copytree(live_run.path, tmp_path / "run")))
    with open_record(folder) as record:
        kind, ledger = type(record), type(record).ledger
    held: list[bool] = []

    def ledger_and_then_tidied(self: Any, *span: int, **named: int) -> Any:
        found = ledger(self, *span, **named)
        with closing(sqlite3.connect(folder.journal, timeout=0.0)) as db, db:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('note', ?)", (str(len(held)),))
        with closing(sqlite3.connect(folder.journal, timeout=0.0)) as db:
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        held.append(bool(busy))
        return found

    monkeypatch.setattr(kind, "ledger", ledger_and_then_tidied)
    READERS[name](folder, tmp_path)
    assert held
    assert not held[-1]

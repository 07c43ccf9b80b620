"""bot verify of a live run: opened and closed apart, restarted, late at times, killed half-way."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bot.adapters.journal.forms import open_journal
from bot.adapters.system.run_lock import RunLock
from bot.app.runs.folder import RunFolder
from bot.app.runs.ledger_hash import stored_ledger
from bot.app.verify.proof import verify
from bot.cli.main import app


@pytest.fixture
def copy(live_run: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(live_run.path, tmp_path / "run")))


def ask(folder: RunFolder, sql: str) -> Any:
    db = sqlite3.connect(folder.journal)
    with db:
        found = db.execute(sql).fetchone()
    db.close()
    return found


def test_a_life_is_proved(live_run: RunFolder) -> None:
    verdict = verify(live_run)
    assert verdict.identical, verdict.difference
    assert verdict.notes == ()
    assert verdict.fills > 50
    assert verdict.models >= 3
    assert verdict.warm_bars == 312
    assert "the candle of the bar that is open" in dict(verdict.unproved)
    with open_journal(live_run.journal) as snapshot:
        assert stored_ledger(snapshot).hexdigest() == verdict.replayed_sha256
        extent = snapshot.extent()
        assert extent is not None
        assert (extent.bars, extent.last) == (
            verdict.bars,
            extent.first + 3_600_000 * (verdict.bars - 1),
        )


def test_the_life_was_worth_proving(live_run: RunFolder) -> None:
    refusals = "SELECT count(*) FROM decisions WHERE refusal = 'late_cancelled'"
    assert ask(live_run, refusals)[0] > 10
    late = "SELECT count(DISTINCT open_time) FROM bars WHERE NOT tradable"
    assert ask(live_run, late)[0] > 20
    opened, closed = ask(
        live_run, "SELECT max(bars.open_time), max(ledger.open_time) FROM bars, ledger"
    )
    assert opened == closed + 3_600_000


def test_blocks_change_nothing(live_run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = verify(live_run)
    monkeypatch.setattr("bot.app.verify.replay.BLOCK_BARS", 61)
    again = verify(live_run)
    assert again.identical
    assert again.replayed_sha256 == whole.replayed_sha256


@pytest.mark.parametrize(
    ("sql", "field"),
    [
        ("UPDATE bars SET fill_bid = 1.0", "bars.row_hash"),
        ("DELETE FROM bars", "bars.row"),
        ("INSERT INTO fills SELECT NULL, open_time, symbol, 1.0, 1.0, 0.0, 0.0, 0.0, 'signal' "
         "FROM bars", "fills.row"),
        ("INSERT INTO positions SELECT open_time, symbol, 1.0 FROM bars", "positions.row"),
    ],
)  # fmt: skip
def test_the_bar_that_is_only_open_is_proved_too(copy: RunFolder, sql: str, field: str) -> None:
    last = ask(copy, "SELECT max(open_time) FROM bars")[0]
    ask(copy, f"{sql} WHERE open_time = {last}")
    found = verify(copy).difference
    assert found is not None
    assert f"{found.table}.{found.field}" == field
    assert found.open_time == last


def test_a_fill_of_the_open_bar_is_compared(copy: RunFolder) -> None:
    last = ask(copy, "SELECT max(open_time) FROM bars")[0]
    assert ask(copy, f"SELECT count(*) FROM fills WHERE open_time = {last}")[0] >= 1
    ask(copy, f"UPDATE fills SET price = price * 1.1 WHERE open_time = {last}")
    found = verify(copy).difference
    assert found is not None
    assert (found.table, found.field, found.open_time) == ("fills", "price", last)


def test_fills_of_the_open_bar_change_no_report(copy: RunFolder) -> None:
    """Its ledger ends with the bar before; with the bar's two commits apart both are there at times."""
    last = ask(copy, "SELECT max(open_time) FROM bars")[0]
    assert ask(copy, f"SELECT count(*) FROM fills WHERE open_time = {last}")[0] >= 1
    with_it = reported(copy)
    for table in ("fills", "bars"):
        ask(copy, f"DELETE FROM {table} WHERE open_time = {last}")
    assert reported(copy) == with_it


def reported(folder: RunFolder) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["report", str(folder.path), "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_run_that_goes_on_is_proved_up_to_its_last_commit(copy: RunFolder) -> None:
    db = sqlite3.connect(copy.journal, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM ledger")
    assert verify(copy).identical
    db.execute("ROLLBACK")
    db.close()


def test_a_run_that_goes_on_is_proved_as_it_was_and_nothing_waits_for_it(copy: RunFolder) -> None:
    """Whatever is committed meanwhile: the writer's log is taken over, and the proof is of the start."""
    with closing(sqlite3.connect(copy.journal, isolation_level=None)) as db:
        assert db.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
        told: list[tuple[int, ...]] = []

        def write(done: int, of_all: int) -> None:
            del done, of_all
            db.execute(f"UPDATE ledger SET cash = cash + 1 WHERE rowid % 7 = {len(told) % 7}")
            told.append(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())

        with RunLock(copy.path):
            verdict = verify(copy, write)
        assert verdict.identical, verdict
        assert told
        assert {busy for busy, _, _ in told} == {0}, (
            "a reader has kept the log from being taken over"
        )
        assert not verify(copy).identical, "what was written is there"


def test_instruments_are_those_that_the_run_had(copy: RunFolder) -> None:
    ask(copy, "UPDATE meta SET value = replace(value, '0.01', '0.1') WHERE key = 'instruments'")
    found = verify(copy).difference
    assert found is not None
    assert found.table == "builds"

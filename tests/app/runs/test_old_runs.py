"""Runs that earlier versions made: read without a change, proved as far as can be, continued."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bot.adapters.journal.forms import is_in_columns, open_journal
from bot.adapters.journal.migrations import MIGRATIONS, migrate, table_shapes
from bot.adapters.journal.schema import JOURNAL_VERSION, TABLES, forecast_table
from bot.adapters.record.tables import Table
from bot.app.runs.folder import RunFolder
from bot.app.verify.chain import check_chain
from bot.app.verify.proof import Result, verify
from bot.cli.main import app
from bot.errors import JournalError

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

RUNS = Path(__file__).parents[2] / "fixtures" / "runs"
OLD = sorted(path.parent for path in RUNS.glob("v*/*/journal.db"))
each_run = pytest.mark.parametrize("old", OLD, ids=lambda p: f"{p.parent.name}-{p.name}")
BY_ROW = [path for path in OLD if not is_in_columns(path / "journal.db")]
"""A record in columns is of a backtest, which is over: nothing goes on with it."""

each_run_by_row = pytest.mark.parametrize("old", BY_ROW, ids=lambda p: f"{p.parent.name}-{p.name}")
ENDS = (OLD[0].parent.name, OLD[-1].parent.name)


def between_is_long(runs: list[Path]) -> pytest.MarkDecorator:
    """Try the oldest and the newest version, and those between them among the long tests."""
    marked = [
        pytest.param(path, marks=() if path.parent.name in ENDS else pytest.mark.long)
        for path in runs
    ]
    return pytest.mark.parametrize("old", marked, ids=[f"{p.parent.name}-{p.name}" for p in runs])


TABLE_NAMES: tuple[Table, ...] = (
    "bars",
    "ledger",
    "positions",
    "fills",
    "forecasts",
    "decisions",
    "chain",
)


@pytest.fixture
def run(old: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(old, tmp_path / "run")))


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_there_are_runs_of_each_version() -> None:
    assert {path.parent.name for path in OLD} >= {f"v{n}" for n in range(1, JOURNAL_VERSION)}
    assert len(OLD) >= 3


@each_run
def test_they_say_no_path_of_the_machine_that_made_them(old: Path) -> None:
    for path, data in content(old).items():
        assert not re.search(rb"/(tmp|home|root|work|Users)/", data), path


@each_run
def test_every_reading_command_reads_it_and_changes_nothing(run: RunFolder) -> None:
    before = content(run.path)
    for command in (
        ["status", "--json"], ["logs"], ["verify", "--json"],
        ["export", "--symbol", "SYN0USDT"], ["status"],
    ):  # fmt: skip
        done = CliRunner().invoke(app, [command[0], str(run.path), *command[1:]])
        assert done.exit_code in ({0, 8} if command[0] == "verify" else {0}), (command, done.output)
        assert done.output.strip()
        assert content(run.path) == before, command
    done = CliRunner().invoke(app, ["runs", "--runs-dir", str(run.path.parent), "--json"])
    [line] = json.loads(done.stdout)["runs"]
    assert line["fault"] == ""
    assert line["bars"] > 20
    assert content(run.path) == before


@between_is_long(OLD)
def test_it_is_reported(run: RunFolder) -> None:
    before = content(run.path)
    done = CliRunner().invoke(app, ["report", str(run.path), "--json"])
    assert done.exit_code == 0, done.output
    assert run.report.is_file()
    assert content(run.path) == before | {"report.html": run.report.read_bytes()}


@each_run
def test_it_is_proved_or_the_build_that_proves_it_is_named(run: RunFolder) -> None:
    """Another CPU or package may round in another way, and later code may compute otherwise."""
    with open_journal(run.journal) as record:
        names_no_build = record.version == 1
    verdict = verify(run)
    assert verdict.difference is None, verdict
    assert verdict.result in {Result.IDENTICAL, Result.OTHER_BUILDS}
    assert (verdict.result is Result.OTHER_BUILDS) == bool(verdict.stretches)
    for stretch in verdict.stretches:
        assert ("a build that the journal does not name" in str(stretch)) == names_no_build
    assert ("meta.mode" in {what for what, _ in verdict.unproved}) == names_no_build


@each_run_by_row
def test_a_change_of_it_is_a_difference_all_the_same(run: RunFolder) -> None:
    """The chain shows it, whichever build wrote the row."""
    with closing(sqlite3.connect(run.journal)) as db:
        db.execute(
            "UPDATE ledger SET cash = cash + 1 WHERE rowid = (SELECT max(rowid) FROM ledger)"
        )
        db.commit()
    assert verify(run).result is Result.DIFFERENT
    with open_journal(run.journal) as snapshot:
        found = check_chain(snapshot)
        assert found is not None
        assert (found.table, found.field) == ("chain", "link")


def test_columns_that_came_later_stand_for_what_older_rows_do(tmp_path: Path) -> None:
    """A backtest in columns of version 4 has no realised variance: NaN, and proved as it is."""
    [old] = [path for path in OLD if path.parent.name == "v4" and path not in BY_ROW]
    run = RunFolder(Path(shutil.copytree(old, tmp_path / "run")))
    with open_journal(run.journal) as record:
        bars = record.bars()
        assert bars.close.size == bars.realised_variance.size > 100
        assert np.isnan(bars.realised_variance).all()
        assert record.damage() is None
    with closing(sqlite3.connect(run.journal)) as db:
        db.execute("UPDATE parts SET link = X'00' WHERE name = 'ledger'")
        db.commit()
    assert verify(run).result is Result.DIFFERENT


@each_run_by_row
def test_it_is_brought_to_this_version_and_the_old_one_is_kept(run: RunFolder) -> None:
    with open_journal(run.journal) as snapshot:
        version = snapshot.version
        before = {name: snapshot.rows(name) for name in TABLE_NAMES}
        tasks = snapshot.tasks
        assert check_chain(snapshot) is None
    assert migrate(run.journal) == version
    with open_journal(run.journal) as snapshot:
        assert snapshot.version == JOURNAL_VERSION
        assert {n: snapshot.rows(n) for n in TABLE_NAMES} == before
        assert check_chain(snapshot) is None
    with closing(sqlite3.connect(":memory:")) as new:
        new.executescript(TABLES)
        new.execute(forecast_table(tasks))
        with closing(sqlite3.connect(run.journal)) as now:
            assert table_shapes(now) == table_shapes(new)
    kept = run.path / f"journal.db.v{version}"
    with open_journal(kept) as snapshot:
        assert snapshot.version == version
        assert {n: snapshot.rows(n) for n in TABLE_NAMES} == before
    assert migrate(run.journal) == JOURNAL_VERSION


@each_run_by_row
def test_a_migration_that_fails_leaves_the_journal_as_it_was(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = MIGRATIONS[0].__class__(JOURNAL_VERSION, {}, {"more": "CREATE TABLE bars (x)"})
    monkeypatch.setattr("bot.adapters.journal.migrations.MIGRATIONS", (*MIGRATIONS, broken))
    with closing(sqlite3.connect(run.journal)) as db:
        before = list(db.iterdump())
    with pytest.raises(JournalError, match=r"cannot be brought to version \d.*it is as it was"):
        migrate(run.journal)
    with closing(sqlite3.connect(run.journal)) as db:
        assert list(db.iterdump()) == before


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(OLD[0], tmp_path / "run")))
    with closing(sqlite3.connect(run.journal)) as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'journal_version'")
        db.commit()
    before = content(run.path)
    for act in (lambda: verify(run), lambda: migrate(run.journal)):
        with pytest.raises(JournalError, match="journal version 99, this program reads 1 to"):
            act()
    assert content(run.path) == before


@between_is_long([p for p in OLD if p.name.startswith("live")])
def test_it_is_continued_across_a_recorded_seam(run: RunFolder) -> None:
    with open_journal(run.journal) as snapshot:
        extent, version = snapshot.extent(), snapshot.version
    assert extent is not None
    args = ["run", "--practice", "--config", str(run.config), "--run-dir", str(run.path),
            "--bars", "3"]  # fmt: skip
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0, done.output
    assert (run.path / f"journal.db.v{version}").is_file()
    with open_journal(run.journal) as snapshot:
        after = snapshot.extent()
        assert after is not None
        assert after.bars >= extent.bars + 3
        *earlier, seam = snapshot.builds()
        assert len(earlier) == (0 if version == 1 else 1)  # version 1 named no build
        assert seam.is_seam
        assert seam.closed == extent.last
        assert check_chain(snapshot) is None
    assert "build_changed" in run.log.read_text("utf-8")
    verdict = verify(run)
    assert verdict.difference is None, verdict
    assert all(("does not name" in str(each)) == (version == 1) for each in verdict.stretches)
    assert CliRunner().invoke(app, ["report", str(run.path), "--json"]).exit_code == 0

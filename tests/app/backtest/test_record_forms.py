"""A backtest's record is in columns: it says and proves what one by row does, and outlives kill −9."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bot.adapters.journal.columns_reader import ColumnReader
from bot.adapters.journal.files import COLUMNS
from bot.adapters.journal.parts import PART_KINDS, TablePart, read_part, write_part
from bot.adapters.record.chain import first_link
from bot.adapters.record.columns import COLUMN_TABLES, stored_columns
from bot.adapters.record.tables import Table
from bot.app.backtest.job import run_backtest
from bot.app.backtest.preparing import prepare, read_market
from bot.app.loop import recorders
from bot.app.runs.folder import RunFolder, new_run
from bot.app.runs.record import open_record
from bot.app.tables.columns import NAMES
from bot.app.tables.slices import RunTables
from bot.app.verify.proof import verify
from bot.config import load_config
from bot.log import open_log
from scripts.soaking.killing import WritePoints, die, fork, was_killed
from tests.conftest import QUICK, Cli, Ran

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

FORGED: dict[Table, str] = {
    "fills": "price", "forecasts": "return_5", "decisions": "signal", "ledger": "slippage",
    "positions": "quantity",
}  # fmt: skip
SMALL_RUN = [*QUICK, "synthetic.bars=700", "run.block_bars=60"]


def test_the_same_run_in_both_forms_has_one_ledger_report_and_export(
    short: Ran, short_by_row: Ran, cli: Cli, tmp_path: Path
) -> None:
    assert short.done.ledger_sha256 == short_by_row.done.ledger_sha256
    assert (short.folder.path / COLUMNS).is_dir()
    assert not (short_by_row.folder.path / COLUMNS).exists()
    told = []
    for ran in (short, short_by_row):
        path = tmp_path / ran.folder.path.name / "run"
        # what other tests have left in the shared folder is not of the run
        shutil.copytree(ran.folder.path, path, ignore=shutil.ignore_patterns("export*", "report*"))
        own = {"run_dir", "seconds", "trials"}  # the second one's register knows two
        said = {
            name: {k: v for k, v in cli(*words).json.items() if k not in own}
            for name, words in {
                "report": ("report", path, "--json"),
                "status": ("status", path, "--json"),
                "verify": ("verify", path, "--json"),
            }.items()
        }
        said["report"]["facts"] = {k: v for k, v in said["report"]["facts"].items() if k not in own}
        with open_record(ran.folder, follow=True) as record:
            tables = RunTables(record, ran.config)
            exported = {name: tables.whole(name) for name in NAMES}
            kept = {name: record.rows(name) for name in COLUMN_TABLES}
        told.append((said, exported, kept))
    (one, tables_of_one, rows_of_one), (two, tables_of_two, rows_of_two) = told
    assert one["verify"]["identical"]
    for name, said in one.items():
        assert said == two[name], {k for k in said if said[k] != two[name][k]}
    assert rows_of_one == rows_of_two
    for name, table in tables_of_one.items():
        assert isinstance(table, pa.Table)
        assert table.equals(tables_of_two[name]), name


def test_a_run_in_columns_is_proved_and_a_forged_seal_is_found(
    traded_in_columns: Ran, traded: Ran, tmp_path: Path
) -> None:
    """The forger writes the part anew and seals all of it: the replay has another value."""
    verdict = verify(traded_in_columns.folder)
    assert verdict.identical
    assert verdict.stored_sha256 == traded.done.ledger_sha256
    assert verdict.fills == verify(traded.folder).fills
    for table, column in FORGED.items():
        folder = RunFolder(
            Path(shutil.copytree(traded_in_columns.folder.path, tmp_path / table / "run"))
        )
        forge(folder, table, column)
        found = verify(folder).difference
        assert found is not None
        assert found.table == table


def forge(folder: RunFolder, table: Table, column: str) -> None:
    """Change the last number of a column in the first part of a table, and seal it and all behind it."""
    beside = folder.path / COLUMNS
    with closing(sqlite3.connect(folder.journal)) as db:
        rows = db.execute(f"SELECT {', '.join(PART_KINDS)} FROM parts ORDER BY position")
        parts = [TablePart(*row) for row in rows]
    first = next(part for part in parts if part.name == table)
    with open_record(folder) as record:
        assert isinstance(record, ColumnReader)
        names = stored_columns(table, record.tasks)
        columns = read_part(beside, first, names, names, record.texts)
        columns = {name: column.copy() for name, column in columns.items()}
        values = columns[column]
        at = int(np.flatnonzero(np.isfinite(values))[-1])
        values[at] = values[at] + 1.0
        new = write_part(beside, table, first.position, columns, record.texts)
        link = first_link(record.symbols)
    with closing(sqlite3.connect(folder.journal)) as db:
        for part in parts:
            sealed = new if part.position == first.position else part
            sealed = replace(sealed, link=sealed.expected_link(link))
            link = sealed.link
            marks = ", ".join("?" * 9)
            db.execute(f"INSERT OR REPLACE INTO parts VALUES ({marks})", astuple(sealed))
        db.commit()


def backtest(folder: Path) -> None:
    """Run a small backtest that commits every 100 bars."""
    config = load_config(None, SMALL_RUN, {})
    run = new_run(config, str(folder), "test")
    with open_log(run.log, config.log.level) as log, pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorders, "GROUP_BARS", 100)
        run_backtest(prepare(config, read_market(config), run, log, lambda done, total: None))


def killed_at(folder: Path, when: int) -> None:
    """Run it in a child that kills itself at a write point."""
    seen = [0]

    def reached(point: str, count: int) -> None:
        del point, count
        seen[0] += 1
        if seen[0] == when:
            die()

    def life() -> None:
        WritePoints(reached).install()
        backtest(folder)

    assert was_killed(fork(life)), "it came to its end before the point"


@pytest.mark.parametrize("points", [8, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.usefixtures("inline_training")
def test_kill_9_leaves_all_blocks_up_to_the_last_commit(
    points: int, tmp_path: Path, cli: Cli
) -> None:
    backtest(tmp_path / "warm")
    child, told = tmp_path / "whole", tmp_path / "points.txt"

    def count() -> None:
        counted = WritePoints(lambda point, count: None)
        counted.install()
        backtest(child)
        told.write_text(str(counted.counts.total()), "utf-8")

    assert not was_killed(fork(count))
    total = int(told.read_text("utf-8"))
    with open_record(RunFolder(child)) as record:
        whole = {name: record.rows(name) for name in COLUMN_TABLES}
    at = np.unique(np.linspace(2, total, points).astype(int))
    lengths = set()
    for when in at.tolist():
        folder = RunFolder(tmp_path / f"killed-{when}")
        killed_at(folder.path, when)
        if not folder.journal.exists():
            continue
        with open_record(folder) as record:
            assert record.damage() is None
            for name, rows in whole.items():
                found = record.rows(name)
                assert found == rows[: len(found)], name
            lengths.add(len(record.ledger_times()))
            closed = len(record.ledger_times())
        verdict = verify(folder)
        assert verdict.difference is None, (when, verdict.difference)
        assert verdict.bars == closed
        if closed:
            assert cli("status", folder.path).code == 0
            assert json.loads(cli("report", folder.path, "--json").out)[
                "ledger_sha256"
            ] is None or (when > total - 12)
    assert len(lengths) >= 5
    assert 0 in lengths or len(lengths) >= 6

"""Journals are read wherever they lie, and left as they are."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.journal.opening import connect_to_copy, connect_to_read, copy_pages
from bot.adapters.journal.reader import JournalReader
from bot.adapters.journal.writer import Journal
from bot.blocks import Task
from bot.errors import JournalError
from tests.conftest import FIXTURES

NAMES = (
    "w%41", "a#b", "a?mode=rwc", "two words", "it's", 'a "quote"', "übung", "日本", "a&b=c", "50%",
    "file:x", "a;b", "~", "a+b", "%00", "[x]", "back\\slash", "new\nline", "mode=memory",
)  # fmt: skip


def make(folder: Path, fact: str) -> Path:
    folder.mkdir()
    path = folder / "journal.db"
    Journal.create(path, ("A",), (Task("return", 1),), {"fact": fact}, durable=True).close()
    return path


def listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_is_the_one_that_is_read(name: str, tmp_path: Path) -> None:
    for decoy in ("wA", "a", "50"):
        make(tmp_path / decoy, f"decoy {decoy}")
    path = make(tmp_path / name, "the one")
    before = listing(path.parent)
    others = sorted(p.name for p in tmp_path.iterdir())
    with closing(JournalReader(path)) as reader:
        assert reader.meta["fact"] == "the one"
    Journal.open(path, ("A",), (Task("return", 1),)).close()
    assert listing(path.parent) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == others


def test_a_name_that_is_no_text_is_read(tmp_path: Path) -> None:
    path = make(tmp_path / os.fsdecode(b"latin-\xe9"), "the one")
    with closing(JournalReader(path)) as reader:
        assert reader.meta["fact"] == "the one"


def test_a_relative_path_that_looks_like_an_address_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "file:x", "the one")
    monkeypatch.chdir(tmp_path)
    with closing(JournalReader(Path("file:x/journal.db"))) as reader:
        assert reader.meta["fact"] == "the one"


def test_no_file_is_made_where_there_is_none(tmp_path: Path) -> None:
    for name in ("nothing.db", "a%41.db", "x?mode=rwc"):
        with pytest.raises(JournalError, match="there is no journal here"):
            JournalReader(tmp_path / name)
        with pytest.raises(JournalError, match="there is no journal here"):
            Journal.open(tmp_path / name, ("A",), (Task("return", 1),))
    assert list(tmp_path.iterdir()) == []


def test_reading_writes_nothing(tmp_path: Path) -> None:
    path = make(tmp_path / "run", "x")
    with closing(connect_to_read(path)) as db:
        for statement in ("DELETE FROM meta", "CREATE TABLE x (y)", "DROP TABLE bars"):
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                db.execute(statement)


def left_by_a_killed_process(path: Path) -> None:
    """Let the newest row stand in the -wal only."""
    code = (
        "import os, sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1])\n"
        "db.execute('PRAGMA journal_mode = WAL')\n"
        "db.execute(\"INSERT INTO meta VALUES ('late', 'yes')\")\n"
        "db.commit()\n"
        "os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)


def test_what_a_killed_process_left_stays_as_it_is(tmp_path: Path) -> None:
    path = make(tmp_path / "run", "x")
    left_by_a_killed_process(path)
    before = listing(path.parent)
    assert before["journal.db-wal"]
    with closing(JournalReader(path)) as reader:
        assert reader.meta["late"] == "yes"
    after = listing(path.parent)
    assert {k: v for k, v in after.items() if not k.endswith("-shm")} == {
        k: v for k, v in before.items() if not k.endswith("-shm")
    }


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder that another user may look into."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def facts_without_rights(path: Path) -> str:
    """Read the facts as a process that may write nothing there."""
    if os.geteuid() == 0:
        os.chown(path.parent, 0, 0)
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from bot.adapters.journal.reader import JournalReader\n"
        "if os.geteuid() == 0:\n"
        "    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "reader = JournalReader(Path(sys.argv[1]))\n"
        "print(sorted(reader.meta))\n"
    )
    path.parent.chmod(0o555)
    for each in path.parent.iterdir():
        each.chmod(0o444)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
        )
    finally:
        path.parent.chmod(0o755)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_read_only_folder_is_read_as_it_stands(shelf: Path) -> None:
    path = make(shelf / "run", "x")
    before = listing(path.parent)
    assert "'fact'" in facts_without_rights(path)
    assert listing(path.parent) == before


def test_a_read_only_folder_of_a_killed_process_is_read_to_its_last_commit(shelf: Path) -> None:
    path = make(shelf / "run", "x")
    left_by_a_killed_process(path)
    before = listing(path.parent)
    assert "'late'" in facts_without_rights(path)
    assert listing(path.parent) == before
    (path.parent / "journal.db-shm").unlink(missing_ok=True)
    assert "'late'" in facts_without_rights(path)
    assert "journal.db-shm" not in listing(path.parent)


def test_every_reading_command_reads_a_read_only_folder(shelf: Path) -> None:
    """A run of version 1, that a killed process left, as a user who may write nothing there."""
    run = Path(shutil.copytree(FIXTURES / "runs" / "v1" / "live", shelf / "run"))
    left_by_a_killed_process(run / "journal.db")
    before = {str(p): p.read_bytes() for p in run.rglob("*") if p.is_file()}
    code = (
        "import os, sys\n"
        "from typer.testing import CliRunner\n"
        "from bot.cli.main import app\n"
        "def read(run):\n"
        "    for command in ('status', 'logs', 'report'):\n"
        "        done = CliRunner().invoke(app, [command, run])\n"
        "        assert done.exit_code == 0, (command, done.output, done.exception)\n"
        "    return done.output\n"
        "read(sys.argv[2])\n"  # what is loaded late is loaded with rights
        "if os.geteuid() == 0:\n"
        "    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "print(read(sys.argv[1])[-400:])\n"
    )
    other = shutil.copytree(run, shelf / "other")
    for path in (run, *run.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = subprocess.run(
        [sys.executable, "-c", code, str(run), str(other)],
        capture_output=True,
        text=True,
        check=False,
    )
    for path in (run, *run.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert done.returncode == 0, done.stderr
    assert "the page cannot be written" in done.stdout
    assert {str(p): p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_a_finished_journal_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal.create(path, ("A",), (Task("return", 1),), {}, durable=False)
    journal.close(for_good=True)
    shutil.copy(path, tmp_path / "copy.db")
    JournalReader(path).close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.db", "journal.db"]
    assert path.read_bytes() == (tmp_path / "copy.db").read_bytes()


class Written:
    """A journal of two tables that are always changed together, written to between two steps of a copy."""

    def __init__(self, path: Path, writes: int) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        for table in ("a", "b"):
            self.db.execute(f"CREATE TABLE {table} (n INTEGER, filler BLOB)")
            self.db.execute(f"INSERT INTO {table} VALUES (0, zeroblob(40000))")
        self.source = sqlite3.connect(path)
        self.left, self.written, self.in_one_step = writes, 0, 0

    def backup(self, copy: sqlite3.Connection, **how: Any) -> None:
        told = how.get("progress")
        if told is None:
            self.in_one_step += 1
            self.source.backup(copy)
            return

        def look(*numbers: int) -> None:
            if self.left:
                self.db.execute("BEGIN")
                for table in ("a", "b"):
                    self.db.execute(f"UPDATE {table} SET n = n + 1")
                self.db.execute("COMMIT")
                self.left, self.written = self.left - 1, self.written + 1
            told(*numbers)

        self.source.backup(copy, pages=1, progress=look, sleep=0.0)


@pytest.mark.parametrize(("writes", "in_one_step"), [(0, 0), (3, 0), (10_000, 1)])
def test_a_copy_is_of_one_instant_however_often_it_is_written_to(
    tmp_path: Path, writes: int, in_one_step: int
) -> None:
    journal = Written(tmp_path / "journal.db", writes)
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        copy_pages(journal, copy)  # type: ignore[arg-type]
        found = copy.execute("SELECT a.n, b.n FROM a, b").fetchone()
    assert found == (journal.written, journal.written)
    assert journal.in_one_step == in_one_step
    journal.source.close()
    journal.db.close()


def test_a_copy_leaves_no_file_and_is_read_only(tmp_path: Path, temporary_folder: Path) -> None:
    journal = Written(tmp_path / "journal.db", 0)
    with closing(connect_to_copy(tmp_path / "journal.db")) as copy:
        assert not list(temporary_folder.iterdir())
        assert copy.execute("SELECT n FROM a").fetchone() == (0,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            copy.execute("UPDATE a SET n = 1")
    journal.source.close()
    journal.db.close()


def test_without_room_for_a_copy_it_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    path = make(tmp_path / "run", "x")
    monkeypatch.setattr("bot.adapters.journal.opening.copy_pages", full)
    with pytest.raises(JournalError, match=r"no room for a copy of .*journal\.db.*TMPDIR"):
        JournalReader(path, apart=True)

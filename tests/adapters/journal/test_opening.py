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

import pytest

from bot.adapters.journal.opening import connect_to_read
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

"""The journal: what is written is read back, whole or not at all, and no damage goes unseen."""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.journal.reader import JournalReader
from bot.adapters.journal.wal import LONG_BYTES
from bot.adapters.journal.writer import Journal
from bot.blocks import Task
from bot.errors import JournalError
from bot.portfolio.trace import Trace
from tests.adapters.written_runs import SYMBOLS, TASKS, N, World, make_world, write


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


def written(world: World, path: Path, cuts: list[int], opened: set[int] | None = None) -> list[Any]:
    """Write the world's run to a new journal."""
    journal = Journal.create(path, SYMBOLS, TASKS, {"mode": "test"}, durable=False)
    kept = write(world, [journal], cuts, opened)
    journal.close()
    return kept


@pytest.fixture(scope="module")
def whole(world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    return path, written(world, path, [])


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cuts=st.lists(st.integers(1, N - 1), max_size=12),
    opened=st.sets(st.integers(1, N - 1), max_size=12),
)
def test_neither_blocks_nor_opened_bars_change_a_row_or_a_link(
    world: World, whole: tuple[Path, list[Any]], tmp_path_factory: pytest.TempPathFactory,
    cuts: list[int], opened: set[int],
) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("cut") / "journal.db"
    written(world, path, cuts, opened)
    one, two = sqlite3.connect(whole[0]), sqlite3.connect(path)
    for table in ("bars", "ledger", "positions", "fills", "decisions", "forecasts", "models"):
        query = f"SELECT * FROM {table} ORDER BY 1, 2"
        assert one.execute(query).fetchall() == two.execute(query).fetchall(), table
    links = "SELECT open_time, link FROM chain ORDER BY open_time"
    assert one.execute(links).fetchall() == two.execute(links).fetchall()
    one.close()
    two.close()


def test_a_link_depends_on_all_before_it(world: World, whole: tuple[Path, list[Any]]) -> None:
    reader = JournalReader(whole[0])
    _, links = reader.links()
    reader.close()
    assert len(set(links)) == N
    assert {len(link) for link in links} == {32}


def test_a_changed_bar_changes_the_links_from_there(
    world: World, whole: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    volume = world.bars.volume.copy()
    at = int(np.flatnonzero(world.bars.valid[:, 0] & (np.arange(N) >= 100))[0])
    volume[at, 0] += 1e-9
    other = replace(world, bars=replace(world.bars, volume=volume))
    written(other, tmp_path / "journal.db", [])
    mine, theirs = (JournalReader(p) for p in (whole[0], tmp_path / "journal.db"))
    same = [a == b for a, b in zip(mine.links()[1], theirs.links()[1], strict=True)]
    assert same == [True] * at + [False] * (N - at)
    mine.close()
    theirs.close()


def test_an_error_inside_rolls_everything_back(world: World, tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "journal.db", SYMBOLS, TASKS, {}, durable=True)
    state, first = world.engine.step(world.start(), world.bars.rows(0, 40))
    with journal.transaction():
        for result in first:
            journal.write_close(result, state.schedule)
    later, second = world.engine.step(state, world.bars.rows(40, 60))

    def fail_midway() -> None:
        with journal.transaction():
            journal.write_close(second[0], later.schedule)
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail_midway()
    journal.close()
    reader = JournalReader(tmp_path / "journal.db")
    assert len(reader.ledger()[0]) == len(reader.bars()) == len(reader.links()[0]) == 40
    reader.close()


def test_a_full_disk_leaves_what_was_committed_and_goes_on_after(
    world: World, tmp_path: Path, whole: tuple[Path, list[Any]]
) -> None:
    path = tmp_path / "journal.db"
    Journal.create(path, SYMBOLS, TASKS, {}, durable=True).close()
    db = sqlite3.connect(path, isolation_level=None)
    journal = Journal(db, SYMBOLS, path)
    state, first = world.engine.step(world.start(), world.bars.rows(0, 20))
    with journal.transaction():
        for activation in world.activations:
            journal.write_activation(activation, None, late=False)
        for result in first:
            journal.write_close(result, state.schedule)
    later, rest = world.engine.step(state, world.bars.rows(20, N))
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")

    def write() -> None:
        with journal.transaction():
            for result in rest:
                journal.write_close(result, later.schedule)

    with pytest.raises(
        JournalError, match=r"journal\.db.*full.*what was committed before is whole"
    ):
        write()
    reader = JournalReader(path)
    assert len(reader.ledger()[0]) == len(reader.links()[0]) == len(reader.bars()) == 20
    reader.close()
    db.execute("PRAGMA max_page_count = 1073741823")
    write()
    journal.close()
    one, two = (JournalReader(p) for p in (path, whole[0]))
    assert one.links()[1] == two.links()[1]
    one.close()
    two.close()


def test_a_journal_goes_on_where_it_was(world: World, tmp_path: Path, whole: Any) -> None:
    path = tmp_path / "journal.db"
    journal = Journal.create(path, SYMBOLS, TASKS, {}, durable=True)
    state, first = world.engine.step(world.start(), world.bars.rows(0, 90))
    with journal.transaction():
        for result in first:
            journal.write_close(result, state.schedule)
    journal.close()
    journal = Journal.open(path, SYMBOLS, TASKS)
    later, rest = world.engine.step(state, world.bars.rows(90, N))
    with journal.transaction():
        for result in rest:
            journal.write_close(result, later.schedule)
    journal.close()
    one, two = (JournalReader(p) for p in (path, whole[0]))
    assert one.links()[1] == two.links()[1]
    one.close()
    two.close()


def test_a_second_journal_in_the_same_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal.create(path, SYMBOLS, TASKS, {}, durable=False).close()
    with pytest.raises(JournalError, match="there is a run already"):
        Journal.create(path, SYMBOLS, TASKS, {}, durable=False)
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot make the journal"):
        Journal.create(tmp_path / "file" / "journal.db", SYMBOLS, TASKS, {}, durable=False)


def test_other_symbols_or_tasks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal.create(path, SYMBOLS, TASKS, {}, durable=False).close()
    with pytest.raises(JournalError, match="symbols is"):
        Journal.open(path, (*SYMBOLS, "MORE"), TASKS)
    with pytest.raises(JournalError, match="tasks is"):
        Journal.open(path, SYMBOLS, TASKS[:2])


@pytest.fixture
def copy(whole: tuple[Path, list[Any]], tmp_path: Path) -> Path:
    path = tmp_path / "copy.db"
    source, target = sqlite3.connect(whole[0]), sqlite3.connect(path)
    source.backup(target)
    source.close()
    target.close()
    return path


def read_all(path: Path) -> None:
    reader = JournalReader(path)
    try:
        times, _ = reader.ledger()
        reader.bars()
        reader.decisions(times)
        reader.forecasts(times)
        reader.fills()
        reader.state()
        reader.links()
    finally:
        reader.close()


def test_what_is_no_journal_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"nothing\.db: there is no journal here"):
        JournalReader(tmp_path / "nothing.db")
    text = tmp_path / "text.db"
    text.write_text("this is no database" * 100, encoding="utf-8")
    with pytest.raises(JournalError, match=r"text\.db: cannot be read"):
        JournalReader(text)
    other = tmp_path / "other.db"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE meta (key TEXT, value TEXT)")
    db.commit()
    db.close()
    with pytest.raises(JournalError, match="journal version none"):
        JournalReader(other)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE meta SET value = '99' WHERE key = 'journal_version'", "version 99"),
        ("DELETE FROM meta WHERE key = 'symbols'", "symbols"),
        ("DELETE FROM bars WHERE open_time = (SELECT max(open_time) FROM bars) AND symbol = 'SYN0USDT'",
         "table bars has 319 rows for 160 bars"),
        ("UPDATE bars SET symbol = 'DOGE' WHERE symbol = 'SYN0USDT'", "unknown symbol 'DOGE'"),
        ("UPDATE fills SET reason = 'whim' WHERE id = 1", "fills has the unknown reason 'whim'"),
        ("UPDATE decisions SET refusal = 'whim' WHERE refusal IS NULL",
         "decisions has the unknown refusal 'whim'"),
        ("UPDATE state SET blob = x'0102'", "state is damaged"),
        ("DROP TABLE decisions", "no such table"),
    ],
)  # fmt: skip
def test_a_journal_that_was_changed_is_refused(copy: Path, statement: str, expected: str) -> None:
    db = sqlite3.connect(copy)
    db.execute(statement)
    db.commit()
    db.close()
    with pytest.raises(JournalError, match=expected) as caught:
        read_all(copy)
    assert str(copy) in str(caught.value)


def test_a_file_with_broken_pages_is_refused(copy: Path) -> None:
    content = bytearray(copy.read_bytes())
    content[4096 * 3 :] = b"\xff" * (len(content) - 4096 * 3)
    copy.write_bytes(bytes(content))
    with pytest.raises(JournalError, match="damaged"):
        read_all(copy)
    with pytest.raises(JournalError, match=r"damaged|cannot be opened"):
        Journal.open(copy, SYMBOLS, TASKS)


def test_half_a_trace_of_an_opened_bar_is_seen_by_a_reader(world: World, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal.create(path, SYMBOLS, TASKS, {}, durable=True)
    state, results = world.engine.step(world.start(), world.bars.rows(0, 30))
    with journal.transaction():
        for result in results:
            journal.write_close(result, state.schedule)
    _, trace = world.engine.open(state, world.bars.rows(30, 31))
    assert isinstance(trace, Trace)
    with journal.transaction():
        journal.write_open(world.bars.rows(30, 31), trace)
    reader = JournalReader(path)
    assert len(reader.bars()) == 31
    assert len(reader.ledger()[0]) == 30
    reader.close()
    journal.close()


def test_the_log_beside_it_stays_short_beside_readers_that_take_turns(tmp_path: Path) -> None:
    path, over = tmp_path / "journal.db", threading.Event()
    journal = Journal.create(path, ["A"], [Task("return", 5)], {}, durable=False)
    wal, sizes = path.with_name("journal.db-wal"), []

    def read_in_turns() -> None:
        before = reading(path)
        while not over.wait(0.004):
            now = reading(path)  # there is always one that reads, and none reads for long
            before.close()
            before = now
        before.close()

    readers = threading.Thread(target=read_in_turns)
    readers.start()
    try:
        for number in range(80):
            with journal.transaction():
                journal.write_meta("big", f"{number}" + "x" * 600_000)
            sizes.append(wal.stat().st_size)
    finally:
        over.set()
        readers.join()
    assert max(sizes) < 2 * LONG_BYTES
    journal.close()


def reading(path: Path) -> sqlite3.Connection:
    reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM meta").fetchone()
    return reader


def test_who_reads_for_long_holds_a_commit_up_for_a_moment_only(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal.create(path, ["A"], [Task("return", 5)], {}, durable=False)
    reader = reading(path)
    began = time.monotonic()
    for number in range(20):
        with journal.transaction():
            journal.write_meta("big", f"{number}" + "x" * 2_000_000)
    assert time.monotonic() - began < 20 * 0.5
    assert reader.execute("SELECT count(*) FROM meta WHERE key = 'big'").fetchone() == (0,)
    reader.close()
    with journal.transaction():
        journal.write_meta("small", "x")
    assert path.with_name("journal.db-wal").stat().st_size == 0
    assert journal.meta("big").startswith("19x")
    journal.close()

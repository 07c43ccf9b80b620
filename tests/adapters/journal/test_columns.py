"""A record in columns: parts of whole bars, sealed; what is damaged or cut off is refused by name."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bot.adapters.journal import columns_reader, columns_writer
from bot.adapters.journal.columns_reader import ColumnReader
from bot.adapters.journal.columns_writer import ColumnJournal
from bot.adapters.journal.forms import is_in_columns, open_journal
from bot.adapters.journal.parts import TablePart, read_part, write_part
from bot.adapters.journal.reader import JournalReader
from bot.adapters.journal.writer import Journal
from bot.adapters.record.columns import COLUMN_TABLES, stored_columns
from bot.engine import StepResult
from bot.errors import JournalError
from bot.timegrid import HOUR_MS
from tests.adapters.written_runs import SYMBOLS, TASKS, N, S, World, make_world, write

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

CUTS = [12, 60, 90, 130]


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def whole(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("columns") / "journal.db"
    with closing(ColumnJournal.create(path, SYMBOLS, TASKS, {"mode": "backtest"})) as journal:
        write(world, [journal], CUTS)
    return path


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole.parent, tmp_path / "copy")) / "journal.db"


def read_all(path: Path) -> list[Any]:
    with open_journal(path) as record:
        return [record.rows(table) for table in COLUMN_TABLES]


def parts(path: Path) -> list[Path]:
    return sorted((path.parent / "columns").rglob("*.parquet"))


def test_which_form_a_record_has_is_seen_in_its_facts(whole: Path, tmp_path: Path) -> None:
    by_row = tmp_path / "journal.db"
    Journal.create(by_row, SYMBOLS, TASKS, {}, durable=False).close()
    assert (is_in_columns(whole), is_in_columns(by_row)) == (True, False)
    with open_journal(whole) as record, open_journal(by_row) as other:
        assert (type(record), type(other)) == (ColumnReader, JournalReader)
    with pytest.raises(JournalError, match=r"journal version columns-2, this program reads 1 to"):
        JournalReader(whole)  # as a program before columns says it
    with pytest.raises(JournalError, match="columns-2"):
        Journal.open(whole, SYMBOLS, TASKS)


def test_another_version_of_columns_is_refused(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as db:
        db.execute("UPDATE meta SET value = 'columns-3' WHERE key = 'journal_version'")
        db.commit()
    with pytest.raises(
        JournalError, match=r"columns-3, this program reads columns-1 and columns-2"
    ):
        open_journal(copy)


def test_any_reader_of_parquet_reads_a_table(whole: Path, world: World) -> None:
    found = pq.read_table(whole.parent / "columns" / "bars").to_pandas()
    assert len(found) == N * S
    close = found.pivot_table(index="open_time", columns="symbol", values="close", dropna=False)
    np.testing.assert_array_equal(close[list(SYMBOLS)].to_numpy(), world.bars.close)


def test_a_part_has_whole_bars_and_a_bound(
    world: World, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns_writer, "PART_ROWS", 7)
    path = tmp_path / "journal.db"
    with closing(ColumnJournal.create(path, SYMBOLS, TASKS, {"mode": "backtest"})) as journal:
        write(world, [journal], CUTS)
    sizes = [pq.read_metadata(part).num_rows for part in parts(path)]
    assert max(sizes) <= 7
    bars = [pq.read_metadata(p).num_rows for p in parts(path) if p.parent.name == "bars"]
    assert sum(bars) == N * S
    assert all(rows % S == 0 for rows in bars)
    assert read_all(path) == read_all(whole)
    with open_journal(path) as record:
        assert record.damage() is record.misshapen() is record.misnumbered() is None
        assert record.first_rows("bars", 0, 2**62, 9) == record.rows("bars")[:8]
        assert record.first_rows("bars", 0, 2**62, 1) == record.rows("bars")[:2]


def test_the_seals_do_not_depend_on_how_the_file_is_made(copy: Path, world: World) -> None:
    """The same columns written by another hand are read; the file's own hash tells of it."""
    part = parts(copy)[0]
    pq.write_table(pq.read_table(part), part, compression="none")
    assert len(read_all(copy)[0]) == N * S
    with open_journal(copy) as record:
        found = record.damage()
    assert found is not None
    assert "size_bytes" in found.field


def test_a_changed_cell_is_refused_by_file_and_column_whoever_reads(copy: Path) -> None:
    tried = 0
    for part in parts(copy):
        content = part.read_bytes()
        table = pq.read_table(part)
        for k, name in enumerate(table.column_names):
            values = table.column(name).to_pylist()
            odd = next((i for i, v in enumerate(values) if v is not None), 0)
            values[odd] = _other(values[odd])
            changed = pa.array(values, from_pandas=False).cast(table.schema.field(name).type)
            pq.write_table(table.set_column(k, table.schema.field(name), changed), part)
            with pytest.raises(JournalError, match=rf"{part.name}: .*{name}|unknown {name}"):
                read_all(copy)
            tried += 1
        part.write_bytes(content)
    assert tried >= sum(len(stored_columns(table, TASKS)) for table in COLUMN_TABLES)


def _other(value: Any) -> Any:
    if isinstance(value, str):
        return next(
            (s for s in (*SYMBOLS, "one", "two") if s != value and len(s) == len(value)), "x"
        )
    if isinstance(value, bool):
        return not value
    return 1.0 if value is None or value != value else value + 1  # noqa: PLR0124


def test_a_flipped_byte_anywhere_is_no_traceback_and_no_other_number(copy: Path) -> None:
    expected, chance = read_all(copy), np.random.default_rng(3)
    for part in parts(copy):
        content = part.read_bytes()
        for at in chance.integers(0, len(content), 12).tolist():
            part.write_bytes(content[:at] + bytes([content[at] ^ 0x5A]) + content[at + 1 :])
            told = ""
            try:
                found = read_all(copy)
            except JournalError as error:
                found, told = expected, str(error)
            assert found == expected
            assert not told or part.name in told
            with open_journal(copy) as record:
                damage = record.damage()
            assert damage is not None
            assert part.name in damage.field
        part.write_bytes(content)


def test_what_is_missing_cut_or_of_another_table_is_named(copy: Path) -> None:
    first = next(part for part in parts(copy) if part.parent.name == "ledger")
    content = first.read_bytes()
    for spoiled in (b"", content[: len(content) // 2], parts(copy)[0].read_bytes()):
        first.write_bytes(spoiled)
        with pytest.raises(JournalError, match=first.name):
            read_all(copy)
    first.unlink()
    with pytest.raises(JournalError, match=rf"{first.name}: a part of the record is missing"):
        read_all(copy)


def test_a_file_that_no_row_names_is_none_of_the_record(copy: Path, whole: Path) -> None:
    shutil.copy(parts(copy)[0], copy.parent / "columns" / "bars" / "999999.parquet")
    with open_journal(copy) as record:
        assert record.left_over() == ["bars/999999.parquet"]
        assert record.damage() is None
    assert read_all(copy) == read_all(whole)


def test_what_a_transaction_held_is_not_there_after_an_error(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle of a block: what was committed stays, and the next block goes on."""
    results = [each for each in write(world, [], CUTS) if isinstance(each, StepResult)]
    schedule = world.activations
    path = tmp_path / "journal.db"
    with closing(ColumnJournal.create(path, SYMBOLS, TASKS, {})) as journal:
        with journal.transaction():
            for activation in schedule:
                journal.write_activation(activation, None, late=False)
            journal.write_close(results[0], schedule)
        before = read_all(path)
        for table in COLUMN_TABLES:
            _fail_at(table, monkeypatch)
            with pytest.raises(JournalError, match="could not be written"), journal.transaction():
                journal.write_close(results[1], schedule)
            assert read_all(path) == before
        monkeypatch.undo()
        with suppress(KeyboardInterrupt), journal.transaction():
            journal.write_close(results[1], schedule)
            raise KeyboardInterrupt
        assert read_all(path) == before
        for result in results[1:]:
            with journal.transaction():
                journal.write_close(result, schedule)
    with open_journal(path) as record:
        assert record.damage() is record.misnumbered() is None
        assert record.left_over() == []
        assert len(record.ledger_times()) == N


def _fail_at(table: str, monkeypatch: pytest.MonkeyPatch) -> None:

    def full(folder: Path, name: str, *rest: Any) -> Any:
        if name == table:
            raise OSError(28, "No space left on device")
        return write_part(folder, name, *rest)

    monkeypatch.undo()
    monkeypatch.setattr(columns_writer, "write_part", full)


def test_only_closed_bars_are_taken_and_each_once(world: World, tmp_path: Path) -> None:
    result = next(each for each in write(world, [], CUTS) if isinstance(each, StepResult))
    with closing(ColumnJournal.create(tmp_path / "journal.db", SYMBOLS, TASKS, {})) as journal:
        with pytest.raises(JournalError, match="closed bars alone"), journal.transaction():
            journal.write_open(result.bars, result.trace)
        with journal.transaction():
            journal.write_bars(result.bars)
        with pytest.raises(JournalError, match="comes behind"), journal.transaction():
            journal.write_bars(result.bars)


def test_who_follows_sees_what_is_committed_and_who_does_not_stays_at_its_instant(
    world: World, tmp_path: Path
) -> None:
    results = [each for each in write(world, [], CUTS) if isinstance(each, StepResult)]
    path = tmp_path / "journal.db"
    with closing(ColumnJournal.create(path, SYMBOLS, TASKS, {})) as journal:
        with journal.transaction():
            for activation in world.activations:
                journal.write_activation(activation, None, late=False)
            journal.write_close(results[0], world.activations)
        with open_journal(path) as still, open_journal(path, follow=True) as follows:
            first = len(still.ledger_times())
            assert len(follows.ledger_times()) == first
            with journal.transaction():
                journal.write_close(results[1], world.activations)
            assert len(still.ledger_times()) == first
            assert len(follows.ledger_times()) == first + len(results[1].bars)
            times = follows.ledger_times()
            np.testing.assert_array_equal(
                follows.decisions(times)[0]["signal"],
                np.concatenate([r.signal for r in results[:2]]),
            )


def test_of_each_table_two_parts_are_kept(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def noted(folder: Path, part: TablePart, *given: Any) -> Any:
        read.append(part.position)
        return read_part(folder, part, *given)

    monkeypatch.setattr(columns_reader, "read_part", noted)
    with closing(ColumnReader(whole)) as record:
        edge = int(record.bar_times()[CUTS[-1]])  # the last part begins there
        read.clear()
        record.columns("bars")
        bars = list(read)
        assert len(bars) > 2
        record.columns("decisions")
        assert len(read) > len(bars)
        read.clear()
        record.columns("bars", edge - 1)
        record.columns("bars", edge - 2 * HOUR_MS)
        assert read == []
        record.columns("bars", to=edge - 1)
        assert bars[0] in read

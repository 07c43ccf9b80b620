"""bot verify: a run is proved, and whatever is changed in it is named by bar, symbol and field."""

from __future__ import annotations

import random
import shutil
import sqlite3
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bot.adapters.journal.forms import open_journal
from bot.adapters.record.difference import Difference
from bot.adapters.record.tables import Table, columns_of
from bot.app.runs.folder import RunFolder
from bot.app.runs.ledger_hash import stored_ledger
from bot.app.verify.proof import verify
from bot.blocks import Task
from bot.errors import JournalError

if TYPE_CHECKING:
    from tests.conftest import Cli, Ran, RunIt

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

START = "2023-01-14"
BY_SYMBOL: tuple[Table, ...] = ("fills", "forecasts", "decisions", "positions")
TASKS = [Task(kind, 5) for kind in ("return", "direction", "volatility", "volume")]
TABLES: tuple[Table, ...] = ("bars", *BY_SYMBOL, "ledger", "chain")


@pytest.fixture
def copy(traded: Ran, tmp_path: Path) -> RunFolder:
    """A run that may be spoiled."""
    return RunFolder(Path(shutil.copytree(traded.folder.path, tmp_path / "run")))


def change(folder: RunFolder, sql: str, *values: Any) -> None:
    db = sqlite3.connect(folder.journal)
    with db:
        assert db.execute(sql, values).rowcount >= 1
    db.close()


def one(folder: RunFolder, sql: str, *values: Any) -> Any:
    db = sqlite3.connect(folder.journal)
    row = db.execute(sql, values).fetchone()
    db.close()
    return row


def middle(folder: RunFolder, table: str, where: str = "1") -> tuple[Any, ...]:
    """Return the keys of a row in the middle of a table."""
    keys = "open_time" if table in {"ledger", "chain"} else "open_time, symbol"
    count = one(folder, f"SELECT count(*) FROM {table} WHERE {where}")[0]
    found: tuple[Any, ...] = one(
        folder,
        f"SELECT {keys} FROM {table} WHERE {where} ORDER BY {keys} LIMIT 1 OFFSET {count // 2}",
    )
    return found


def at(keys: tuple[Any, ...]) -> str:
    names = ("open_time", "symbol")
    return " AND ".join(f"{n} = {k!r}" for n, k in zip(names, keys, strict=False))


def flipped(value: Any) -> Any:
    """Return the value with its last bit, or last letter, changed."""
    if isinstance(value, float):
        bits = struct.unpack("<q", struct.pack("<d", value))[0]
        return struct.unpack("<d", struct.pack("<q", bits ^ 1))[0]
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    return value[:-1] + ("x" if value[-1] != "x" else "y")


def named(folder: RunFolder) -> Difference:
    verdict = verify(folder)
    assert not verdict.identical
    assert verdict.replayed_sha256 is None
    assert verdict.difference is not None
    return verdict.difference


def test_a_run_is_proved_by_two_equal_hashes(traded: Ran) -> None:
    told: list[tuple[int, int]] = []
    verdict = verify(traded.folder, lambda done, total: told.append((done, total)))
    assert verdict.identical, verdict.difference
    assert verdict.stored_sha256 == verdict.replayed_sha256 == traded.done.ledger_sha256
    assert (verdict.bars, verdict.warm_bars) == (traded.done.bars, traded.market.start_index)
    assert (verdict.bars + verdict.warm_bars, verdict.models) == (800, len(traded.models()))
    assert verdict.fills > 100
    assert verdict.notes == ()
    assert told[-1] == (800, 800)


def test_blocks_change_nothing(traded: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.app.verify.replay.BLOCK_BARS", 97)
    assert verify(traded.folder).replayed_sha256 == traded.done.ledger_sha256
    with open_journal(traded.folder.journal) as snapshot:
        pieces = [len(times) for times, _ in snapshot.ledger_blocks(97)]
        assert max(pieces) == 97
        assert sum(pieces) == traded.done.bars
        assert stored_ledger(snapshot).hexdigest() == traded.done.ledger_sha256


FIELDS = [
    (table, field)
    for table in TABLES
    for field in columns_of(table, TASKS)
    if field not in {"open_time", "symbol"}
]


@pytest.mark.parametrize(("table", "field"), FIELDS)
def test_one_flipped_bit_is_named(copy: RunFolder, table: str, field: str) -> None:
    some = one(copy, f'SELECT count("{field}") FROM {table}')[0]  # a backtest met no quotes
    keys = middle(copy, table, f'"{field}" IS NOT NULL' if some else "1")
    before = one(copy, f'SELECT "{field}" FROM {table} WHERE {at(keys)}')[0]
    after = 1.0 if before is None else flipped(before)
    change(copy, f'UPDATE {table} SET "{field}" = ? WHERE {at(keys)}', after)
    found = named(copy)
    assert found.table == table
    assert found.field == ("row_hash" if table == "bars" else field)
    assert (found.open_time, found.symbol) == (keys[0], keys[1] if len(keys) > 1 else None)
    if table != "bars":
        assert (found.stored, found.replayed) == (after, before)


"""Columns that history leaves empty, and a policy that asks for no edge."""


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_is_gone_is_named(copy: RunFolder, table: str) -> None:
    keys = middle(copy, table)
    change(copy, f"DELETE FROM {table} WHERE {at(keys)}")
    found = named(copy)
    assert (found.table, found.field) == (table, "row")
    assert (found.open_time, found.symbol) == (keys[0], keys[1] if len(keys) > 1 else None)
    assert found.stored == "no such row"


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("when", ["before", "behind"])
def test_a_row_too_many_is_named(copy: RunFolder, table: Table, when: str) -> None:
    keys = middle(copy, table)
    edge = one(copy, "SELECT min(open_time), max(open_time) FROM bars")
    time = edge[0] - 3_600_000 if when == "before" else edge[1] + 3_600_000
    columns = [c for c in columns_of(table, TASKS) if c != "open_time"]
    names = ", ".join(f'"{c}"' for c in columns)
    change(
        copy,
        f"INSERT INTO {table} (open_time, {names}) SELECT {time}, {names} FROM {table} "
        f"WHERE {at(keys)}",
    )
    found = named(copy)
    assert (found.table, found.field, found.open_time) == (table, "row", time)


def test_a_bar_that_is_gone_for_all_symbols_is_named(copy: RunFolder) -> None:
    for time in (middle(copy, "ledger")[0], one(copy, "SELECT min(open_time) FROM bars")[0] + 36e5):
        change(copy, "DELETE FROM bars WHERE open_time = ?", time)
        found = named(copy)
        assert (found.table, found.field, found.open_time) == ("bars", "row", time)


def test_the_last_bars_cannot_be_cut_off(copy: RunFolder) -> None:
    last = one(copy, "SELECT max(open_time) FROM bars")[0]
    for table in TABLES:
        db = sqlite3.connect(copy.journal)
        with db:
            db.execute(f"DELETE FROM {table} WHERE open_time = ?", (last,))
        db.close()
    assert named(copy).table == "state"


def test_a_changed_order_of_fills_is_named(copy: RunFolder) -> None:
    time, *_ = one(
        copy, "SELECT open_time FROM fills GROUP BY open_time HAVING count(*) > 1 LIMIT 1"
    )
    first, second = one(copy, "SELECT min(id), max(id) FROM fills WHERE open_time = ?", time)
    for old, new in ((first, -1), (second, first), (-1, second)):
        change(copy, "UPDATE fills SET id = ? WHERE id = ?", new, old)
    found = named(copy)
    assert (found.table, found.field, found.open_time) == ("fills", "order", time)


@pytest.mark.parametrize("ending", ["safetensors", "json"])
@pytest.mark.parametrize("how", ["flip", "gone"])
def test_a_model_that_is_not_as_it_was_is_named(
    traded: Ran, copy: RunFolder, ending: str, how: str
) -> None:
    model_id, effective_from, _ = traded.models()[1]
    path = copy.models / f"{model_id}.{ending}"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    if how == "flip":
        path.write_bytes(content)
    found = named(copy)
    assert (found.table, found.field, found.open_time) == ("models", "file", effective_from)
    assert path.name in found.stored


@pytest.mark.parametrize(
    ("sql", "field"),
    [
        ("UPDATE models SET due = due + 1 WHERE position = 2", "models.due"),
        ("UPDATE models SET late = 1 WHERE position = 2", "models.late"),
        ("UPDATE models SET effective_from = 0 WHERE position = 2", "models.effective_from"),
        ("UPDATE models SET effective_from = effective_from + 3600000 WHERE position = 2",
         "forecasts.model_id"),
        ("DELETE FROM models WHERE position = 2", "forecasts.model_id"),
        ("DELETE FROM state", "state.row"),
        ("UPDATE state SET open_time = open_time - 1", "state.open_time"),
        ("UPDATE meta SET value = replace(value, '5', '6') WHERE key = 'tasks'", "meta.tasks"),
        ("UPDATE meta SET value = replace(value, '0', '7') WHERE key = 'symbols'", "meta.symbols"),
        ("DELETE FROM meta WHERE key = 'start'", "fills.row"),
        ("UPDATE meta SET value = 'a' || value WHERE key = 'ledger_sha256'", "meta.ledger_sha256"),
    ],
)  # fmt: skip
def test_what_belongs_to_no_bar_is_named(copy: RunFolder, sql: str, field: str) -> None:
    change(copy, sql)
    verdict = verify(copy)
    assert verdict.difference is not None
    if field != "fills.row":
        assert f"{verdict.difference.table}.{verdict.difference.field}" == field
    else:
        assert verdict.difference.replayed == "no such row"


def test_changed_settings_are_told(copy: RunFolder) -> None:
    text = copy.config.read_text("utf-8")
    assert "taker_fee = -1.0" in text
    copy.config.write_text(text.replace("taker_fee = -1.0", "taker_fee = 0.0"), "utf-8")
    verdict = verify(copy)
    assert verdict.difference is not None
    assert (verdict.difference.table, verdict.difference.field) == ("fills", "fee")
    assert "config.toml" in verdict.notes[0]


def test_a_flipped_byte_anywhere_in_the_file_is_seen(copy: RunFolder) -> None:
    """Whatever a byte of the file does to its content, verify does not call it identical."""
    db = sqlite3.connect(copy.journal)
    assert db.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    content = dump(db)
    db.close()
    whole = copy.journal.read_bytes()
    chance = random.Random(3)
    seen = 0
    for _ in range(24):
        broken = bytearray(whole)
        broken[chance.randrange(100, len(whole))] ^= 1 << chance.randrange(8)
        copy.journal.write_bytes(broken)
        if says_identical(copy):
            db = sqlite3.connect(copy.journal)
            assert dump(db) == content, "a change was not seen"
            db.close()
        else:
            seen += 1
    assert seen >= 12


def says_identical(folder: RunFolder) -> bool:
    try:
        return verify(folder).identical
    except JournalError:
        return False


def dump(db: sqlite3.Connection) -> list[Any]:
    """Return all that a proof is about; of the state its numbers, which have their own check."""
    tables = (*TABLES, "models")
    return [db.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in tables]


def test_a_snapshot_does_not_see_what_is_written_after_it(copy: RunFolder) -> None:
    one(copy, "PRAGMA journal_mode = WAL")
    with open_journal(copy.journal) as snapshot:
        before = snapshot.bar_times()
        db = sqlite3.connect(copy.journal)
        with db:
            db.execute("UPDATE bars SET open_time = open_time + 1")
            db.execute("UPDATE meta SET value = '0' WHERE key = 'start'")
        db.close()
        np.testing.assert_array_equal(snapshot.bar_times(), before)
        assert snapshot.rows("bars", int(before[0]) - 1, int(before[0]))
    with open_journal(copy.journal) as snapshot:
        np.testing.assert_array_equal(snapshot.bar_times(), before + 1)


def test_a_run_without_decisions_cannot_be_proved(run_it: RunIt) -> None:
    ran = run_it("synthetic.bars=500", "run.record=ledger")
    with pytest.raises(JournalError, match=r"run\.record = 'ledger'.*cannot be verified"):
        verify(ran.folder)


def test_forecasts_from_a_file_are_given_and_still_proved(
    traded: Ran, run_it: RunIt, tmp_path: Path
) -> None:
    times = traded.market.bars.open_time
    chance = np.random.default_rng(5)
    lines = ["timestamp,symbol,return,p_up,volatility"]
    for symbol in traded.market.symbols:
        expected, p_up = (
            0.003 * chance.standard_normal(len(times)),
            chance.uniform(0.3, 0.7, len(times)),
        )
        lines += [
            f"{t},{symbol},{e:.6f},{p:.4f},0.01"
            for t, e, p in zip(times.tolist(), expected, p_up, strict=True)
        ]
    path = tmp_path / "forecasts.csv"
    path.write_text("\n".join(lines))
    sets = ("synthetic.bars=800", f"data.start={START}")
    in_columns = run_it(*sets, forecasts=str(path))
    assert verify(in_columns.folder).identical
    given = run_it(*sets, forecasts=str(path), by_row=True)
    assert given.done.ledger_sha256 == in_columns.done.ledger_sha256
    verdict = verify(given.folder)
    assert verdict.identical, verdict.difference
    assert verdict.replayed_sha256 == given.done.ledger_sha256
    assert "from a file" in verdict.notes[0]
    folder = RunFolder(Path(shutil.copytree(given.folder.path, tmp_path / "copy")))
    keys = middle(folder, "forecasts")
    for column, table in (("volatility_1", "chain"), ("return_1", "decisions")):
        change(folder, f"UPDATE forecasts SET {column} = {column} * 1.5 WHERE {at(keys)}")
        found = named(folder)
        assert (found.table, found.open_time) == (table, keys[0])


def test_the_command_says_identical_or_names_the_row(
    cli: Cli, copy: RunFolder, traded: Ran
) -> None:
    said = cli("verify", copy.path)
    assert said.code == 0
    assert said.out.count(traded.done.ledger_sha256) == 2
    assert "identical" in said.out
    keys = middle(copy, "fills")
    change(copy, f"UPDATE fills SET price = price + 1 WHERE {at(keys)}")
    said = cli("verify", copy.path)
    assert said.code == 1
    assert f"{keys[1]}: fills.price: the run has" in said.out
    assert "identical" not in said.out
    said = cli("verify", copy.path, "--json")
    assert said.code == 1
    assert said.json["difference"]["open_time"] == keys[0]
    assert said.json["difference"]["field"] == "price"
    assert not said.json["identical"]

"""A journal that was changed is not traded on from: each change is named before anything is done."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from bot.app.runs.folder import RunFolder
from bot.errors import JournalError
from scripts.soaking.rehearsal import Rehearsal


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    rehearsal = Rehearsal.make(tmp_path_factory.mktemp("lived") / "run")
    rehearsal.run(8)
    return rehearsal


def changed(lived: Rehearsal, folder: Path, *statements: str) -> Rehearsal:
    """Return the run with a journal that was changed with another tool."""
    shutil.copytree(lived.folder.path, folder / "run")
    db = sqlite3.connect(folder / "run" / "journal.db")
    for statement in statements:
        assert db.execute(statement).rowcount > 0, statement
    db.commit()
    db.close()
    return Rehearsal(lived.config, RunFolder(folder / "run"), lived.begin_ms + 8 * 3_600_000)


CHANGES = {
    "instruments emptied": ("UPDATE meta SET value = '{}' WHERE key = 'instruments'",
                            "meta.instruments has no SYN0USDT"),
    "instruments no JSON": ("UPDATE meta SET value = '' WHERE key = 'instruments'",
                            "meta.instruments; expected"),
    "instruments gone": ("DELETE FROM meta WHERE key = 'instruments'", "meta.instruments is missing"),
    "a fill deleted": ("DELETE FROM fills WHERE id = 1", "table fills has"),
    "a fill added": ("INSERT INTO fills SELECT 9999, open_time, symbol, quantity, price, fee, spread, "
                     "slippage, reason FROM fills WHERE id = 1", "table fills has"),
    "a fill's quantity": ("UPDATE fills SET quantity = quantity * 1.001 WHERE id = 1", "the fills of"),
    "a fill's fee": ("UPDATE fills SET fee = fee + 0.01 WHERE id = 1", "the fees of the fills"),
    "a fill's symbol": ("UPDATE fills SET symbol = CASE symbol WHEN 'SYN1USDT' THEN 'SYN2USDT' ELSE "
                        "'SYN1USDT' END WHERE id = 1", "the fills of"),
    "a ledger row deleted": ("DELETE FROM ledger WHERE open_time = (SELECT min(open_time) FROM ledger)",
                             "table ledger has 7 rows, the state knows of 8"),
    "the last equity": ("UPDATE ledger SET equity = equity + 1 WHERE open_time = "
                        "(SELECT max(open_time) FROM ledger)", "the last equity is"),
    "the last cash": ("UPDATE ledger SET cash = cash + 1 WHERE open_time = "
                      "(SELECT max(open_time) FROM ledger)", "the last cash is"),
    "a link deleted": ("DELETE FROM chain WHERE open_time = (SELECT max(open_time) FROM chain)",
                       "table chain has 7"),
    "a decision deleted": ("DELETE FROM decisions WHERE symbol = 'SYN0USDT' AND open_time = "
                           "(SELECT max(open_time) FROM decisions)", "table decisions has 23 rows"),
    "a position deleted": ("DELETE FROM positions WHERE open_time = "
                           "(SELECT max(open_time) FROM positions)", "the last positions"),
    "a bar deleted": ("DELETE FROM bars WHERE symbol = 'SYN0USDT' AND open_time = "
                      "(SELECT min(open_time) FROM bars)", "table bars has"),
    "the newest bar deleted": ("DELETE FROM bars WHERE open_time = (SELECT max(open_time) FROM bars)",
                               "table bars ends at"),
    "all bars deleted": ("DELETE FROM bars", "table bars is empty"),
    "an activation deleted": ("DELETE FROM models", "table models has 0 activations"),
    "the state deleted": ("DELETE FROM state", "table bars ends at"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_journal_is_not_gone_on_with(lived: Rehearsal, tmp_path: Path, what: str) -> None:
    statement, told = CHANGES[what]
    run = changed(lived, tmp_path, statement)
    before = (run.folder.journal).read_bytes()
    with pytest.raises(JournalError, match=told) as caught:
        run.run(1)
    assert caught.value.exit_code == 5
    assert "restore a copy" in str(caught.value).lower()
    assert run.folder.journal.read_bytes() == before


def test_what_was_not_changed_goes_on(lived: Rehearsal, tmp_path: Path) -> None:
    run = changed(lived, tmp_path)
    run.run(2)
    assert len(run.events("bar_closed")) == 10

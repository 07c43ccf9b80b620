"""bot status and bot runs: what they say is what the journal, the heartbeat and the lock say."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.console import Console

from bot.adapters.journal.forms import open_journal
from bot.adapters.journal.writer import Journal
from bot.adapters.system.run_lock import RunLock
from bot.app.runs import recent_coverage
from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.heartbeat import read_heartbeat
from bot.app.runs.listing import list_runs, runs_table
from bot.app.runs.results import read_run
from bot.app.runs.status import Status, read_status
from bot.app.runs.status_view import status_tables
from bot.app.start.practice import practice_config
from bot.config import to_toml
from bot.engine_state import state_from_arrays
from bot.errors import JournalError
from bot.report.formats import quantity
from bot.report.skill.calibration import calibration
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import Cli, Ran

BEAT: dict[str, Any] = {
    "pid": 7, "time_ms": 1_000_000, "exchange_ms": 0, "connection": "connected", "last_bar": 0,
    "lag_ms": 12.5, "next_training_ms": 1_675_209_600_000, "training": "idle", "version": "9.9",
}  # fmt: skip


@pytest.fixture
def copy(live_run: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(live_run.path, tmp_path / "runs" / "alpha")))


def text(status: Status, width: int = 110) -> str:
    console = Console(width=width, record=True, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    console.print(status_tables(status))
    console.file.close()
    return console.export_text()


def test_a_late_model_is_not_said_to_be_late_by_its_age(copy: RunFolder) -> None:
    status = read_status(copy)
    assert status.model is not None
    model = replace(status.model, effective_from=1_736_413_200_000, late=True, age_ms=32_400_000)
    said = text(replace(status, model=model))
    assert f"{model.model_id} since 2025-01-09 09:00 UTC, for 9 h, later than planned" in said


def test_when_a_training_was_due_is_told_as_a_date(tmp_path: Path) -> None:
    said = BEAT | {"training": "running, due 1735686000000"}
    (tmp_path / "status.json").write_text(json.dumps(said), encoding="utf-8")
    beat = read_heartbeat(tmp_path)
    assert beat is not None
    assert beat.training_for_people == "running, due 2024-12-31 23:00"


def wide(status: Status) -> str:
    return text(status, width=250)


def test_coverage_is_that_of_the_report(short: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a short run is new; of a longer one, what is older does not count."""
    found = read_status(short.folder)
    run = read_run(short.folder)
    rows = {task: head for task, head in calibration(run, 100, {}).items() if "coverage" in head}
    assert len(run.equity) - run.start_index <= recent_coverage.BARS
    expected = {task: head["coverage"]["value"] for task, head in rows.items()}
    assert len(expected) == 3
    assert found.coverage == pytest.approx(expected, abs=1e-12)
    (line,) = [line for line in wide(found).splitlines() if "90 % intervals held" in line]
    assert all(f"{task} {share:.1%}" in line for task, share in expected.items())
    assert json.loads(found.as_json())["coverage"] == found.coverage
    monkeypatch.setattr(recent_coverage, "BARS", 3)
    few = read_status(short.folder)
    assert few.coverage == {}
    assert "intervals held" not in wide(few)


def test_money_and_positions_are_those_of_the_journal(live_run: RunFolder) -> None:
    found = read_status(live_run)
    reader = open_journal(live_run.journal)
    times, ledger = reader.ledger()
    fills = reader.fills()
    arrays = reader.state()
    models = reader.models()
    reader.close()
    assert arrays is not None
    book = state_from_arrays(arrays).book
    assert (found.mode, found.interval, found.name) == ("live", "1h", "run")
    assert (found.bars, found.fills) == (len(times), len(fills))
    assert found.equity == ledger["equity"][-1]
    assert found.total_return == found.equity / 100_000.0 - 1.0
    assert found.drawdown == pytest.approx(1.0 - found.equity / max(1e5, ledger["equity"].max()))
    assert found.fees == pytest.approx(fills["fee"].sum())
    assert (found.last_bar, found.opened) == (times[-1] + HOUR_MS, True)
    assert [held.symbol for held in found.positions] == [
        f"SYN{s}USDT" for s in np.flatnonzero(book.quantity)
    ]
    for held in found.positions:
        assert held.value == held.quantity * held.mark
        assert held.weight == held.value / found.equity
    assert found.model is not None
    assert found.last_bar is not None
    assert found.model.model_id == models[-1].model_id
    assert found.model.age_ms == found.last_bar - models[-1].effective_from


def test_what_waits_is_shown_at_a_provisional_price(traded: Ran) -> None:
    found = read_status(traded.folder)
    reader = open_journal(traded.folder.journal)
    times, _ = reader.ledger()
    bars = reader.bars()
    decisions, refusals = reader.decisions(times[-1:])
    reader.close()
    ordered = np.flatnonzero(decisions["order_quantity"][0])
    pending = {order.symbol: order for order in found.pending}  # rests of earlier orders too
    assert pending.keys() >= {f"SYN{s}USDT" for s in ordered}
    for s in ordered:
        order = pending[f"SYN{s}USDT"]
        assert order.quantity == decisions["order_quantity"][0, s]
        assert order.provisional_price == bars.close[-1, s]
        assert order.decided_at == times[-1]
    assert len(found.refusals) == np.count_nonzero(refusals)
    assert "none: a backtest" in text(found)


def test_an_order_that_waits_is_in_the_table(live_run: RunFolder, tmp_path: Path) -> None:
    folder = RunFolder(Path(shutil.copytree(live_run.path, tmp_path / "run")))
    reader = open_journal(folder.journal)
    arrays = reader.state()
    reader.close()
    assert arrays is not None
    arrays["book.pending"] = np.array([0.0, 2.5, 0.0])
    arrays["book.pending_reason"] = np.array([0, 1, 0])
    journal = Journal.open(folder.journal, *symbols_and_tasks(folder))
    with journal.transaction():
        journal.write_state(1, arrays)
    journal.close()
    found = read_status(folder)
    (order,) = found.pending
    assert (order.symbol, order.quantity, order.reason) == ("SYN1USDT", 2.5, "signal")
    assert order.provisional_value == 2.5 * order.provisional_price
    shown = text(replace(found, halted="day", model=None, last_bar=None))
    for part in ("provisional price", "+2.5", "halted", "none yet"):
        assert part in shown


def symbols_and_tasks(folder: RunFolder) -> tuple[Any, Any]:
    reader = open_journal(folder.journal)
    found = reader.symbols, reader.tasks
    reader.close()
    return found


def test_a_heartbeat_and_a_held_lock_are_told(copy: RunFolder) -> None:
    before = read_status(copy)
    assert (before.pid, before.heartbeat, before.heartbeat_age_ms) == (None, None, None)
    assert "not running, no heartbeat yet" in text(before)
    assert before.last_bar is not None
    beat = BEAT | {"exchange_ms": before.last_bar + HOUR_MS + 5000}
    (copy.path / "status.json").write_text(json.dumps(beat))
    with RunLock(copy.path):
        found = read_status(copy, now_ms=1_061_000)
    assert found.pid == os.getpid()
    assert (found.behind_ms, found.heartbeat_age_ms) == (5000, 61_000)
    shown = text(found)
    for part in (
        f"running, pid {os.getpid()}, version 9.9, last heartbeat 1 min 1 s ago",
        "open, not closed, ended 5 s before the heartbeat", "12 ms", "idle; next 2023-02-01 00:00",
    ):  # fmt: skip
        assert part in shown
    dead = read_status(copy, now_ms=1_061_000)
    assert "not running, last alive 1970-01-01 00:16 UTC, 1 min 1 s ago" in text(dead)
    assert "connected" not in text(dead)
    assert "connected" not in dead.as_json()
    assert "connected" in found.as_json()
    early = beat | {"exchange_ms": before.last_bar + HOUR_MS - 60_000, "next_training_ms": None}
    (copy.path / "status.json").write_text(json.dumps(early))
    with RunLock(copy.path):
        shown = text(read_status(copy))
    assert "ends 1 min after the heartbeat" in shown
    assert "next never" in shown


REHEARSAL = {
    "stage": "training", "bar": 1_675_209_600_000, "number": 1_203, "of": 2_885, "models": 2,
    "models_planned": 5,
}  # fmt: skip


def test_a_rehearsal_and_one_that_was_broken_off_are_shown(copy: RunFolder) -> None:
    (copy.path / "status.json").write_text(json.dumps(BEAT | {"rehearsal": REHEARSAL}))
    with RunLock(copy.path):
        found = read_status(copy)
    assert json.loads(found.as_json())["heartbeat"]["rehearsal"] == REHEARSAL
    where = "training the model due 2023-02-01 00:00 UTC, bar 1,203 of 2,885; 2 of 5 models made"
    assert where in wide(found)
    dead = read_status(copy)
    assert f"broken off ({where}); the next start rehearses again" in wide(dead)
    assert json.loads(dead.as_json())["heartbeat"]["rehearsal"] is None


def test_whose_time_it_is(copy: RunFolder, traded: Ran) -> None:
    """Bars of a practice run are in the exchange's time, its process in ours."""
    (copy.path / "status.json").write_text(json.dumps(BEAT | {"exchange_ms": 1_675_209_660_000}))
    assert read_status(copy).clock == "exchange"
    copy.config.write_text(to_toml(practice_config(config_of(copy))), "utf-8")
    killed = read_status(copy, now_ms=1_061_000)
    assert (killed.clock, killed.clock_speed) == ("practice", 7200.0)
    assert "practice time, 7,200 s of it a second of ours" in wide(killed)
    assert "it was 2023-02-01 00:01 at the last heartbeat" in wide(killed)
    assert "last alive 1970-01-01 00:16 UTC, 1 min 1 s ago" in wide(killed)
    bybit = replace(killed, clock="exchange")
    assert "practice time" not in wide(bybit)
    assert read_status(traded.folder).clock == "history"
    assert "practice time" not in wide(read_status(traded.folder))


def test_the_numbers_that_decided_are_those_of_the_journal(traded: Ran) -> None:
    found = read_status(traded.folder)
    with open_journal(traded.folder.journal) as reader:
        times, _ = reader.ledger()
        columns, _ = reader.decisions(times[-1:])
    for s, decided in enumerate(found.decided.values()):
        for name in ("signal", "edge", "hurdle", "age"):
            number, stored = getattr(decided, name), float(columns[name][0, s])
            assert (number is None and np.isnan(stored)) or number == stored
        signal = columns["signal"][0, s]
        assert f"(signal {signal * 1e4:+.1f} bp)" in text(found) or not decided.why


@pytest.mark.parametrize("content", ["{", "[]", '{"pid": 1}', json.dumps(BEAT | {"rehearsal": {}})])
def test_a_damaged_heartbeat_is_refused_by_name(tmp_path: Path, content: str) -> None:
    assert read_heartbeat(tmp_path) is None
    (tmp_path / "status.json").write_text(content)
    with pytest.raises(JournalError, match=r"status\.json: is no heartbeat"):
        read_heartbeat(tmp_path)


def test_a_run_without_a_bar_has_its_capital(copy: RunFolder, tmp_path: Path) -> None:
    empty = RunFolder(tmp_path / "runs" / "empty")
    empty.path.mkdir()
    shutil.copy(copy.config, empty.config)
    symbols, tasks = symbols_and_tasks(copy)
    Journal.create(empty.journal, symbols, tasks, {"mode": "live"}, durable=False).close()
    found = read_status(empty)
    assert (found.last_bar, found.model, found.equity, found.bars) == (None, None, 100_000.0, 0)
    assert "none yet: nothing is decided" in text(found)
    (line,) = [line for line in list_runs(tmp_path / "runs") if line.name == "empty"]
    assert (line.bars, line.equity, line.ledger_sha256, line.fault) == (0, None, None, "")


def test_the_commands_print_tables_or_json(cli: Cli, copy: RunFolder, traded: Ran) -> None:
    runs = copy.path.parent
    shutil.copytree(traded.folder.path, runs / "beta")
    (runs / "broken").mkdir()
    (runs / "broken" / "journal.db").write_text("nothing")
    shutil.copy(copy.config, runs / "broken")
    (runs / "no run").mkdir()
    said = cli("runs", "--runs-dir", runs, "--json")
    assert said.code == 0
    alpha, beta, broken = said.json["runs"]
    assert (alpha["name"], alpha["mode"], alpha["alive"]) == ("alpha", "live", False)
    assert (beta["mode"], beta["bars"]) == ("backtest", traded.done.bars)
    assert beta["ledger_sha256"] == traded.done.ledger_sha256
    assert beta["total_return"] == pytest.approx(traded.done.equity / 1e5 - 1.0)
    assert beta["models"] == len(traded.models())
    assert cli("verify", runs / "alpha", "--json").json["ledger_sha256"] == alpha["ledger_sha256"]
    assert "broken" in broken["name"]
    assert "journal.db" in broken["fault"]
    shown = cli("runs", runs)
    assert shown.code == 0
    assert cli("runs", "--runs-dir", runs).out == shown.out
    two = cli("runs", runs, "--runs-dir", runs / "no run")
    assert (two.code, "name one folder" in two.err) == (2, True)
    assert traded.done.ledger_sha256[:12] in shown.out
    assert "no runs in" in cli("runs", "--runs-dir", runs / "no run").out
    assert "equity" in cli("status", copy.path).out
    assert cli("status", copy.path, "--json").json["alive"] is False
    assert cli("status", runs / "no run").code == 5


def test_status_answers_without_torch(copy: RunFolder) -> None:
    """Torch takes longer to import than all else that the command does."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from bot.cli.main import app\n"
        "app(['status', sys.argv[1], '--json'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(copy.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["alive"] is False


def test_a_backtest_that_died_is_hashed_from_its_rows(traded: Ran, tmp_path: Path) -> None:
    folder = RunFolder(Path(shutil.copytree(traded.folder.path, tmp_path / "runs" / "died")))
    db = sqlite3.connect(folder.journal)
    with db:
        db.execute("DELETE FROM meta WHERE key = 'ledger_sha256'")
    db.close()
    (line,) = list_runs(tmp_path / "runs")
    assert line.ledger_sha256 == traded.done.ledger_sha256
    console = Console(width=110)
    with console.capture() as shown:
        console.print(runs_table([line, replace(line, name="b", pid=77), replace(line, fault="x")]))
    assert [each.split()[0] for each in shown.get().split("\n")[3:5]] == ["died", "b"]
    assert "pid 77" in shown.get()
    assert "died: x" in shown.get()


def test_coins_stand_beside_the_cash_and_make_it_the_equity(inverse_run: Ran) -> None:
    status = read_status(inverse_run.folder)
    assert [each.symbol for each in status.coins] == ["SYN0USD", "SYN1USD", "SYN2USD"]
    assert status.inverse == ("SYN0USD", "SYN1USD", "SYN2USD")
    value = sum(each.value for each in status.coins)
    assert abs(value) > 1.0
    assert status.cash + value == pytest.approx(status.equity, rel=1e-12)
    said = wide(status)
    for each in status.coins:
        (line,) = [line for line in said.splitlines() if f"coins {each.symbol}" in line]
        assert f"{each.coin} {quantity(each.balance)}" in line
        assert f"{each.value:+,.2f}" in line
    told = json.loads(status.as_json())["coins"][0]
    assert told["value"] == status.coins[0].value
    for held in status.positions:
        assert held.margin is not None
        (coin,) = [each for each in status.coins if each.symbol == held.symbol]
        assert held.margin.made == pytest.approx(coin.made * coin.mark)


def test_a_run_without_inverse_contracts_tells_of_no_coins(short: Ran) -> None:
    status = read_status(short.folder)
    assert (status.coins, status.inverse) == ((), ())
    assert "coins" not in wide(status)
    for held in status.positions:
        assert held.margin is not None
        gained = held.quantity * (held.mark - held.margin.entry)
        assert held.margin.made == pytest.approx(gained)

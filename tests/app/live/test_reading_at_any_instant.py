"""Every reading command on a run as it lies at every instant: before, within and between its bars.

The folder is copied after each commit, with the journal's -wal beside it, as a kill would leave it.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from bot.adapters.journal.reader import JournalReader
from bot.adapters.journal.writer import Journal
from bot.app.runs.folder import RunFolder
from bot.app.runs.results import read_run
from bot.engine_state import state_from_arrays
from scripts.soaking.rehearsal import Rehearsal

if TYPE_CHECKING:
    from tests.conftest import Cli

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

Phase = str
BEGUN = ("bars open", "bars closed")
"""Phases in which a run has closed a bar, and so has something to report."""


def phase_of(copy: Path) -> Phase:
    """Name where a run stands by what its journal holds."""
    reader = JournalReader(copy / "journal.db")
    try:
        arrays = reader.state()
        if arrays is None:
            return "empty"
        state = state_from_arrays(arrays)
        fills = int((reader.fills()["open_time"] == state.last_open).sum())
        booked = len(reader.ledger()[0])
        if "start" not in reader.meta:
            return "warm-up only"
        if not booked:
            return "first bar open" if state.opened else "start noted"
        met = "with fills" if fills else "without fills"
        return f"bars {'open' if state.opened else 'closed'} {met}"
    finally:
        reader.close()


@pytest.fixture(scope="module")
def instants(tmp_path_factory: pytest.TempPathFactory) -> dict[Phase, Path]:
    """A run's folder as it was after some commit, by phase; the last of each."""
    folder = tmp_path_factory.mktemp("instants")
    rehearsal = Rehearsal.make(
        folder / "run",
        "report.bootstrap_samples=100",
        "sizing.rebalance_band=0.1",
        "training.weights={}",
        "training.return_loss=mse",
        "model.dropout=0.1",  # it trades soon
    )
    copies: list[Path] = []
    commit = Journal.transaction

    @contextmanager
    def copied(journal: Journal) -> Iterator[None]:
        with commit(journal):
            yield
        copies.append(folder / f"copy{len(copies)}")
        shutil.copytree(rehearsal.folder.path, copies[-1])

    create = Journal.create.__func__  # type: ignore[attr-defined]

    def created(cls: type[Journal], *args: Any, **options: Any) -> Journal:
        journal: Journal = create(cls, *args, **options)
        copies.append(folder / "created")
        shutil.copytree(rehearsal.folder.path, copies[-1])
        return journal

    with (
        patch.object(Journal, "transaction", copied),
        patch.object(Journal, "create", classmethod(created)),
    ):
        rehearsal.run(16)
    return {phase_of(copy): copy for copy in copies}


PHASES = (
    "empty", "warm-up only", "start noted", "first bar open", "bars open with fills",
    "bars open without fills", "bars closed with fills", "bars closed without fills",
)  # fmt: skip


def test_the_run_was_seen_in_every_phase(instants: dict[Phase, Path]) -> None:
    assert set(instants) == set(PHASES)


@pytest.mark.parametrize("phase", PHASES)
def test_every_reading_command_says_what_there_is(
    instants: dict[Phase, Path], cli: Cli, phase: Phase
) -> None:
    run = instants[phase]
    for command in ("status", "verify", "logs"):
        said = cli(command, run, "--json")
        assert (said.code, said.err) == (0, ""), command
    assert cli("runs", "--runs-dir", run.parent, "--json").code == 0
    state = cli("status", run, "--json").json
    assert state["opened"] == ("open" in phase)
    proof = cli("verify", run, "--json").json
    assert proof["identical"]
    for words in (["report", run, "--json"], ["export", run, "--symbol", "SYN0USDT"]):
        said = cli(*words)
        if phase.startswith(BEGUN):
            assert (said.code, said.err) == (0, ""), words
        else:
            assert said.code == 5, words
            assert "no bar has been closed since the run's start" in said.err


def test_the_fills_of_a_bar_that_is_open_are_not_reported_yet(
    instants: dict[Phase, Path], cli: Cli
) -> None:
    run = instants["bars open with fills"]
    reader = JournalReader(run / "journal.db")
    fills, (times, _) = reader.fills(), reader.ledger()
    reader.close()
    closed = int((fills["open_time"] <= times[-1]).sum())
    assert closed < len(fills)
    report = cli("report", run, "--json").json
    assert report["facts"]["run_dir"] == str(run)
    assert sum(row["fills"] for row in report["symbols"]) == closed
    assert cli("status", run, "--json").json["fills"] == len(fills)


def test_a_report_is_of_one_instant_though_the_daemon_writes_on(
    instants: dict[Phase, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Between two of the report's queries another bar is committed."""
    run = tmp_path / "run"
    shutil.copytree(instants["bars closed with fills"], run)
    times = JournalReader(run / "journal.db").ledger()[0]
    read: Callable[..., Any] = JournalReader.ledger

    def ledger_then_a_bar_more(reader: JournalReader, *between: int) -> Any:
        found = read(reader, *between)
        db = sqlite3.connect(run / "journal.db")
        db.execute(
            "INSERT OR IGNORE INTO positions VALUES (?, ?, ?)",
            (int(times[-1]) + 3_600_000, "SYN0USDT", 1.0),
        )
        db.commit()
        db.close()
        return found

    monkeypatch.setattr(JournalReader, "ledger", ledger_then_a_bar_more)
    data = read_run(RunFolder(run))
    assert data.open_time[-1] == times[-1]

"""A person's hand on a daemon in virtual time: each command holds once, from a recorded bar, and is proved."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.files import commands as files
from bot.adapters.files.commands import STOP_FILE, Asked
from bot.adapters.journal.forms import open_journal
from bot.adapters.record.commands import CommandRow
from bot.app.runs.status import read_status
from bot.app.verify.proof import verify
from bot.portfolio.reasons import FillReason, Refusal
from bot.timegrid import HOUR_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.rehearsal import PoolHere, Rehearsal, Script

SETTINGS = (
    "retrain.every_bars=12", "data.history_bars=60", "training.min_rows=50", "synthetic.missing=0",
)  # fmt: skip
Act = Callable[[Path], Any]


@pytest.fixture
def run(tmp_path: Path) -> Rehearsal:
    # what is ordered is filled whole at the next open, so that a command's effect is seen at once
    return Rehearsal.make(tmp_path / "run", *SETTINGS, "execution.max_participation=0")


def command(kind: str, at_ms: int = 1_700_000_000_000, **settings: Any) -> Act:
    """Return what asks for this; an underscore in a key stands for its dot, once."""
    values = {key.replace("__", "."): value for key, value in settings.items()}

    def act(folder: Path) -> Path:
        return files.ask(folder, Asked(files.new_id(at_ms), kind, values, "ann", at_ms))

    return act


def stop_file(folder: Path) -> None:
    (folder / STOP_FILE).touch()


def no_stop_file(folder: Path) -> None:
    (folder / STOP_FILE).unlink()


def script(run: Rehearsal, begin_ms: int, *acts: tuple[float, Act]) -> Script:
    """Do these things so many hours after the daemon's start, which is in the middle of a bar."""

    async def go(exchange: DirectExchange, stop: asyncio.Event) -> None:
        for hours, act in acts:
            await exchange.clock.sleep_until(begin_ms + round(hours * HOUR_MS))
            act(run.folder.path)

    return go


def live(run: Rehearsal, bars: int, *acts: tuple[float, Act], begin_ms: int | None = None) -> int:
    begin = run.begin_ms if begin_ms is None else begin_ms
    return run.run(
        bars, begin_ms=begin, script=script(run, begin, *acts), pool=PoolHere(seconds=0.0)
    )


class Read:
    """What the journal has of a run."""

    def __init__(self, run: Rehearsal) -> None:
        with open_journal(run.folder.journal) as record:
            self.commands: list[CommandRow] = record.commands()
            self.times, _ = record.ledger()
            self.quantity = record.positions(self.times)
            _, self.refusals = record.decisions(self.times)
            self.fills = record.fills()
        verdict = verify(run.folder)
        assert verdict.identical, verdict.difference
        self.notes = verdict.notes

    def closed(self, row: CommandRow) -> int:
        """Return the index of the bar from which a command holds."""
        return int(np.searchsorted(self.times, row.open_time))


def test_a_pause_holds_until_it_is_lifted(run: Rehearsal) -> None:
    live(run, 20, (6.2, command("pause")), (12.2, command("resume")))
    read = Read(run)
    pause, resume = read.commands
    assert (pause.kind, pause.inside, pause.refused, pause.asked_by) == ("pause", True, None, "ann")
    first, last = read.closed(pause), read.closed(resume)
    assert last - first == 6
    paused = np.abs(read.quantity[first : last + 1])
    assert (np.diff(paused, axis=0) <= 1e-12).all()
    assert (read.refusals[first:last] == Refusal.PAUSED).any()
    assert not (read.refusals[:first] == Refusal.PAUSED).any()
    assert not (read.refusals[last:] == Refusal.PAUSED).any()
    assert (np.abs(read.quantity[last + 1 :]) > 0.0).any()
    assert files.waiting(run.folder.path) == []
    assert any("by hand: 2 (pause, resume)" in note for note in read.notes)
    taken = run.events("command_taken")
    assert [(event["id"], event["bar"]) for event in taken] == [
        (row.id, row.open_time) for row in read.commands
    ]


def test_a_flattened_run_is_flat_after_the_next_open_until_it_is_resumed(run: Rehearsal) -> None:
    live(run, 16, (6.2, command("flatten")), (11.2, command("resume")))
    read = Read(run)
    flatten, resume = read.commands
    first, last = read.closed(flatten), read.closed(resume)
    assert np.count_nonzero(read.quantity[first]) >= 2
    assert (read.quantity[first + 1 : last + 1] == 0.0).all()
    assert (read.quantity[last + 1 :] != 0.0).any()
    closing = read.fills[read.fills["reason"] == FillReason.COMMAND]
    assert set(closing["open_time"]) == {int(read.times[first + 1])}
    assert len(closing) == np.count_nonzero(read.quantity[first])


def test_a_setting_changes_what_is_decided_and_not_the_file(run: Rehearsal) -> None:
    before = run.folder.config.read_bytes()
    end = live(run, 12, (6.2, command("set", signal__threshold=1.0)))
    read = Read(run)
    [row] = read.commands
    assert json.loads(row.settings) == {"signal.threshold": 1.0}
    at = read.closed(row)
    assert (read.quantity[at + 1 :] == 0.0).all()
    assert (read.quantity[:at] != 0.0).any()
    assert run.folder.config.read_bytes() == before
    status = read_status(run.folder)
    assert status.settings == {"signal.threshold": 1.0}
    assert [each.id for each in status.commands] == [row.id]
    live(run, 4, begin_ms=end)  # another process continues under what was set
    again = Read(run)
    assert len(again.times) == 16
    assert (again.quantity[at + 1 :] == 0.0).all()


def test_the_kill_switch_flattens_and_nothing_resumes_while_it_is_there(run: Rehearsal) -> None:
    acts = (
        (5.2, stop_file), (7.2, command("resume")), (9.2, no_stop_file), (11.2, command("resume")),
    )  # fmt: skip
    live(run, 16, *acts)
    read = Read(run)
    stopped, refused, resumed = read.commands
    assert (stopped.kind, stopped.asked_by, stopped.refused) == ("flatten", STOP_FILE, None)
    assert refused.kind == "resume"
    assert "STOP_TRADING is there; remove it" in str(refused.refused)
    first, last = read.closed(stopped), read.closed(resumed)
    assert (read.quantity[first + 1 : last + 1] == 0.0).all()
    assert (read.quantity[last + 1 :] != 0.0).any()
    [told] = run.events("command_refused")
    assert told["reason"] == refused.refused


def test_several_at_once_hold_in_the_order_in_which_they_were_asked(run: Rehearsal) -> None:
    at = 1_700_000_000_000
    live(
        run, 8, (4.2, command("resume", at + 2)), (4.2, command("pause", at + 1)),
        (4.2, command("set", at + 3, risk__max_gross=0.5)),
    )  # fmt: skip
    read = Read(run)
    assert [row.kind for row in read.commands] == ["pause", "resume", "set"]
    assert len({row.place for row in read.commands}) == 1
    assert read_status(run.folder).paused == "no"


def test_a_file_that_comes_back_is_not_obeyed_again(run: Rehearsal) -> None:
    content: list[tuple[Path, bytes]] = []

    def asked(folder: Path) -> None:
        path = command("pause")(folder)
        content.append((path, path.read_bytes()))

    def again(folder: Path) -> None:
        path, data = content[0]
        assert not path.exists()
        path.write_bytes(data)

    end = live(run, 9, (3.2, asked), (5.2, command("resume", 1_700_000_000_500)), (6.2, again))
    again(run.folder.path)
    live(run, 3, begin_ms=end)  # nor by another process
    read = Read(run)
    assert [row.kind for row in read.commands] == ["pause", "resume"]
    assert read_status(run.folder).paused == "no"
    assert files.waiting(run.folder.path) == []


def test_what_cannot_hold_is_recorded_with_the_reason_and_changes_nothing(run: Rehearsal) -> None:
    def damaged(folder: Path) -> None:
        command("pause", 1_700_000_000_900)(folder).write_text('{"kind": "pause"')

    at = 1_700_000_001_000
    acts = (
        (3.2, damaged),
        (3.2, command("set", at + 1, market__interval="4h")),
        (3.2, command("set", at + 2, risk__max_gross=-1.0)),
        (3.2, command("set", at + 3, **{"risk.\ud800": 1})),
        (3.2, command("set", at + 4)),
        (3.2, command("pause", at + 5, risk__max_gross=1.0)),
        (3.2, command("sell", at + 6)),
    )
    live(run, 6, *acts)
    read = Read(run)
    reasons = [str(row.refused) for row in read.commands]
    assert len(reasons) == len(acts)
    for reason, told in zip(
        reasons,
        ("no JSON", "cannot change", "expected a finite number", r"\ud800", "with the settings {}",
         "'pause' with the settings", "'sell' is none of pause"),
        strict=True,
    ):  # fmt: skip
        assert told in reason
    assert files.waiting(run.folder.path) == []
    calm = Rehearsal.make(run.folder.path.parent / "calm", *SETTINGS)
    live(calm, 6)
    with open_journal(run.folder.journal) as mine, open_journal(calm.folder.journal) as theirs:
        assert mine.rows("ledger") == theirs.rows("ledger")
        assert mine.rows("chain") != theirs.rows("chain")


def test_what_is_asked_before_the_run_trades_holds_from_its_first_bar(run: Rehearsal) -> None:
    command("flatten")(run.folder.path)
    live(run, 5)
    read = Read(run)
    [row] = read.commands
    assert (row.open_time, row.inside) == (int(read.times[0]), False)
    assert (read.quantity == 0.0).all()


def test_what_is_asked_of_a_stopped_run_holds_after_it_has_caught_up(run: Rehearsal) -> None:
    end = live(run, 8)
    command("flatten")(run.folder.path)
    live(run, 6, begin_ms=end + 5 * HOUR_MS)
    read = Read(run)
    [row] = read.commands
    with open_journal(run.folder.journal) as record:
        bars = record.bars()
    late = bars.open_time[~bars.tradable]
    assert len(late) >= 4
    assert row.open_time > late.max()
    at = read.closed(row)
    assert np.count_nonzero(read.quantity[at - 1]) >= 1
    assert (read.quantity[at + 1 :] == 0.0).all()


def test_a_pause_in_an_outage_holds_before_and_after_it(run: Rehearsal) -> None:
    end = live(run, 8, (6.2, command("pause")))
    live(run, 5, begin_ms=end + 7 * HOUR_MS)
    read = Read(run)
    held = np.abs(read.quantity[read.closed(read.commands[0]) :])
    assert (np.diff(held, axis=0) <= 1e-12).all()


def test_trainings_are_due_by_what_was_set_from_then_on(run: Rehearsal) -> None:
    """Also for a process that begins later, and for the proof, which knows when each was due."""
    end = live(run, 8, (6.2, command("set", retrain__every_bars=3)))
    live(run, 10, begin_ms=end)
    read = Read(run)
    at = int(read.commands[0].open_time)
    with open_journal(run.folder.journal) as record:
        dues = [row.due for row in record.models()]
    later = [due for due in dues if due is not None and due >= at]
    assert len(later) >= 3
    assert set(np.diff(later)) == {3 * HOUR_MS}
    assert len(dues) - len(later) <= 2

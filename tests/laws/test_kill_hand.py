"""Killed −9 around a person's commands: each holds once, where it was asked, and nothing else changes.

A daemon dies before it writes a command down, before the transaction is committed, and between the
commit and the removal of the command's file; the next one goes on. Ledger, carried state and the
commands' rows are those of a daemon that nobody killed.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.files import commands as files
from bot.adapters.files.commands import Asked
from bot.adapters.journal.forms import open_journal
from bot.portfolio.reasons import FillReason
from bot.timegrid import HOUR_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.killing import Point
from scripts.soaking.rehearsal import Rehearsal, Script
from tests.laws.killed import SETTINGS, carried, outlived, warm_up

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

ASKED: list[tuple[float, str, dict[str, Any]]] = [
    (5.2, "pause", {}), (8.2, "resume", {}), (11.2, "flatten", {}),
    (11.25, "set", {"risk.max_gross": 0.4, "retrain.every_bars": 5}), (14.2, "resume", {}),
]  # fmt: skip
"""Hours after the first start, which is in the middle of a bar."""

PLAN: list[tuple[Point, int]] = [
    ("before commands", 1), ("after commands", 1), ("after COMMIT", 2),  # pause
    ("before commands", 1), ("before state", 1), ("after COMMIT", 2),  # resume
    ("after commands", 1), ("after COMMIT", 2), ("before commands", 1), ("after COMMIT", 2),
    ("after BEGIN", 2), ("after commands", 1), ("after COMMIT", 3),
]  # fmt: skip
"""The first COMMIT of a life is its start's, the second is that of what waits for it."""


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    warm_up(tmp_path_factory.mktemp("warm") / "run")


def made(folder: Path) -> Rehearsal:
    settings = ("execution.price=open", "costs.funding=false")
    return Rehearsal.make(folder, *SETTINGS, *settings)


def asking(run: Rehearsal) -> Script:
    """Ask for each once, when its time has come, whoever lives then."""
    wanted = []
    for hours, kind, settings in ASKED:
        at_ms = run.begin_ms + round(hours * HOUR_MS)
        name = f"{files.new_id(at_ms).rpartition('-')[0]}-00000000"
        wanted.append(Asked(name, kind, settings, "ann", at_ms))

    async def go(exchange: DirectExchange, stop: asyncio.Event) -> None:
        folder = run.folder
        for each in wanted:
            await exchange.clock.sleep_until(each.asked_ms)
            with closing(open_journal(folder.journal)) as record:
                known = {row.id for row in record.commands()}
            if each.id not in known | set(files.waiting(folder.path)):
                files.ask(folder.path, each)

    return go


def test_killed_around_each_command_nothing_is_lost_or_obeyed_twice(tmp_path: Path) -> None:
    run, killed, calm, _ = outlived(made, tmp_path, PLAN, 6, asking)
    assert killed.late == 0
    with open_journal(run.folder.journal) as mine, open_journal(calm.folder.journal) as theirs:
        assert mine.commands() == theirs.commands()
        assert [row.kind for row in mine.commands()] == [kind for _, kind, _ in ASKED]
        assert mine.models() == theirs.models()
    states = [carried(each.folder.journal) for each in (run, calm)]
    for name in states[0]:
        np.testing.assert_array_equal(states[0][name], states[1][name], err_msg=name)
    assert files.waiting(run.folder.path) == []
    assert (killed.fills["reason"] == FillReason.COMMAND).any()

"""Killed −9 while a symbol joins: it has joined or has not, once, and nothing else changes.

A daemon dies before and behind each write of the transaction by which a symbol joins, and between the
commit and the removal of the command's file; the next one goes on. Ledger and carried state are those
of a daemon that nobody killed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.adapters.files import commands as files
from bot.adapters.journal.forms import open_journal
from scripts.soaking.killing import Point
from scripts.soaking.rehearsal import Rehearsal, Script
from tests.app.live.test_joining import ALL, asked, asking, made
from tests.laws.killed import carried, outlived, warm_up

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

PLAN: list[tuple[Point, int]] = [
    ("before commands", 1), ("after commands", 1), ("after commands", 2), ("before bars", 1), ("after bars", 1),
    ("before state", 1), ("after state", 1), ("before COMMIT", 2), ("after COMMIT", 2),
]  # fmt: skip
"""The first COMMIT of a life is its start's, the second that of the joining, until it has joined."""


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    warm_up(tmp_path_factory.mktemp("warm") / "run")


def of_two(folder: Path) -> Rehearsal:
    return made(folder, "execution.price=open", "costs.funding=false")


def joining(run: Rehearsal) -> Script:
    return asking(run, asked(run, ALL, 5.2))


def test_killed_at_each_write_of_a_joining_it_has_joined_once(tmp_path: Path) -> None:
    run, killed, calm, _ = outlived(of_two, tmp_path, PLAN, 12, joining)
    assert killed.late == 0
    with open_journal(run.folder.journal) as mine, open_journal(calm.folder.journal) as theirs:
        assert mine.joins == theirs.joins
        assert [row.kind for row in mine.commands()] == ["instruments", "set"]
        assert mine.commands()[1] == theirs.commands()[1]
    states = [carried(each.folder.journal) for each in (run, calm)]
    for name in states[0]:
        np.testing.assert_array_equal(states[0][name], states[1][name], err_msg=name)
    assert files.waiting(run.folder.path) == []
    assert (killed.fills["symbol"] == 2).any()

"""A search that is killed anywhere goes on with nothing lost: it tries, tells and enters what it would have.

Children are forked and die by SIGKILL at a write: of the storage, of a file, of the register.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from optuna.storages import RDBStorage

from bot.adapters.files import trials as register
from bot.adapters.files.trials import read as read_trials
from bot.app.search.trial import RESULT, keep, kept
from bot.errors import DataError
from scripts.soaking.killing import die, fork, was_killed
from tests.app.search.conftest import SPACE, told

if TYPE_CHECKING:
    from tests.app.search.conftest import Search

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

WRITES = ("create_new_trial", "set_trial_param", "set_trial_user_attr", "set_trial_system_attr",
          "set_trial_state_values", "set_trial_intermediate_value", "set_study_user_attr", "create_new_study")  # fmt: skip

TRAINED = """
[search]
trials = 7
folds = 2
months = 1
seeds = 1
at_once = 2
contender = "linear"
[space]
signal.threshold = {low = 0.0, high = 0.002}
training.window_bars = {low = 600, high = 900, step = 50}
[[start]]
training.window_bars = 900
"""


@contextmanager
def killed_at(write: int) -> Iterator[None]:
    """Die before the n-th write of this process, or after it where n is odd."""
    count = 0

    def around(write_it: Any) -> Any:
        def counted(*given: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == write and write % 2 == 0:
                die()
            found = write_it(*given, **named)
            if count == write:
                die()
            return found

        return counted

    with pytest.MonkeyPatch.context() as patch:
        for name in WRITES:
            patch.setattr(RDBStorage, name, around(getattr(RDBStorage, name)))
        patch.setattr(os, "replace", around(os.replace))
        patch.setattr(os, "fsync", around(os.fsync))  # of the register
        yield


def in_child(search: Search, text: str, at: int) -> None:
    with killed_at(at):
        search(text, out="killed/study")


def entered(folder: Path) -> list[tuple[Any, ...]]:
    entries, notes = read_trials(folder.parent.parent / register.NAME)
    assert notes == ()
    return sorted((e.key, e.where, e.settings, e.outcomes, e.start_ms, e.end_ms) for e in entries)


def plain(done: Any, out: str) -> str:
    return json.dumps(told(done)).replace(f"/{out}/", "/")


@pytest.mark.parametrize(("text", "first"), [(SPACE, 1), (TRAINED, 2)])
def test_a_killed_search_is_the_one_that_was_not(
    search: Search, units_ran: list[str], text: str, first: int
) -> None:
    whole = search(text, out="whole/study")
    kills, at = 0, first
    while True:
        child = fork(partial(in_child, search, text, at))
        if not was_killed(child):
            break
        kills += 1
        at += 2 if at < 15 else -11  # before and after, early and late in a life
        assert kills < 120
    assert kills >= 6
    done = search(text, out="killed/study")
    assert plain(done, "killed") == plain(whole, "whole")
    assert entered(done.folder) == entered(whole.folder)
    for row in done.table.rows:
        ours, theirs = (kept(each.folder / "trials" / row.name) for each in (done, whole))
        np.testing.assert_array_equal(ours[0].returns, theirs[0].returns)
        assert ours[1] == theirs[1]


def test_what_was_trained_before_a_kill_is_not_trained_again(
    search: Search, units_ran: list[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.app.search.running.keep", interrupt)
        interrupted = search(TRAINED)
    assert interrupted.interrupted
    assert interrupted.table.rows == ()
    assert len(units_ran) == 4, "two trials at once, a training a fold"
    search(TRAINED, trials=2)
    assert len(units_ran) == 4


def interrupt(*given: Any) -> None:
    raise KeyboardInterrupt


def test_an_interrupted_search_tells_what_it_has(search: Search, units_ran: list[str]) -> None:
    calls = [0]

    def third(*given: Any) -> None:
        calls[0] += 1
        if calls[0] == 4:
            raise KeyboardInterrupt
        keep(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.app.search.running.keep", third)
        done = search(SPACE)
    assert done.interrupted
    assert len(told(done)["settings"]) == 3
    assert len(search(SPACE).table.rows) == 9


def test_a_result_that_is_gone_is_made_anew_and_a_damaged_one_is_told(
    search: Search, units_ran: list[str]
) -> None:
    whole = search(SPACE)
    before = plain(whole, "")
    for name in ("000", "003"):
        (whole.folder / "trials" / name / RESULT).unlink()
    assert plain(search(SPACE), "") == before
    (whole.folder / "trials" / "003" / RESULT).write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"003/result\.npz: cannot be read"):
        search(SPACE)

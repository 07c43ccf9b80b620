"""What of all that was asked of a run is in force: settings one over the other, pauses until they are lifted."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bot.adapters.record.commands import CommandRow
from bot.app.runs.in_force import (
    changed_by_hand,
    command_json,
    config_in_force,
    due_bars,
    in_force,
    told,
)
from bot.config import flatten, load_config
from bot.errors import JournalError
from bot.timegrid import HOUR_MS

BAR_MS = 1_700_002_800_000


def row(k: int, kind: str, refused: str | None = None, **settings: Any) -> CommandRow:
    values = {key.replace("__", "."): value for key, value in settings.items()}
    at = BAR_MS + k * HOUR_MS
    return CommandRow(
        f"c{k}", kind, json.dumps(values), "ann", k, at, inside=False, refused=refused
    )


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        ("pause", "c0"),
        ("pause resume", ""),
        ("pause pause", "c0"),
        ("pause flatten", "c1"),
        ("flatten pause", "c0"),
        ("flatten flatten", "c0"),
        ("pause flatten resume pause", "c3"),
        ("resume", ""),
    ],
)
def test_a_pause_is_in_force_until_it_is_lifted(kinds: str, left: str) -> None:
    rows = [row(k, kind) for k, kind in enumerate(kinds.split())]
    assert [each.id for each in in_force(rows)] == left.split()


def test_the_newest_of_each_setting_is_in_force_whatever_pauses() -> None:
    rows = [
        row(0, "set", risk__max_gross=1.0), row(1, "pause"),
        row(2, "set", risk__max_gross=0.5, policy__hold_bars=3), row(3, "set", risk__max_gross=0.7),
        row(4, "set", "out of bounds", risk__max_gross=-1.0),
    ]  # fmt: skip
    assert [each.id for each in in_force(rows)] == ["c2", "c3", "c1", "c4"]
    assert [each.id for each in in_force([*rows, row(5, "resume")])] == ["c2", "c3"]
    assert changed_by_hand(rows) == {"risk.max_gross": 0.7, "policy.hold_bars": 3}
    config = load_config(None, [], environ={})
    assert flatten(config_in_force(config, rows)) == flatten(config) | changed_by_hand(rows)


def test_trainings_are_due_by_each_setting_from_its_bar_on() -> None:
    config = load_config(None, ["retrain.trigger=never"], environ={})
    rows = [
        row(5, "set", retrain__trigger="every_bars", retrain__every_bars=2),
        row(9, "set", retrain__trigger="never"),
    ]
    times = [BAR_MS + k * HOUR_MS for k in range(14)]
    found = np.flatnonzero(due_bars(config, rows).due(np.array(times)))
    assert set(found) <= {5, 6, 7, 8}
    assert len(found) == 2


def test_a_command_is_told_in_a_few_words() -> None:
    assert told(row(0, "pause")) == "pause, from the open of 2023-11-14 23:00 UTC"
    said = told(row(0, "set", retrain__cron="0 0 * * sun", risk__max_gross=1.0))
    assert said.startswith('retrain.cron = "0 0 * * sun", risk.max_gross = 1.0, from the open')
    assert command_json(row(0, "set", risk__max_gross=1.0))["settings"] == {"risk.max_gross": 1.0}


def test_a_setting_that_this_version_cannot_take_is_refused_by_its_command() -> None:
    config = load_config(None, [], environ={})
    unfit: list[dict[str, Any]] = [{"risk__max_gross": -1.0}, {"risk__of_tomorrow": 1.0}]
    for values in unfit:
        with pytest.raises(JournalError, match=r"command c0 of the run: .*risk"):
            config_in_force(config, [row(0, "set", **values)])

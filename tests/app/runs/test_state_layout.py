"""What is carried from bar to bar has a version: a change of it without one fails here.

A new layout: raise `engine_state.STATE_LAYOUT`, write the step in `bot/app/runs/carried_state.py`, and run this
file with BOT_WRITE_LAYOUT=1, which writes tests/fixtures/state_layout.json anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.record.contents import Carried
from bot.app.runs import carried_state as module
from bot.app.runs.carried_state import account_state, carried_state
from bot.config import load_config
from bot.engine_state import STATE_LAYOUT, Activation, EngineState, state_to_arrays
from bot.errors import JournalError
from bot.features.pipeline import FeaturePipeline
from bot.portfolio.book import new_book
from bot.portfolio.calibration import new_calibration
from bot.timegrid import HOUR_MS

KEPT = Path(__file__).parents[2] / "fixtures" / "state_layout.json"
JOURNAL = Path("runs/old/journal.db")


@pytest.fixture
def initial() -> EngineState:
    config = load_config(None, ["features.names=core"], environ={})
    pipeline = FeaturePipeline(config.features, ("A", "B"), HOUR_MS, lookback=3)
    return EngineState(pipeline.initial(), new_book(2, 1000.0), new_calibration(2, 5))


def test_a_change_of_the_state_raises_its_layout(initial: EngineState) -> None:
    found = {
        "layout": STATE_LAYOUT,
        "arrays": {
            name: [str(array.dtype.descr), list(array.shape)]
            for name, array in state_to_arrays(initial).items()
        },
    }
    if os.environ.get("BOT_WRITE_LAYOUT"):
        KEPT.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    kept = json.loads(KEPT.read_text("utf-8"))
    assert found == kept, (
        "raise engine_state.STATE_LAYOUT and write the step from the layout before"
    )


def test_every_older_layout_has_a_step() -> None:
    assert sorted(module.STEPS) == list(range(1, STATE_LAYOUT))


def test_a_state_of_this_layout_is_taken_as_it_is(initial: EngineState) -> None:
    state = EngineState(
        initial.features, initial.book, initial.calibration, (Activation(5, "m"),), 7, opened=True,
        open_refusal=np.zeros(2, dtype=np.int8),
    )  # fmt: skip
    arrays = dict(state_to_arrays(state))
    again = carried_state(Carried(arrays, STATE_LAYOUT), JOURNAL, initial)
    assert (again.schedule, again.last_open, again.opened) == (state.schedule, 7, True)
    assert account_state(Carried(arrays, STATE_LAYOUT), JOURNAL, 2).last_open == 7


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda a: a.pop("book.account"), "the state has no book.account"),
        (lambda a: a.pop("engine.clock"), "the state has no engine.clock"),
        (lambda a: a.update(more=np.zeros(1)), "the state has more, which this version"),
        (
            lambda a: a.update({"book.mark": np.zeros(3)}),
            r"book\.mark is float64\[3\].*float64\[2\]",
        ),
        (lambda a: a.update({"engine.clock": np.zeros(2)}), r"engine\.clock is float64\[2\]"),
        (lambda a: a.pop("features.seen"), "the state has no features.seen"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(
    initial: EngineState, change: Any, told: str
) -> None:
    """Never a KeyError at the resume."""
    arrays: dict[str, Any] = dict(state_to_arrays(initial))
    change(arrays)
    with pytest.raises(JournalError, match=f"{told}.*version that wrote it, or begin a new run"):
        carried_state(Carried(arrays, STATE_LAYOUT), JOURNAL, initial)


def test_a_newer_layout_is_refused(initial: EngineState) -> None:
    arrays = dict(state_to_arrays(initial))
    with pytest.raises(JournalError, match=f"of layout 9, this version's is {STATE_LAYOUT}"):
        carried_state(Carried(arrays, 9), JOURNAL, initial)


def test_an_older_layout_is_brought_on_step_by_step(
    initial: EngineState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if this version had added `book.mark`, and the one before renamed the clock."""

    def renamed(arrays: dict[str, Any]) -> dict[str, Any]:
        return {"engine.clock" if k == "engine.time" else k: v for k, v in arrays.items()}

    def added(arrays: dict[str, Any]) -> dict[str, Any]:
        return arrays | {"book.mark": np.full(2, np.nan)}

    monkeypatch.setattr(module, "STATE_LAYOUT", 3)
    monkeypatch.setattr(module, "STEPS", {1: renamed, 2: added})
    arrays: dict[str, Any] = dict(state_to_arrays(initial))
    arrays["engine.time"] = arrays.pop("engine.clock")
    del arrays["book.mark"]
    assert carried_state(Carried(arrays, 1), JOURNAL, initial).newest is None

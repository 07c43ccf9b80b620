"""Searches over a small synthetic market."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.app.executors.choice import EngineChoice
from bot.app.search.command import SearchDone, SearchPlan, search_command
from bot.app.search.space import BaseSettings

SPACE = """
[search]
trials = 9
folds = 2
months = 1
seeds = 1
objectives = ["net_return", "turnover"]
[space]
signal.threshold = {low = 0.0, high = 0.004}
policy.kind = {choices = ["threshold", "hysteresis"]}
"""
"""Of the account only: all trials share the trainings of the defaults."""

Search = Callable[..., SearchDone]


@pytest.fixture
def search(tmp_path: Path, study_sets: list[str]) -> Search:
    """Return how a search is begun, or gone on with, in a folder of its own."""

    def begin(
        text: str = SPACE, *sets: str, out: str = "study", trials: int | None = None, minutes: float | None = None,
    ) -> SearchDone:  # fmt: skip
        path = tmp_path / "small.toml"
        path.write_text(text, encoding="utf-8")
        settings = BaseSettings(None, (*study_sets, *sets))
        plan = SearchPlan(trials, minutes, EngineChoice(workers=1))
        folder = tmp_path / "runs" / out
        return search_command(path, settings, folder, plan, lambda done, of: None)

    return begin


def told(done: SearchDone) -> dict[str, Any]:
    """Return what a search says of itself, without where it lies."""
    found: dict[str, Any] = json.loads((done.folder / "search.json").read_text("utf-8"))
    return found

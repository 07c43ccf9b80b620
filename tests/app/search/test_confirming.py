"""One look that confirms what a search has chosen: on unseen bars, with its settings, once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.adapters.files.trials import NAME as REGISTER
from bot.adapters.files.trials import read as read_trials
from bot.app.executors.choice import EngineChoice
from bot.app.search.confirming import confirm_command
from bot.app.search.space import BaseSettings
from bot.app.study.compare import ComparisonDone
from bot.errors import ConfigError
from bot.report.study.endpoints import NET_RETURN, PRIMARY
from tests.app.search.conftest import SPACE

if TYPE_CHECKING:
    from tests.app.search.conftest import Search

ONE = SPACE.replace('["net_return", "turnover"]', '["net_return"]')
UNSEEN = ("synthetic.seed=9",)


@pytest.fixture
def look(tmp_path: Path, study_sets: list[str]) -> Any:
    def at(*unseen: str, sets: tuple[str, ...] = ()) -> ComparisonDone:
        return confirm_command(
            tmp_path / "small.toml", BaseSettings(None, (*study_sets, *sets)), unseen, tmp_path / "runs" / "study",
            EngineChoice(workers=1), lambda done, of: None,
        )  # fmt: skip

    return at


def test_the_chosen_one_is_looked_at_once(
    tmp_path: Path, search: Search, look: Any, units_ran: list[str]
) -> None:
    done = search(ONE)
    assert done.table.chosen not in (None, "000")
    units_ran.clear()
    confirmed = look(*UNSEEN)
    assert confirmed.folder.name == "small-confirm"
    assert confirmed.comparison.names == (done.table.chosen, "000")
    assert confirmed.comparison.primary == (NET_RETURN,)
    assert len(units_ran) == 2, "they share their trainings"
    entries, _ = read_trials(tmp_path / "runs" / REGISTER)
    (entry,) = (each for each in entries if each.kind == "confirm")
    chosen, defaults = entry.outcomes
    row = done.table.row(chosen.name)
    assert {key: entry.settings[key] for key in row.settings} == dict(row.settings)
    assert set(defaults.settings) == set(row.settings), "they differ in what was chosen only"
    with pytest.raises(ConfigError, match="have seen these symbols in this span"):
        look(*UNSEEN)


def test_bars_of_the_search_confirm_nothing(
    search: Search, look: Any, units_ran: list[str]
) -> None:  # fmt: skip
    search(ONE)
    with pytest.raises(ConfigError, match="trials have seen these symbols in this span"):
        look()


def test_other_settings_confirm_nothing(search: Search, look: Any, units_ran: list[str]) -> None:
    search(ONE)
    with pytest.raises(ConfigError, match=r"other base settings: risk\.max_gross was"):
        look(*UNSEEN, sets=("risk.max_gross=1.25",))


def test_where_nothing_was_chosen_there_is_nothing_to_confirm(
    search: Search, look: Any, units_ran: list[str], tmp_path: Path
) -> None:
    (tmp_path / "small.toml").write_text(ONE, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"there is no search in .*small; run it first"):
        look(*UNSEEN)
    search(ONE, trials=1)
    with pytest.raises(ConfigError, match="has chosen the defaults: there is nothing to confirm"):
        look(*UNSEEN)


def test_a_search_for_skill_is_confirmed_by_the_heads(
    search: Search, look: Any, units_ran: list[str]
) -> None:
    text = """
[search]
trials = 6
folds = 2
months = 1
seeds = 1
contender = "linear"
objectives = ["volatility_skill"]
[space]
training.window_bars = {low = 500, high = 1500, step = 100}
"""
    done = search(text)
    if (
        done.table.chosen == "000"
    ):  # the defaults may be the best: then it is not this that is tested
        pytest.fail("choose another space for this test")
    confirmed = look(*UNSEEN)
    assert confirmed.comparison.primary == PRIMARY
    assert done.table.sampler == "tpe"


def test_nothing_else_can_be_asked_of_a_look(cli: Any) -> None:
    for more in (["--data", "d"], ["--trials", "3"], ["--minutes", "1"]):
        said = cli("search", "space.toml", "--confirm", "unseen", *more)
        assert said.code == 2
        assert "search --confirm: the data are those of --confirm" in said.err

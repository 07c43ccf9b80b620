"""A search over how often models are trained: what it trains, tells and refuses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.app.executors.choice import EngineChoice
from bot.app.search.confirming import confirm_command
from bot.app.search.space import BaseSettings
from bot.app.study.compare import StudyPlan, compare_command
from bot.app.study.contenders import from_files
from bot.config import load_config
from bot.errors import ConfigError
from tests.app.search.conftest import told

if TYPE_CHECKING:
    from tests.app.search.conftest import Search
    from tests.conftest import RunIt

OFTEN = """
[search]
trials = 4
folds = 2
months = 1
seeds = 1
prune = false
retrain_inside = true
[space]
retrain.trigger = {choices = ["cron", "every_bars"]}
retrain.every_bars = {low = 200, high = 700, step = 100}
[[start]]
retrain.trigger = "every_bars"
retrain.every_bars = 200
[[start]]
retrain.trigger = "every_bars"
retrain.every_bars = 300
"""
BASE = ("retrain.every_bars=700", "signal.threshold=0.0")


def test_how_often_is_tried_told_and_can_be_made_again(
    tmp_path: Path, search: Search, units_ran: list[str], run_it: RunIt
) -> None:
    done = search(OFTEN, *BASE)
    rows = done.table.rows
    assert {row.state for row in rows} == {"finished"}
    assert rows[1].settings == {"retrain.trigger": "every_bars", "retrain.every_bars": 200}
    assert len({row.net_return for row in rows[:3]}) == 3
    of_defaults = [label for label in units_ran if label.startswith("000")]
    assert of_defaults == ["000, fold 1, seed 1", "000, fold 2, seed 1"]
    assert not [label for label in units_ran if not label.startswith("000") and "training" not in label]  # fmt: skip

    chosen = told(done)["chosen"]
    config = done.folder / "trials" / chosen["name"] / "config.toml"
    own = load_config(config, environ={}).retrain
    said = "by cron '0 0 1 * *'" if own.trigger == "cron" else f"every {own.every_bars} bars"
    assert chosen["cadence"] == said
    assert f"Its models are trained {said}, and before each fold." in (done.folder / "search.md").read_text("utf-8")  # fmt: skip

    units_ran.clear()
    files = [str(done.folder / "trials" / name / "config.toml") for name in ("000", "001", "002")]
    plan = StudyPlan(2, 1, 1, EngineChoice(workers=1), inside=True)
    compared = compare_command(
        from_files(files, []), "again", tmp_path / "runs" / "study", plan, lambda done, of: None
    )
    assert not units_ran, "a comparison in the same folder shares the trainings"
    facts = compared.comparison.facts
    assert [facts[row.name]["net return"] for row in rows[:3]] == [row.net_return for row in rows[:3]]  # fmt: skip

    ran = run_it(quick=[], path=config)
    assert len(ran.models()) > 2


def test_the_skill_of_a_cadence_does_not_depend_on_the_trials_before_it(
    search: Search, units_ran: list[str]
) -> None:
    text = OFTEN.replace("[space]", 'objectives = ["skill"]\n[space]')
    whole = search(text, *BASE).table.rows
    assert len({row.values for row in whole[:3]}) == 3
    alone = search(text.replace("every_bars = 200", "every_bars = 300", 1), *BASE, out="other")
    assert alone.table.rows[1].values == whole[2].values


@pytest.mark.parametrize(
    ("old", "new", "sets", "said"),
    [
        ("low = 200, high = 700, step = 100", "low = 1, high = 700", (), r"retrain of \[space\]: every 1 bar: that is \d+ trainings inside fold 1"),
        ("", "", ("retrain.trigger=never",), "retrain of base: never: a fold would have"),
        ("", "", ("retrain.cron=0 0 30 2 *",), "retrain of base: by cron '0 0 30 2 .*': no training is ever due"),
    ],
)  # fmt: skip
def test_a_space_that_trains_too_often_or_never_is_refused_before_anything_is_tried(
    tmp_path: Path, search: Search, units_ran: list[str], old: str, new: str, sets: tuple[str, ...],
    said: str,
) -> None:  # fmt: skip
    text = OFTEN.replace(old, new) if old else OFTEN
    with pytest.raises(ConfigError, match=said):
        search(text, *BASE, *sets)
    assert not units_ran
    assert not (tmp_path / "runs" / "study" / "small" / "search.db").exists()


def test_every_cron_line_of_a_space_is_looked_at(search: Search, units_ran: list[str]) -> None:
    text = OFTEN.partition("[space]")[0] + '[space]\nretrain.cron = {choices = ["0 0 1 * *", "30 * * * *"]}\n'  # fmt: skip
    with pytest.raises(
        ConfigError, match=r"by cron '30 \* \* \* \*': that is \d+ trainings inside"
    ):
        search(text, *BASE)


def test_trainings_inside_folds_have_their_seeds_too(search: Search, units_ran: list[str]) -> None:
    rows = search(OFTEN.replace("seeds = 1", "seeds = 2"), *BASE, trials=2).table.rows
    assert {row.state for row in rows} == {"finished"}
    inside = [label.rpartition(", ")[2] for label in units_ran if "training" in label]
    assert inside.count("seed 1") == inside.count("seed 2") > 2


def test_what_is_confirmed_is_trained_inside_folds_too(
    tmp_path: Path, search: Search, units_ran: list[str], study_sets: list[str]
) -> None:
    done = search(OFTEN, *BASE)
    assert done.table.chosen not in (None, "000")
    units_ran.clear()
    confirmed = confirm_command(
        tmp_path / "small.toml", BaseSettings(None, (*study_sets, *BASE)), ("synthetic.seed=9",),
        tmp_path / "runs" / "study", EngineChoice(workers=1), lambda done, of: None,
    )  # fmt: skip
    inside = [
        label for label in units_ran if label.startswith(f"{done.table.chosen}, fold 1, training")
    ]
    assert inside
    assert f"({done.table.chosen} {done.table.cadence}, " in confirmed.setting

"""The one look that confirms: only at bars that no trial saw, and only with what was frozen before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.adapters.files.trials import NAME as REGISTER
from bot.adapters.files.trials import Trial
from bot.adapters.files.trials import enter as enter_trial
from bot.adapters.files.trials import read as read_trials
from bot.app.study.compare import ComparisonDone, StudyPlan, compare_command
from bot.app.study.contenders import Contender
from bot.cli.main import app
from bot.config import load_config
from bot.errors import ConfigError


@pytest.fixture
def pair(study_sets: list[str]) -> list[Contender]:
    longer = load_config(None, [*study_sets, "training.window_bars=1000"])
    return [
        Contender("default", "network", load_config(None, study_sets)),
        Contender("longer", "network", longer),
    ]


def looked(folder: Path, chosen: list[Contender], *, confirm: bool) -> ComparisonDone:
    return compare_command(
        chosen, "heads", folder, StudyPlan(2, 1, 2), lambda done, of: None, confirm=confirm
    )


def test_a_look_is_recorded_and_there_is_no_second(
    tmp_path: Path, pair: list[Contender], units_ran: list[str]
) -> None:
    looked(tmp_path / "compare", pair, confirm=True)
    ((entry,), notes) = read_trials(tmp_path / REGISTER)
    assert notes == ()
    assert entry.kind == "confirm"
    with pytest.raises(ConfigError, match=r"1 trials have seen .*confirm compare/heads on "):
        looked(tmp_path / "compare", pair, confirm=True)
    looked(tmp_path / "compare", pair, confirm=False)  # to look again is allowed, as what it is


def test_bars_that_any_trial_saw_confirm_nothing(
    tmp_path: Path, pair: list[Contender], units_ran: list[str]
) -> None:
    looked(tmp_path / "other" / "compare", pair, confirm=False)
    ((seen,), _) = read_trials(tmp_path / "other" / REGISTER)
    for change in ({}, {"kind": "sweep"}, {"end_ms": seen.start_ms + 1}, {"interval": "1d"}):
        folder = tmp_path / f"{len(change)}-{next(iter(change), '')}"
        folder.mkdir()
        enter_trial(folder / REGISTER, replace(seen, **change))
        with pytest.raises(ConfigError, match="what was looked at confirms nothing"):
            looked(folder / "compare", pair, confirm=True)
    assert len(units_ran) == 8  # nothing was trained for a look that is refused
    folder = tmp_path / "earlier"
    folder.mkdir()
    enter_trial(folder / REGISTER, before(seen))
    looked(folder / "compare", pair, confirm=True)


def before(seen: Trial) -> Trial:
    return replace(seen, start_ms=seen.start_ms - 10, end_ms=seen.start_ms)


def test_a_register_that_cannot_be_read_is_no_proof_of_anything(
    tmp_path: Path, pair: list[Contender], units_ran: list[str]
) -> None:
    (tmp_path / REGISTER).write_text("{not json\n")
    with pytest.raises(ConfigError, match=r"compare --confirm: .*mend it first"):
        looked(tmp_path / "compare", pair, confirm=True)
    assert units_ran == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--confirm", "data"], "name a --preset"),
        (["--confirm", "data", "--preset", "heads", "--set", "run.seed=3"], "settings are frozen"),
        (["--confirm", "data", "--preset", "heads", "--data", "other"], "settings are frozen"),
        (["--confirm", "data", "one.toml", "two.toml"], "name a --preset"),
    ],
)
def test_nothing_is_chosen_after_the_fact(arguments: list[str], fault: str) -> None:
    result = CliRunner().invoke(app, ["compare", *arguments])
    assert isinstance(result.exception, ConfigError)
    assert fault in str(result.exception)


def test_all_are_held_against_baselines_of_the_first_ones_rows(
    tmp_path: Path, pair: list[Contender], units_ran: list[str]
) -> None:
    c = looked(tmp_path / "compare", pair, confirm=False).comparison
    assert [(d.first, d.second) for d in c.differences][:1] == [("default", "longer")]
    assert c.as_traded == {"default": {}, "longer": {}}  # two seeds are fewer than a bot's members

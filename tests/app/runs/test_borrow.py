"""--schedule: another run's models decide again from the bars on which they did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.app.runs.borrow import read_recorded
from bot.app.runs.results import read_run
from bot.config.schema import Report
from bot.errors import DataError, ModelError
from bot.report.skill.verdicts import skill
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import Cli, Ran, RunIt


@pytest.fixture(scope="module")
def replayed(short: Ran, run_it: RunIt) -> Ran:
    return run_it(
        "run.block_bars=333", "retrain.trigger=never", schedule=read_recorded(short.folder)
    )


def test_a_replay_gives_the_same_ledger(short: Ran, replayed: Ran) -> None:
    assert replayed.done.ledger_sha256 == short.done.ledger_sha256
    assert [m[:2] for m in replayed.models()] == [m[:2] for m in short.models()]
    assert replayed.events("training_submitted") == []


def test_a_replay_is_judged_like_the_run_it_replays(short: Ran, replayed: Ran) -> None:
    first, again = read_run(short.folder), read_run(replayed.folder)
    assert again.models == first.models
    few = Report(bootstrap_samples=100)
    assert skill(again, few) == skill(first, few)
    assert again.facts["schedule_of"] == str(short.folder.path)


def test_a_later_beginning_inherits_the_model_in_force(short: Ran, run_it: RunIt) -> None:
    second = short.models()[1][1]
    begin = np.datetime64(second + 10 * HOUR_MS, "ms").astype("datetime64[m]").item().isoformat()
    ran = run_it(f"data.history_start={begin}", schedule=read_recorded(short.folder))
    assert [m[0] for m in ran.models()] == [m[0] for m in short.models()[1:]]
    assert ran.models()[0][1] == second + 10 * HOUR_MS


def test_a_run_without_models_is_refused(run_it: RunIt) -> None:
    barren = run_it("training.min_rows=1400")
    assert barren.models() == []
    assert len(barren.events("training_skipped")) == 5
    with pytest.raises(DataError, match="has activated no model"):
        read_recorded(barren.folder)


def test_the_command_replays_with_the_runs_own_settings(
    short: Ran, cli: Cli, tmp_path: Path
) -> None:
    said = cli("backtest", "--schedule", short.folder.path, "--run-dir", tmp_path / "r", "--json")
    assert said.code == 0, said.err
    assert said.json["ledger_sha256"] == short.done.ledger_sha256
    assert cli("backtest", "--schedule", tmp_path / "nothing").code == 5


def test_models_of_other_targets_or_features_are_refused(short: Ran, run_it: RunIt) -> None:
    with pytest.raises(ModelError, match=r"predicts \['return_5'.*'return_3'"):
        run_it("targets.horizons=3", schedule=read_recorded(short.folder))
    with pytest.raises(ModelError, match="was trained on the features"):
        run_it("features.names=return_1,rsi", schedule=read_recorded(short.folder))

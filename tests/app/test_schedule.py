"""--schedule: another run's models decide again from the bars on which they did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.app.results import read_run
from bot.errors import DataError, JournalError, ModelError
from bot.report.skill import skill
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import Ran, RunIt


@pytest.fixture(scope="module")
def replayed(short: Ran, run_it: RunIt) -> Ran:
    return run_it("run.block_bars=333", "retrain.trigger=never", schedule=str(short.folder.path))


def test_a_replay_gives_the_same_ledger(short: Ran, replayed: Ran) -> None:
    assert replayed.done.ledger_sha256 == short.done.ledger_sha256
    assert [m[:2] for m in replayed.models()] == [m[:2] for m in short.models()]
    assert replayed.events("training_submitted") == []


def test_a_replay_is_judged_like_the_run_it_replays(short: Ran, replayed: Ran) -> None:
    first, again = read_run(short.folder), read_run(replayed.folder)
    assert again.models == first.models
    assert skill(again, 100) == skill(first, 100)
    assert again.facts["schedule_of"] == str(short.folder.path)


def test_a_later_beginning_inherits_the_model_in_force(short: Ran, run_it: RunIt) -> None:
    second = short.models()[1][1]
    begin = np.datetime64(second + 10 * HOUR_MS, "ms").astype("datetime64[m]").item().isoformat()
    ran = run_it(f"data.history_start={begin}", schedule=str(short.folder.path))
    assert [m[0] for m in ran.models()] == [m[0] for m in short.models()[1:]]
    assert ran.models()[0][1] == second + 10 * HOUR_MS


def test_a_run_without_models_and_no_run_at_all_are_refused(
    run_it: RunIt, short: Ran, tmp_path: Path
) -> None:
    with pytest.raises(JournalError, match="no run here"):
        run_it(schedule=str(tmp_path / "nothing"))
    barren = run_it("training.min_rows=1400")
    assert barren.models() == []
    assert len(barren.events("training_skipped")) == 5
    with pytest.raises(DataError, match="has activated no model"):
        run_it(schedule=str(barren.folder.path))


def test_models_of_other_targets_or_features_are_refused(short: Ran, run_it: RunIt) -> None:
    with pytest.raises(ModelError, match=r"predicts \['return_5'.*'return_3'"):
        run_it("targets.horizons=3", schedule=str(short.folder.path))
    with pytest.raises(ModelError, match="was trained on the features"):
        run_it("features.names=return_1,rsi", schedule=str(short.folder.path))

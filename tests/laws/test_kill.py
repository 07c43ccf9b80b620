"""Killed at any write and at any moment, the daemon goes on: nothing is lost, nothing is twice."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from scripts.soaking.killing import Point
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import Rehearsal
from tests.laws.killed import (
    MINUTE_MS,
    PLAN,
    SETTINGS,
    Daemons,
    at,
    carried,
    never,
    outlived,
    warm_up,
)
from tests.parts.conftest import nothing_loaded

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

__all__ = ["nothing_loaded"]

MOMENTS = 8
"""Kills at a random moment between two of the loop's waits."""


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    warm_up(tmp_path_factory.mktemp("warm") / "run")


def test_killed_at_every_write_and_at_random_moments(tmp_path: Path) -> None:
    daemons = Daemons(Rehearsal.make(tmp_path / "run", *SETTINGS), training_s=3000.0)
    dice = random.Random(11)
    for point, count in PLAN:
        assert daemons.live(60, at(point, count)), f"{point} was not reached"
        daemons.time.pass_by(dice.choice([0, 0, 5, 25, 70, 300]) * MINUTE_MS)
    for _ in range(MOMENTS):
        assert daemons.live(60, never, jumps=dice.randrange(1, 150))
        daemons.time.pass_by(dice.choice([0, 5, 70]) * MINUTE_MS)
    assert not daemons.live(10, never)
    proof = prove(daemons.rehearsal.folder, daemons.rehearsal.source)
    assert (proof.holes, proof.untrue) == (0, 0)
    assert len(proof.bars) > 50
    assert proof.late < len(proof.bars) / 2
    assert len(proof.fills) > 30
    assert len(proof.models) >= 4


def test_a_kill_within_the_time_to_decide_changes_nothing_at_all(tmp_path: Path) -> None:
    """But for quotes, which are of the moment, the ledger is that of a daemon nobody killed."""
    settings = (*SETTINGS, "execution.price=open", "costs.funding=false")
    both = outlived(lambda f: Rehearsal.make(f, *settings), tmp_path, PLAN, 3)
    assert both.proof.late == 0


def test_a_kill_in_the_middle_of_the_rehearsal_changes_nothing(tmp_path: Path) -> None:
    """It rehearses again, with the models that lie there: the ledger is that of one nobody killed."""
    settings = (
        "policy.kind=edge", "policy.min_calibration_days=4", "policy.cost_multiple=0.2",
        "policy.confidence=0", "sizing.method=fixed", "data.history_bars=1100",
        "retrain.every_bars=200", "execution.price=open", "costs.funding=false",
    )  # fmt: skip
    plan: list[tuple[Point, int]] = [
        ("after bars", 2), ("before .safetensors", 1), ("before .json", 2), ("after .json", 2),
        ("before models", 1), ("after models", 2), ("before state", 1), ("after state", 1),
        ("before COMMIT", 2), ("after COMMIT", 2),
    ]  # fmt: skip
    run, killed, calm, proof = outlived(lambda f: Rehearsal.make(f, *settings), tmp_path, plan, 12)
    assert len(killed.models) >= 4
    assert proof.models == killed.models
    states = [carried(each.folder.journal) for each in (run, calm)]
    for name in states[0]:
        np.testing.assert_array_equal(states[0][name], states[1][name])


def test_killed_at_every_commit_a_model_is_trained_on_bars_that_are_closed(tmp_path: Path) -> None:
    """Also where the bar that is due is open at the kill: its close must be waited for."""
    settings = (*SETTINGS, "retrain.every_bars=4")
    daemons = Daemons(Rehearsal.make(tmp_path / "run", *settings), training_s=0.0)
    assert not daemons.live(2, never)
    for i in range(12):
        assert daemons.live(60, at("after COMMIT", 1 + i % 3))
        assert not daemons.live(1 + i % 2, never)
    proof = prove(daemons.rehearsal.folder, daemons.rehearsal.source)
    assert len(proof.models) >= 2

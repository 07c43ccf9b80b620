"""Killed at any write and at any moment, the daemon goes on: nothing is lost, nothing is twice.

Children are forked from this warm process and die by SIGKILL; the exchange's time outlives them, in
memory that they share, and goes on while no daemon runs.
"""

from __future__ import annotations

import mmap
import random
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.journal.reader import JournalReader
from scripts.soaking.killing import Point, WritePoints, die, fork, was_killed
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal
from tests.parts.conftest import nothing_loaded

__all__ = ["nothing_loaded"]

SETTINGS = ("retrain.every_bars=12", "data.history_bars=60", "training.min_rows=50")
MINUTE_MS = 60_000

PLAN: list[tuple[Point, int]] = [
    ("before tables", 1), ("after tables", 1), ("before COMMIT", 1), ("before .db", 1),
    ("after .db", 1), ("before BEGIN", 1), ("after bars", 1), ("after COMMIT", 1),
    ("before .safetensors", 1), ("before .json", 1), ("after meta", 1), ("after .json", 2),
    ("before COMMIT", 2), ("after BEGIN", 5), ("after fills", 4), ("after bars", 6),
    ("after forecasts", 3), ("after decisions", 4), ("after ledger", 2), ("after positions", 3),
    ("after chain", 3), ("before state", 8), ("after state", 5), ("before COMMIT", 6),
    ("before COMMIT", 7), ("after COMMIT", 6), ("after COMMIT", 9), ("before models", 1),
    ("after models", 1),
]  # fmt: skip
"""The write points at which a daemon is killed: the how-manieth of its life it is."""

MOMENTS = 8
"""Kills at a random moment between two of the loop's waits."""


class Time:
    """The exchange's time, shared by parent and children."""

    def __init__(self, begin_ms: int) -> None:
        self._memory = mmap.mmap(-1, 8)
        self.set(begin_ms)

    def set(self, now_ms: int) -> None:
        self._memory[:8] = struct.pack("<q", now_ms)

    def pass_by(self, ms: int) -> None:
        self.set(self.now_ms() + ms)

    def now_ms(self) -> int:
        now: int = struct.unpack("<q", self._memory[:8])[0]
        return now


class Daemons:
    """One run, lived by one child after another."""

    def __init__(self, rehearsal: Rehearsal, training_s: float) -> None:
        self.rehearsal, self.training_s = rehearsal, training_s
        self.time = Time(rehearsal.begin_ms)

    def live(
        self, bars: int, reached: Callable[[Point, int], None], jumps: int | None = None
    ) -> bool:
        """Live in a child for so many bars, or until it is killed; tell whether it was."""
        begin = self.time.now_ms()
        left = [jumps]

        def jumped(seconds: float) -> None:
            self.time.set(begin + round(seconds * 1000.0))
            if left[0] is not None:
                left[0] -= 1
                if left[0] <= 0:
                    die()

        def life() -> None:
            WritePoints(reached).install()
            pool = PoolHere(self.training_s)
            self.rehearsal.run(bars, begin_ms=begin, pool=pool, on_jump=jumped)

        return was_killed(fork(life))


def at(point: Point, count: int) -> Callable[[Point, int], None]:
    def reached(here: Point, often: int) -> None:
        if (here, often) == (point, count):
            die()

    return reached


def never(point: Point, count: int) -> None:
    """Let it live."""


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Import and compile everything once, here, before any fork."""
    Rehearsal.make(tmp_path_factory.mktemp("warm") / "run", *SETTINGS).run(14)


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
    daemons = Daemons(Rehearsal.make(tmp_path / "killed", *settings), training_s=0.0)
    for point, count in PLAN:
        assert daemons.live(60, at(point, count)), f"{point} was not reached"
    assert not daemons.live(3, never)
    killed = prove(daemons.rehearsal.folder, daemons.rehearsal.source)
    assert killed.late == 0
    calm = Rehearsal.make(tmp_path / "calm", *settings)
    calm.run(len(killed.bars), pool=PoolHere(seconds=0.0))
    assert prove(calm.folder, calm.source).verdict.stored_sha256 == killed.verdict.stored_sha256


def carried(journal: Path) -> dict[str, Any]:
    with closing(JournalReader(journal)) as reader:
        return reader.state() or {}


def test_a_kill_changes_nothing_of_what_a_users_own_policy_and_costs_carry(tmp_path: Path) -> None:
    """The ledger and their numbers are those of a daemon nobody killed; the proof replays both."""
    parts = Path(__file__).parents[2] / "examples" / "my_parts.py"
    settings = (
        *SETTINGS, "execution.price=open", "costs.funding=false", f'plugins=["{parts}"]',
        "policy.kind=patient", "policy.settings={patient={cost_multiple=2.5,hold_bars=3}}",
        "costs.scheme=tiered",
    )  # fmt: skip
    daemons = Daemons(Rehearsal.make(tmp_path / "killed", *settings), training_s=0.0)
    for point, count in PLAN[12::3]:
        assert daemons.live(60, at(point, count)), f"{point} was not reached"
    assert not daemons.live(3, never)
    killed = prove(daemons.rehearsal.folder, daemons.rehearsal.source)
    assert killed.late == 0
    assert len(killed.fills) > 3
    calm = Rehearsal.make(tmp_path / "calm", *settings)
    calm.run(len(killed.bars), pool=PoolHere(seconds=0.0))
    assert prove(calm.folder, calm.source).verdict.stored_sha256 == killed.verdict.stored_sha256
    states = [carried(each.folder.journal) for each in (daemons.rehearsal, calm)]
    assert states[0]["book.policy_state"].any()
    for name in ("book.policy_state", "book.cost_state", "book.bars_held"):
        np.testing.assert_array_equal(states[0][name], states[1][name])


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
    daemons = Daemons(Rehearsal.make(tmp_path / "killed", *settings), training_s=0.0)
    for point, count in plan:
        assert daemons.live(60, at(point, count)), f"{point} was not reached"
    assert not daemons.live(12, never)
    killed = prove(daemons.rehearsal.folder, daemons.rehearsal.source)
    assert len(killed.models) >= 4
    calm = Rehearsal.make(tmp_path / "calm", *settings)
    calm.run(len(killed.bars), pool=PoolHere(seconds=0.0))
    proof = prove(calm.folder, calm.source)
    assert proof.models == killed.models
    assert proof.verdict.stored_sha256 == killed.verdict.stored_sha256
    states = [carried(each.folder.journal) for each in (daemons.rehearsal, calm)]
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

"""A run that is lived by one daemon after another, each killed: what the kill laws are tried with.

Children are forked from this warm process and die by SIGKILL; the exchange's time outlives them, in
memory that they share, and goes on while no daemon runs.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from bot.adapters.journal.forms import open_journal
from scripts.soaking.killing import Point, WritePoints, die, fork, was_killed
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal, Script

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
    """One run, lived by one child after another, each with the same script beside it."""

    def __init__(
        self, rehearsal: Rehearsal, training_s: float, script: Script | None = None
    ) -> None:
        self.rehearsal, self.training_s, self.script = rehearsal, training_s, script
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
            self.rehearsal.run(bars, begin_ms=begin, pool=pool, on_jump=jumped, script=self.script)

        return was_killed(fork(life))


def at(point: Point, count: int) -> Callable[[Point, int], None]:
    def reached(here: Point, often: int) -> None:
        if (here, often) == (point, count):
            die()

    return reached


def never(point: Point, count: int) -> None:
    """Let it live."""


def warm_up(folder: Path) -> None:
    """Import and compile everything once, here, before any fork."""
    Rehearsal.make(folder, *SETTINGS).run(14)


def carried(journal: Path) -> dict[str, Any]:
    """Return what the engine carries from bar to bar, as the journal has it."""
    with closing(open_journal(journal)) as reader:
        return reader.state() or {}


class Outlived(NamedTuple):
    """A run that was killed and continued, the same that nobody killed, and what is proved of both."""

    run: Rehearsal
    proof: Proof
    calm: Rehearsal
    calm_proof: Proof


def outlived(
    make: Callable[[Path], Rehearsal], folder: Path, plan: Sequence[tuple[Point, int]], bars: int,
    script: Callable[[Rehearsal], Script] | None = None,
) -> Outlived:  # fmt: skip
    """Hold that a run killed at all these points has the ledger of one that nobody killed.

    Args:
        bars: for how many more it lives after the last kill.
        script: what happens beside each daemon of a run.
    """

    def beside(run: Rehearsal) -> Script | None:
        return None if script is None else script(run)

    rehearsal = make(folder / "killed")
    daemons = Daemons(rehearsal, training_s=0.0, script=beside(rehearsal))
    for point, count in plan:
        assert daemons.live(60, at(point, count)), f"{point} was not reached"
    assert not daemons.live(bars, never)
    killed = prove(daemons.rehearsal.folder, daemons.rehearsal.source)
    calm = make(folder / "calm")
    calm.run(len(killed.bars), pool=PoolHere(seconds=0.0), script=beside(calm))
    proof = prove(calm.folder, calm.source)
    assert proof.verdict.stored_sha256 == killed.verdict.stored_sha256
    return Outlived(daemons.rehearsal, killed, calm, proof)

"""Every fault of the exchange, alone and mixed at random: bars go on, and all of it can be proved."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.practice.faults import Faults
from bot.timegrid import HOUR_MS
from scripts.soaking.mixed_faults import mixed
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import Rehearsal

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

ALONE: list[tuple[str, dict[str, Any]]] = [
    ("drop", {"drop": 0.05}),
    ("mute", {"mute": True}),
    ("garbage", {"garbage": 0.4}),
    ("duplicate", {"duplicate": 0.5}),
    ("reorder", {"reorder": 0.4}),
    ("lost_confirm", {"lost_confirm": 0.4}),
    ("late_confirm", {"late_confirm": 0.4, "late_ms": 8_000}),
    ("revision", {"revision": 0.3}),
    ("rate_limited", {"rate_limited": 0.4}),
    ("forbidden", {"forbidden": 0.4}),
    ("unavailable", {"unavailable": 0.4}),
    ("slow", {"slow": 0.4, "slow_ms": 12_000}),
    ("clock_skew_ms", {"clock_skew_ms": 2_500}),
    ("all requests", {"rate_limited": 0.3, "slow": 0.3, "slow_ms": 40_000, "lost_confirm": 0.3}),
]


def proof_of(rehearsal: Rehearsal, bars: int, **how: Any) -> Proof:
    rehearsal.run(bars, **how)
    proof = prove(rehearsal.folder, rehearsal.source)
    decided = [(event["bar"], event["symbol"]) for event in rehearsal.events("decision")]
    assert len(set(decided)) == len(decided), "a bar was decided twice"
    return proof


@pytest.mark.parametrize("faults", [faults for _, faults in ALONE], ids=[name for name, _ in ALONE])
def test_alone(tmp_path: Path, faults: dict[str, Any]) -> None:
    proof = proof_of(Rehearsal.make(tmp_path / "run"), 50, faults=Faults(seed=5, **faults))
    assert proof.holes == 0
    assert (proof.untrue > 0) == ("revision" in faults)
    assert 50 <= len(proof.bars) <= 50 + proof.late
    assert (proof.late > 0) == (faults.get("slow_ms") == 40_000)
    assert (len(proof.fills) == 0) == ("mute" in faults)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))]
)
def test_mixed(tmp_path: Path, seed: int) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", "retrain.every_bars=120")
    proof = proof_of(rehearsal, 400, script=mixed(random.Random(seed), 6 * HOUR_MS))
    assert proof.holes == 0
    assert proof.late < 200
    assert len(proof.fills) > 300


def test_a_quiet_exchange_has_no_faults() -> None:
    assert replace(Faults(), seed=9) == Faults(seed=9)

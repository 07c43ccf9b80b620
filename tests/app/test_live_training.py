"""Retraining beside the loop: on time, late, failing, hanging, given up, and never in the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.app import live_training
from bot.app.live_training import JournalRows
from bot.errors import BotError, DataError, ModelError
from bot.timegrid import HOUR_MS
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal

HOUR_S = 3600.0


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    return Rehearsal.make(tmp_path / "run", "training.time_limit_s=1e6")


def proof_of(rehearsal: Rehearsal, bars: int, pool: PoolHere) -> Proof:
    """Run a daemon, the first model of which is there after a minute."""
    rehearsal.run(1)
    rehearsal.run(bars, begin_ms=rehearsal.begin_ms + HOUR_MS, pool=pool)
    return prove(rehearsal.folder, rehearsal.source)


def lateness(proof: Proof, model: int) -> tuple[int, bool]:
    """Return the bars from a model's due bar to its first, and whether that is recorded as late."""
    _, effective_from, due, late = proof.models[model]
    assert due is not None
    return (effective_from - due) // HOUR_MS, late


def test_a_model_decides_a_bar_after_its_due_one(rehearsal: Rehearsal) -> None:
    proof = proof_of(rehearsal, 80, PoolHere())
    assert len(proof.models) == 3
    assert [lateness(proof, k) for k in (1, 2)] == [(1, False)] * 2
    told = rehearsal.events("training_started", "model_trained", "model_activated")
    assert [event["event"] for event in told][-3:] == [
        "training_started", "model_trained", "model_activated"
    ]  # fmt: skip
    assert {event["model_id"] for event in rehearsal.events("decision")} == {
        model_id for model_id, *_ in proof.models
    }


def test_bars_do_not_wait_for_a_training(rehearsal: Rehearsal) -> None:
    proof = proof_of(rehearsal, 80, PoolHere(seconds=7.5 * HOUR_S))
    assert [lateness(proof, k) for k in (1, 2)] == [(8, True)] * 2
    assert proof.late == 0
    assert proof.holes == 0


def test_a_training_that_fails_is_tried_again_ever_more_rarely(rehearsal: Rehearsal) -> None:
    pool = PoolHere()
    pool.refusals = [ModelError(f"no {k}") for k in range(4)]
    proof = proof_of(rehearsal, 60, pool)
    failed = rehearsal.events("training_failed")
    assert [(event["failures"], event["reason"]) for event in failed] == [
        (k + 1, f"no {k}") for k in range(4)
    ]
    due = proof.models[1][2]
    assert {event["due"] for event in failed} == {due}
    assert lateness(proof, 1) == (1 + (1 + 1) + (2 + 1) + (4 + 1) + (8 + 1), True)
    assert len(proof.bars) == 61
    assert proof.late == 0


def test_too_few_rows_wait_for_the_next_due_bar(rehearsal: Rehearsal) -> None:
    pool = PoolHere()
    refusals: list[BotError] = [DataError("too few rows")]
    pool.refusals = refusals
    proof = proof_of(rehearsal, 80, pool)
    assert len(rehearsal.events("training_failed")) == 1
    assert len(pool.requests) == 2
    assert lateness(proof, 1) == (1, False)


def test_a_training_that_hangs_is_ended_and_tried_again(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", "training.time_limit_s=3600")
    pool = PoolHere(seconds=1e9)
    proof = proof_of(rehearsal, 60, pool)
    assert len(pool.requests) > 3
    assert len(proof.models) == 1
    assert "longer than its time limit" in rehearsal.events("training_failed")[0]["reason"]
    assert (proof.late, len(proof.bars)) == (0, 61)


def test_the_next_due_bar_ends_what_is_still_under_way(rehearsal: Rehearsal) -> None:
    pool = PoolHere(seconds=49 * HOUR_S)
    proof = proof_of(rehearsal, 120, pool)
    assert len(proof.models) == 1
    reasons = [event["reason"] for event in rehearsal.events("training_failed")]
    assert reasons == ["the next training is due; this one is ended"] * (len(pool.requests) - 1)


def test_rows_read_in_parts_are_the_same_rows(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = proof_of(rehearsal, 150, PoolHere())
    due = int(proof.bars.open_time[-1])
    rows = JournalRows(
        rehearsal.folder.journal, due, rehearsal.config, rehearsal.config.market.symbols
    )
    whole = rows.load()
    monkeypatch.setattr(live_training, "PART_BARS", 37)
    parts = rows.load()
    assert parts.dataset.digest() == whole.dataset.digest()
    assert (parts.first_ms, parts.last_ms) == (whole.first_ms, whole.last_ms)
    earlier = replace(rows, due_ms=due - 20 * HOUR_MS).load()
    assert earlier.last_ms == whole.last_ms - 20 * HOUR_MS

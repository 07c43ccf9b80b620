"""Retraining beside the loop: on time, late, failing, hanging, given up, and never in the way."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from bot.adapters.files.manifests import load_manifest
from bot.app.live import retraining as live_training
from bot.app.live.command import live_command
from bot.app.live.decidable import decidable_ms
from bot.app.live.retraining import RecordedRows
from bot.app.runs.borrow import take_last_model
from bot.config import load_config
from bot.errors import BotError, ConfigError, DataError, JournalError, ModelError
from bot.timegrid import HOUR_MS
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

HOUR_S = 3600.0
START_2020_MS = 1_577_836_800_000


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
    assert [e["reason"] for e in rehearsal.events("training_skipped")] == ["too few rows"]
    assert not rehearsal.events("training_failed")
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


def test_what_is_under_way_at_the_next_due_bar_goes_on(rehearsal: Rehearsal) -> None:
    pool = PoolHere(seconds=49.5 * HOUR_S)
    proof = proof_of(rehearsal, 170, pool)
    assert not rehearsal.events("training_failed")
    dues = [due for _, _, due, _ in proof.models if due is not None]
    assert [later - due for due, later in itertools.pairwise(dues)] == [48 * HOUR_MS] * 2
    # the second begins when the first has ended
    assert [lateness(proof, k) for k in (1, 2)] == [(50, True), (52, True)]


def test_a_model_waits_for_its_bar_beyond_the_next_training(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", "retrain.latency_bars=60")
    proof = proof_of(rehearsal, 230, PoolHere())
    assert len(proof.models) > 3
    assert {lateness(proof, k) for k in range(1, len(proof.models))} == {(60, False)}
    told = rehearsal.events("model_trained")
    assert len(told) > len(proof.models), "one is ready and waits"
    # a restart trains again what was ready and had not decided yet
    pool = PoolHere()
    rehearsal.run(60, begin_ms=int(proof.bars.open_time[-1]) + HOUR_MS * 3 // 2, pool=pool)
    later = prove(rehearsal.folder, rehearsal.source)
    assert lateness(later, len(proof.models)) == (60, False)


def test_of_two_models_that_are_late_the_newer_decides(rehearsal: Rehearsal) -> None:
    pool = PoolHere()
    pool.refusals = [ModelError("no")] * 7  # given up for the next due bar
    proof = proof_of(rehearsal, 110, pool)
    failed = {event["due"] for event in rehearsal.events("training_failed")}
    dues = [due for _, _, due, _ in proof.models]
    assert len(failed) == 2
    assert max(failed) in dues
    assert min(failed) not in dues


def test_without_a_model_in_sight_it_says_when_there_will_be_one(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(
        tmp_path / "run", "retrain.every_bars=10000", "retrain.at_start=false"
    )
    rehearsal.run(3)
    [told] = rehearsal.events("no_model")
    assert (told["next_due"] - START_2020_MS) % (10_000 * HOUR_MS) == 0
    assert told["next_due"] > rehearsal.begin_ms
    assert {event["signal"] for event in rehearsal.events("decision")} == {None}


def test_a_run_begins_with_the_model_of_another(tmp_path: Path, rehearsal: Rehearsal) -> None:
    rehearsal.run(4)
    theirs = rehearsal.events("model_activated")[-1]["model_id"]
    other = Rehearsal.make(tmp_path / "other")
    assert take_last_model(rehearsal.folder, other.folder) == theirs
    pool = PoolHere()
    other.run(5, begin_ms=other.begin_ms + 3 * HOUR_MS, pool=pool, given_model=theirs)
    other.run(5, begin_ms=other.begin_ms + 8 * HOUR_MS, pool=pool)
    assert pool.requests == [], "nothing is trained before the next due bar"
    proof = prove(other.folder, other.source)
    [(model_id, effective_from, _, _)] = proof.models
    assert (model_id, effective_from) == (theirs, int(proof.bars.open_time[0]))
    assert len(proof.fills) > 0
    other.run(40, begin_ms=other.begin_ms + 13 * HOUR_MS, pool=pool)
    assert len(prove(other.folder, other.source).models) == 2


def test_a_model_of_other_features_is_refused_before_anything_is_recorded(
    tmp_path: Path, rehearsal: Rehearsal
) -> None:
    rehearsal.run(2)
    other = Rehearsal.make(tmp_path / "other", "features.names=return_1,rsi")
    theirs = take_last_model(rehearsal.folder, other.folder)
    with pytest.raises(ModelError, match="was trained on the features"):
        other.run(2, given_model=theirs)
    assert not other.folder.journal.exists()


def test_a_model_that_knows_the_future_is_refused(tmp_path: Path, rehearsal: Rehearsal) -> None:
    rehearsal.run(4, begin_ms=rehearsal.begin_ms + 100 * HOUR_MS)
    other = Rehearsal.make(tmp_path / "other")
    theirs = take_last_model(rehearsal.folder, other.folder)
    with pytest.raises(ConfigError, match="it would know the future"):
        other.run(2, given_model=theirs)
    assert not other.folder.journal.exists(), "the same folder can be given again"


def test_a_given_model_is_taken_as_soon_as_the_history_reaches_its_due_bar(
    tmp_path: Path, rehearsal: Rehearsal
) -> None:
    rehearsal.run(4)
    theirs = rehearsal.events("model_activated")[-1]["model_id"]
    due = int(load_manifest(rehearsal.folder.models, theirs)["due_ms"])
    within_ms = decidable_ms(rehearsal.config)
    for too_early in (True, False):
        other = Rehearsal.make(tmp_path / f"other-{too_early}")
        take_last_model(rehearsal.folder, other.folder)
        begin_ms = due + HOUR_MS + within_ms + (-200 if too_early else 1)
        if too_early:
            with pytest.raises(ConfigError, match="it would know the future"):
                other.run(1, begin_ms=begin_ms, given_model=theirs)
        else:
            other.run(1, begin_ms=begin_ms, given_model=theirs)
        assert other.folder.journal.exists() is not too_early


def test_a_run_that_would_never_have_a_model_is_refused(tmp_path: Path) -> None:
    config = load_config(None, ["retrain.trigger=never", "retrain.at_start=false"], {})
    with pytest.raises(ConfigError, match=r"retrain\.trigger = 'never'.*--model RUN"):
        live_command(config, str(tmp_path / "run"), practice=True, max_bars=1)
    assert not (tmp_path / "run").exists()


def test_a_start_that_is_refused_leaves_nothing_behind_but_what_was_there(tmp_path: Path) -> None:
    config, there = load_config(None, [], {}), tmp_path / "there"
    there.mkdir()
    (there / "notes.txt").write_text("mine")
    for run_dir in (tmp_path / "new", there):
        with pytest.raises(JournalError, match="nothere: no run here"):
            live_command(config, str(run_dir), practice=True, max_bars=1, model_of="nothere")
    assert not (tmp_path / "new").exists()
    assert (there / "notes.txt").read_text() == "mine"


def test_rows_read_in_parts_are_the_same_rows(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = proof_of(rehearsal, 150, PoolHere())
    due = int(proof.bars.open_time[-1])
    rows = RecordedRows(rehearsal.folder, due, rehearsal.config, rehearsal.config.market.symbols)
    whole = rows.load()
    monkeypatch.setattr(live_training, "PART_BARS", 37)
    parts = rows.load()
    assert parts.dataset.digest() == whole.dataset.digest()
    assert (parts.first_ms, parts.last_ms) == (whole.first_ms, whole.last_ms)
    earlier = replace(rows, due_ms=due - 20 * HOUR_MS).load()
    assert earlier.last_ms == whole.last_ms - 20 * HOUR_MS

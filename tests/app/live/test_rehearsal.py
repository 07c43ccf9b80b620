"""The rehearsal of a first start: a calibrated policy begins with scored signals and a model."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.files.manifests import load_manifest
from bot.adapters.journal.forms import open_journal
from bot.app.backtest import job as backtest_module
from bot.app.backtest.job import run_backtest
from bot.app.backtest.preparing import prepare, read_market
from bot.app.live import rehearsal as live_rehearsal
from bot.app.runs.borrow import read_recorded, recorded_settings, take_last_model
from bot.app.runs.folder import RunFolder, new_run
from bot.app.runs.status import Status, read_status
from bot.app.verify import replay
from bot.app.verify.proof import verify
from bot.config import load_config
from bot.errors import DataError, ModelError
from bot.log import open_log
from bot.timegrid import HOUR_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal
from tests.app.conftest import made_so_far_by
from tests.conftest import InlinePool

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

DAYS = 4
BARS = (DAYS + 30) * 24 + 5
"""Of the rehearsal: the days that are needed, 30 more, and the horizon."""

CALIBRATED = (
    "policy.kind=edge", f"policy.min_calibration_days={DAYS}", "policy.confidence=0",
    "policy.cost_multiple=0.2", "data.history_bars=1100", "retrain.every_bars=200",
    "training.time_limit_s=1e6", "sizing.method=fixed",
)  # fmt: skip


@pytest.fixture
def market(tmp_path: Path) -> Rehearsal:
    return Rehearsal.make(tmp_path / "run", *CALIBRATED)


def proof_of(market: Rehearsal, bars: int = 12, **how: Any) -> Proof:
    how.setdefault("pool", PoolHere(seconds=0.0))
    market.run(bars, **how)
    return prove(market.folder, market.source)


def test_it_begins_with_scored_signals_and_a_model(market: Rehearsal) -> None:
    proof = proof_of(market)
    [started] = market.events("rehearsal_started")
    [done] = market.events("rehearsal_done")
    models = market.events("rehearsal_model")
    start = int(proof.bars.open_time[0])
    assert started["bars"] == BARS
    assert (started["first"], started["last"]) == (start - BARS * HOUR_MS, start - HOUR_MS)
    assert [each["number"] for each in models] == list(range(1, len(models) + 1))
    assert {each["of"] for each in models} == {len(models)}
    assert done["models"] == len(models) >= 4
    assert done["days"] >= DAYS
    assert done["days_needed"] == DAYS
    assert done["slope_error"] > 0.0
    assert proof.models[0][1] <= start - BARS * HOUR_MS, "a model decides from its first bar on"
    assert all(not late for *_, late in proof.models)
    first = market.events("decision")[0]
    assert first["bar"] == start
    assert first["slope"] is not None
    assert "calibrating" not in first["why"]
    assert len(proof.fills) > 0


def test_the_status_says_where_it_is(market: Rehearsal) -> None:
    seen: list[Status] = []

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.pause(1_000_000)
        for _ in range(3):
            seen.append(read_status(market.folder))
            await exchange.clock.pause(3_000_000)

    market.run(2, pool=PoolHere(seconds=3000.0), script=script)
    beats = [status.heartbeat.rehearsal for status in seen if status.heartbeat]
    [started] = market.events("rehearsal_started")
    made = market.events("rehearsal_model")
    for k, where in enumerate(beats):
        assert where is not None
        assert (where.stage, where.models, where.models_planned) == ("training", k, len(made))
        assert where.bar == made[k]["due"]
        assert where.number == (where.bar - started["last"]) // HOUR_MS + where.of
    assert beats[0] is not None
    assert beats[0].of == 1100
    after = read_status(market.folder)
    assert after.heartbeat is not None
    assert after.heartbeat.rehearsal is None
    assert after.calibration is not None
    assert after.calibration.is_over


def backtest_of(market: Rehearsal, path: Path, *sets: str, schedule: bool) -> RunFolder:
    """Run a backtest over the candles of a live run; return its folder."""
    recorded = read_recorded(market.folder)
    config = load_config(None, list(sets), {}, base=recorded_settings(recorded))
    folder = new_run(config, str(path), "test")
    with pytest.MonkeyPatch.context() as patch, open_log(folder.log) as log:
        patch.setattr(backtest_module, "TrainingPool", InlinePool)
        job = prepare(
            config, read_market(config), folder, log, lambda done, total: None,
            schedule=recorded if schedule else None,
        )  # fmt: skip
        run_backtest(job)
    return folder


def slopes(folder: RunFolder) -> list[float]:
    with open_journal(folder.journal) as reader:
        times, _ = reader.ledger()
        found: list[float] = reader.decisions(times)[0]["slope"][:, 0].tolist()
        return found


def ledger(folder: RunFolder) -> dict[str, Any]:
    with open_journal(folder.journal) as reader:
        return dict(reader.ledger()[1])


def test_a_backtest_over_the_same_candles_equals_the_run(tmp_path: Path) -> None:
    market = Rehearsal.make(
        tmp_path / "run", *CALIBRATED, "execution.price=open", "costs.funding=false"
    )
    proof = proof_of(market, 30)
    assert len(proof.fills) > 0
    again = backtest_of(market, tmp_path / "again", schedule=True)
    anew = backtest_of(market, tmp_path / "anew", schedule=False)
    for folder in (again, anew):
        assert slopes(folder) == slopes(market.folder)
        assert verify(folder).identical
    lived = ledger(market.folder)
    for name, column in ledger(again).items():
        np.testing.assert_array_equal(column, lived[name])
    # without the run's own instruments, quantities are rounded to other steps
    np.testing.assert_allclose(ledger(anew)["equity"], lived["equity"], rtol=1e-6)
    with open_journal(anew.journal) as reader:
        assert [(m.model_id, m.effective_from, m.due, m.late) for m in reader.models()] == (
            proof.models
        )
    without = backtest_of(market, tmp_path / "c", "policy.rehearse=false", schedule=False)
    assert np.isnan(slopes(without)).all(), "nothing is scored yet"
    assert verify(without).identical


def test_a_trade_is_judged_by_the_spread_of_the_quotes_though_none_was_made(
    tmp_path: Path,
) -> None:
    """Before the first bar no quote was heard; from the second on: fees, slippage, quoted spread."""
    for quoted_bps in (1.0, 7.0):
        market = Rehearsal.make(
            tmp_path / f"run-{quoted_bps}", *CALIBRATED, f"practice.half_spread_bps={quoted_bps}",
            "costs.funding=false", "costs.impact=0", "policy.cost_multiple=100",
        )  # fmt: skip
        assert len(proof_of(market, 4).fills) == 0
        decisions = market.events("decision")
        asked = [e["hurdle"] for e in decisions[3:] if e["hurdle"] is not None]
        assert asked
        costs = 2.0 * (5.5 + 1.0 + quoted_bps) * 1e-4
        assert asked == pytest.approx([100.0 * costs] * len(asked), rel=1e-3)


def test_bars_that_close_while_it_rehearses_are_warmed_behind_it(market: Rehearsal) -> None:
    proof = proof_of(market, pool=PoolHere(seconds=2500.0))
    [started] = market.events("rehearsal_started")
    start = int(proof.bars.open_time[0])
    assert start > started["last"] + 2 * HOUR_MS
    with open_journal(market.folder.journal) as reader:
        assert len(reader.bars()) == proof.warm_bars + len(proof.bars)


def test_a_stop_in_the_middle_ends_it_and_the_next_start_rehearses_again(
    market: Rehearsal,
) -> None:
    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.pause(2 * 3_000_000 + 1_000_000)
        stop.set()

    market.run(None, pool=PoolHere(seconds=3000.0), script=script)
    assert market.events("run_stopped")[-1]["reason"] == "asked to stop"
    assert len(market.events("rehearsal_model")) == 2
    with open_journal(market.folder.journal) as reader:
        assert reader.models() == []
    assert verify(market.folder).identical
    pool = PoolHere(seconds=0.0)
    proof = proof_of(market, pool=pool)
    assert len(market.events("rehearsal_done")) == 1
    assert len(pool.requests) == len(proof.models) - 2, "what lies there is not made again"
    whole = Rehearsal.make(market.folder.path.parent / "whole", *CALIBRATED)
    assert proof_of(whole).verdict.stored_sha256 == proof.verdict.stored_sha256


def test_however_the_history_is_cut_it_comes_to_the_same(
    market: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Rehearsal.make(market.folder.path.parent / "whole", *CALIBRATED)
    proof = proof_of(whole)
    monkeypatch.setattr(live_rehearsal, "PART_BARS", 37)
    monkeypatch.setattr(replay, "BLOCK_BARS", 41)
    assert proof_of(market).verdict.stored_sha256 == proof.verdict.stored_sha256


def test_without_a_rehearsal_it_calibrates_as_it_goes(tmp_path: Path) -> None:
    market = Rehearsal.make(tmp_path / "run", *CALIBRATED, "policy.rehearse=false")
    proof = proof_of(market)
    assert market.events("rehearsal_started", "rehearsal_model", "rehearsal_done") == []
    assert len(proof.models) == 1
    said = {event["why"] for event in market.events("decision") if event["signal"]}
    assert said <= {f"calibrating: {days} of {DAYS} days" for days in range(DAYS)}


def test_a_policy_that_is_not_calibrated_does_not_rehearse(tmp_path: Path) -> None:
    market = Rehearsal.make(tmp_path / "run", *CALIBRATED, "policy.kind=threshold")
    proof_of(market, 3)
    assert market.events("rehearsal_started") == []


def test_a_training_that_fails_leaves_the_model_before(market: Rehearsal) -> None:
    pool = PoolHere(seconds=0.0)
    pool.refusals = [DataError("no head"), ModelError("killed")]
    proof = proof_of(market, pool=pool)
    [skipped] = market.events("training_skipped")
    [failed] = market.events("training_failed")
    dues = {due for _, _, due, _ in proof.models}
    assert {skipped["due"], failed["due"]}.isdisjoint(dues)
    assert len(dues) >= 2


def test_a_given_model_decides_from_its_own_due_bar_on(tmp_path: Path, market: Rehearsal) -> None:
    market.run(2, pool=PoolHere(seconds=0.0))
    other = Rehearsal.make(tmp_path / "other", *CALIBRATED)
    theirs = take_last_model(market.folder, other.folder)
    due = int(load_manifest(other.folder.models, theirs)["due_ms"])
    begin = other.begin_ms + 60 * HOUR_MS
    pool = PoolHere(seconds=0.0)
    proof = proof_of(other, begin_ms=begin, pool=pool, given_model=theirs)
    assert max(request.due_ms for request in pool.requests) < due
    assert proof.models[-1][:3] == (theirs, due + HOUR_MS, due)
    assert market.events("rehearsal_done")[0]["days"] >= DAYS
    other.run(3, begin_ms=begin + 14 * HOUR_MS, pool=pool)
    assert len(prove(other.folder, other.source).models) == len(proof.models)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE bars SET close = close * 1.001 WHERE open_time = (SELECT max(effective_from) FROM models)",
        "DELETE FROM models WHERE effective_from = (SELECT min(effective_from) FROM models)",
        "UPDATE models SET effective_from = effective_from + 3600000, late = 1 WHERE effective_from = "
        "(SELECT min(effective_from) FROM models)",
        "UPDATE models SET due = due - 3600000 WHERE effective_from = (SELECT max(effective_from) FROM models)",
    ],
)
def test_a_changed_bar_or_model_of_the_rehearsal_is_found(market: Rehearsal, sql: str) -> None:
    proof_of(market, 3)
    with closing(sqlite3.connect(market.folder.journal)) as db:
        assert db.execute(sql).rowcount >= 1
        db.commit()
    assert verify(market.folder).difference is not None


def test_another_build_may_rehearse_what_one_has_fetched(market: Rehearsal) -> None:
    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.pause(3_000_000)
        stop.set()

    market.run(None, pool=PoolHere(seconds=5000.0), script=script)
    made_so_far_by(market.folder, "another")
    proof = proof_of(market)
    assert market.events("build_changed")
    assert proof.verdict.identical

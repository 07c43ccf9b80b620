"""The rehearsal of a first start: a calibrated policy begins with scored signals and a model."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.app.live.command import run_on
from bot.app.runs.borrow import take_last_model
from bot.app.verify.proof import verify
from bot.errors import ModelError
from bot.timegrid import HOUR_MS
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal

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
    assert [effective for _, effective, _, _ in proof.models][:1] < [start - BARS * HOUR_MS + 1]
    assert all(not late for *_, late in proof.models)
    first = market.events("decision")[0]
    assert first["bar"] == start
    assert first["slope"] is not None
    assert "calibrating" not in first["why"]
    assert len(proof.fills) > 0

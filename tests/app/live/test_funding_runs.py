"""Funding of whole rehearsed runs: charged at 00, 08 and 16 UTC, not known, and inside a day."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from bot.adapters.journal.forms import open_journal
from bot.practice.faults import Faults
from bot.timegrid import DAY_MS, HOUR_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import Rehearsal

EIGHT = 8 * HOUR_MS


def test_charged_at_0_8_and_16(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", "synthetic.missing=0")
    rehearsal.run(60)
    proof = prove(rehearsal.folder, rehearsal.source)
    times, rates = proof.bars.open_time, proof.bars.funding_rate
    usual = times % EIGHT == 0
    assert (rates[~usual] == 0.0).all()
    assert np.isfinite(rates).all()
    first = int((times[0] - rehearsal.source.start_ms) // HOUR_MS)
    truth = rehearsal.source.block(first, len(times)).funding_rate
    reader = open_journal(rehearsal.folder.journal)
    _, ledger = reader.ledger()
    held = np.vstack([np.zeros(3), reader.positions(times)[:-1]]) != 0.0
    reader.close()
    assert held[usual].any()
    assert np.array_equal(rates[held], truth[held])
    assert (ledger["funding"][usual] != 0.0).any()
    assert (ledger["funding"][~usual] == 0.0).all()


def test_what_nobody_announced_is_asked_for_also_while_flat(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", "synthetic.missing=0")

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        # silent from before the announcement until after the funding, while candles are had by REST
        exchange.switch.change({"mute": True})
        await exchange.clock.pause(8 * HOUR_MS)
        exchange.switch.faults = Faults()

    rehearsal.run(12, script=script)
    proof = prove(rehearsal.folder, rehearsal.source)
    settles = proof.bars.open_time % EIGHT == 0
    rates = proof.bars.funding_rate[settles]
    assert len(rates)
    assert np.isfinite(rates).all()
    assert rates[-1].any()
    assert proof.late == 0


def test_inside_a_daily_bar_what_is_held_pays_at_8_and_16(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(
        tmp_path / "run",
        "market.interval=1d",
        "synthetic.missing=0",
        "practice.ticks_per_bar=48",
        "exchange.quote_timeout_s=3600",
    )
    rehearsal.run(10)
    # an outage of three days, in which what is held goes on paying
    rehearsal.run(6, begin_ms=rehearsal.begin_ms + 14 * DAY_MS)
    proof = prove(rehearsal.folder, rehearsal.source)
    assert proof.late > 0
    times, bars = proof.bars.open_time, proof.bars
    first = int((times[0] - rehearsal.source.start_ms) // DAY_MS)
    truth = rehearsal.source.block(first, len(times))
    reader = open_journal(rehearsal.folder.journal)
    _, ledger = reader.ledger()
    after = reader.positions(times)
    reader.close()
    assert (after != 0.0).any(axis=1).sum() > 5
    held = after != 0.0
    assert not bars.funding_inside_unknown[held].any()
    np.testing.assert_allclose(bars.funding_inside[held], truth.funding_inside[held], rtol=1e-9)
    before = np.vstack([np.zeros(3), after[:-1]])
    at_open = np.where(before != 0.0, before * bars.mark * bars.funding_rate, 0.0)
    paid = (at_open + after * bars.funding_inside).sum(axis=1)
    np.testing.assert_allclose(ledger["funding"], paid, rtol=1e-9)

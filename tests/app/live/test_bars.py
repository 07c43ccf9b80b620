"""The life of a bar, live: when it opens, when it closes, and what is made of what went wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.portfolio.reasons import FillReason, Refusal
from bot.practice.faults import Faults
from bot.practice.wire import book_size
from bot.timegrid import HOUR_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import Rehearsal, Script

MINUTE_MS = 60_000
TICK_MS = 20 * MINUTE_MS


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    return Rehearsal.make(tmp_path / "run")


def proof_of(rehearsal: Rehearsal, bars: int = 30, **how: Any) -> Proof:
    rehearsal.run(bars, **how)
    return prove(rehearsal.folder, rehearsal.source)


def during(first_bar: int, bars: float, **faults: Any) -> Script:
    """Let faults reign from the middle of a bar of the run on, for so many bars."""

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.pause(first_bar * HOUR_MS)
        before = exchange.switch.faults
        exchange.switch.change(faults)
        await exchange.clock.pause(bars * HOUR_MS)
        exchange.switch.faults = before

    return script


def told(rehearsal: Rehearsal, name: str) -> int:
    """Return the last count of a kind of odd candles."""
    counts = [event[name] for event in rehearsal.events("feed")]
    return int(counts[-1]) if counts else 0


def test_an_order_is_filled_at_the_first_quote_after_its_decision(tmp_path: Path) -> None:
    """With slippage, and on the tick."""
    rehearsal = Rehearsal.make(tmp_path / "run", "costs.impact=0")
    proof = proof_of(rehearsal, 60)
    assert len(proof.fills) > 20
    slip = 1e-4
    for fill in proof.fills:
        moment = rehearsal.market.at(int(fill["open_time"]) + TICK_MS)
        s, buys = int(fill["symbol"]), fill["quantity"] > 0.0
        quote = moment.ask[s] * (1.0 + slip) if buys else moment.bid[s] * (1.0 - slip)
        assert fill["price"] == pytest.approx(quote, rel=1e-6)
    assert np.isfinite(proof.bars.fill_bid[proof.bars.fillable]).all()
    assert not proof.bars.fillable.all()


def test_the_row_has_the_sizes_of_the_quotes_and_the_marks_of_the_stream(
    rehearsal: Rehearsal,
) -> None:
    """Three ticks a bar: at the open, and at the two extremes that the price walks over."""
    bars = proof_of(rehearsal, 30).bars
    for i, time in enumerate(bars.open_time.tolist()):
        moment = rehearsal.market.at(time + TICK_MS)
        for s in np.flatnonzero(bars.fillable[i]).tolist():
            if bars.fill_bid[i, s] == moment.bid[s]:
                size = float(book_size(rehearsal.market, moment, s))
                assert (bars.bid_size[i, s], bars.ask_size[i, s]) == (size, size)
    np.testing.assert_array_equal(np.isfinite(bars.bid_size), np.isfinite(bars.fill_bid))
    live = bars.valid & (np.arange(len(bars)) > 0)[:, None]
    assert (bars.mark_high[live] >= bars.high[live]).all()
    assert (bars.mark_low[live] <= bars.low[live]).all()
    assert (bars.mark_high[live] <= np.fmax(bars.high, bars.open * 1.02)[live]).all()


def test_bars_that_were_missed_have_the_extremes_of_the_mark_candles(rehearsal: Rehearsal) -> None:
    now = rehearsal.run(4)
    rehearsal.run(3, begin_ms=now + 5 * HOUR_MS)
    bars = prove(rehearsal.folder, rehearsal.source).bars
    missed = bars.valid & ~bars.tradable[:, None]
    assert missed.sum() > 4
    for extreme, traded in ((bars.mark_high, bars.high), (bars.mark_low, bars.low)):
        np.testing.assert_array_equal(extreme[missed], traded[missed])
    assert np.isnan(bars.bid_size[missed]).all()


def test_without_quotes_it_is_filled_at_the_bars_open(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(
        tmp_path / "run", "execution.price=open", "costs.half_spread_bps=2", "costs.impact=0"
    )
    proof = proof_of(rehearsal, 60)
    assert len(proof.fills) > 20
    for fill in proof.fills:
        at = int(np.searchsorted(proof.bars.open_time, fill["open_time"]))
        opened = proof.bars.open[at, fill["symbol"]]
        side = np.sign(fill["quantity"])
        assert fill["price"] == pytest.approx(opened * (1 + side * 2e-4) * (1 + side * 1e-4))


@pytest.mark.parametrize("policy", ["hold", "cancel", "flatten"])
def test_an_order_without_a_quote_in_time_follows_the_policy(tmp_path: Path, policy: str) -> None:
    rehearsal = Rehearsal.make(
        tmp_path / "run", f"execution.late_policy={policy}", "exchange.quote_timeout_s=1300"
    )
    # the first quote after a decision is twenty minutes away, or forty where a tick is lost
    quiet = [during(bar, 0.4, mute=True) for bar in range(1, 59)]

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.sleep_until(rehearsal.begin_ms + 31 * MINUTE_MS)
        await asyncio.gather(*(each(exchange, stop) for each in quiet[::2]))

    proof = proof_of(rehearsal, 60, script=script)
    reasons = {FillReason(r).name for r in proof.fills["reason"].tolist()}
    cancelled = int((proof.refusal == int(Refusal.LATE_CANCELLED)).sum())
    assert proof.late == 0
    assert len(proof.fills) > 10
    assert (cancelled > 0) == (policy != "hold")
    assert ("LATE_FLATTEN" in reasons) == (policy == "flatten")


def test_a_missing_confirm_is_asked_for_at_the_deadline(rehearsal: Rehearsal) -> None:
    proof = proof_of(rehearsal, 12, faults=Faults(lost_confirm=1.0))
    assert (proof.late, proof.holes, proof.untrue) == (0, 0, 0)
    assert rehearsal.events("bar_closed")[5]["missing"] == 0
    clean = Rehearsal.make(rehearsal.folder.path.parent / "clean")
    assert proof_of(clean, 12).verdict.stored_sha256 == proof.verdict.stored_sha256


def test_while_nobody_answers_a_bar_waits_until_it_is_too_late(rehearsal: Rehearsal) -> None:
    script = during(5, 1.0, lost_confirm=1.0, unavailable=1.0)
    proof = proof_of(rehearsal, 12, script=script)
    assert (proof.late, proof.holes, proof.untrue) == (1, 0, 0)
    assert not proof.bars.tradable[5]
    bar = int(proof.bars.open_time[5])
    assert [event["bar"] for event in rehearsal.events("decision")].count(bar) == 0


def test_an_answer_within_the_time_to_decide_is_in_time(rehearsal: Rehearsal) -> None:
    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.pause(5 * HOUR_MS)
        exchange.switch.change({"lost_confirm": 1.0, "unavailable": 1.0})
        await exchange.clock.pause(HOUR_MS // 2 + 20_000)
        exchange.switch.faults = Faults()

    proof = proof_of(rehearsal, 12, script=script)
    assert (proof.late, proof.holes, proof.untrue) == (0, 0, 0)
    assert rehearsal.events("exchange_unreachable")
    assert rehearsal.events("heartbeat")[-1]["connection"] == "connected"


def test_a_candle_counts_as_it_was_first_confirmed(rehearsal: Rehearsal) -> None:
    proof = proof_of(rehearsal, 12, faults=Faults(revision=1.0))
    assert (proof.late, proof.holes) == (0, 0)
    there = proof.bars.valid[1:]
    assert np.array_equal(proof.bars.close[1:][there], proof.bars.open[1:][there])
    assert told(rehearsal, "revisions") > 0


def test_a_decision_tells_how_long_each_stage_took(rehearsal: Rehearsal) -> None:
    proof_of(rehearsal, 12, faults=Faults(lost_confirm=0.5))
    stages = ["open", "features", "forecast", "portfolio", "commit"]
    for event in rehearsal.events("decision"):
        assert list(event["stages_ms"]) == stages
        assert min(event["stages_ms"].values()) >= 0.0
    for event in rehearsal.events("bar_closed"):
        assert event["step_ms"] > 0.0
    assert told(rehearsal, "fetched") > 0
    assert all("clock_skew_ms" in event for event in rehearsal.events("heartbeat"))


def test_what_comes_twice_or_makes_no_sense_changes_nothing(rehearsal: Rehearsal) -> None:
    noisy = proof_of(rehearsal, 25, faults=Faults(duplicate=0.7, garbage=0.5))
    assert told(rehearsal, "duplicates") > 0
    assert rehearsal.events("bad_frame")
    clean = Rehearsal.make(rehearsal.folder.path.parent / "clean")
    assert proof_of(clean, 25).verdict.stored_sha256 == noisy.verdict.stored_sha256


def test_bars_of_an_outage_are_stepped_as_too_late(rehearsal: Rehearsal) -> None:
    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.pause(10 * HOUR_MS)
        exchange.down = True
        await exchange.clock.pause(30 * HOUR_MS)
        exchange.down = False

    proof = proof_of(rehearsal, 20, script=script)
    assert (proof.late, proof.holes, proof.untrue) == (30, 0, 0)
    assert (proof.bars.tradable[10:40]).sum() == 0
    assert [event["bars"] for event in rehearsal.events("gap_filled")] == [30]
    assert np.isnan(proof.signal[proof.bars.tradable]).sum() < np.isnan(proof.signal).size
    fills = np.searchsorted(proof.bars.open_time, proof.fills["open_time"])
    assert not np.isin(fills, np.arange(11, 40)).any()
    assert rehearsal.events("disconnected")


def due_after_500(open_time: int) -> bool:
    """Tell whether a training each 500 bars is due at the close of this bar."""
    start_ms = 1_577_836_800_000  # 2020-01-01
    return (open_time + HOUR_MS - start_ms) % (500 * HOUR_MS) == 0


def test_the_daemon_says_that_it_lives_also_without_the_exchange(tmp_path: Path) -> None:
    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.pause(3 * HOUR_MS)
        exchange.down = True
        await exchange.clock.pause(5 * HOUR_MS)
        exchange.down = False

    rehearsal = Rehearsal.make(tmp_path / "run", "log.heartbeat_s=600")
    rehearsal.run(5, script=script)
    times = [event["timestamp"] for event in rehearsal.events("heartbeat")]
    assert len(times) >= 6 * 9  # nine hours or more, six an hour
    assert rehearsal.events("gap_filled")


def test_an_outage_of_thousands_of_bars_is_taken_in_parts(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", "retrain.every_bars=500")
    rehearsal.run(3)
    proof = proof_of(rehearsal, 3, begin_ms=rehearsal.begin_ms + 2503 * HOUR_MS)
    assert [event["bars"] for event in rehearsal.events("gap_filled")] == [1000, 1000, 500]
    assert (len(proof.bars), proof.late, proof.holes) == (2506, 2500, 0)
    starts = [event["due"] for event in rehearsal.events("training_started")]
    assert starts == sorted(set(starts)), "none twice, and those of long ago not at all"
    last = int(proof.bars.open_time[-1])
    assert starts[-1] == max(t for t in proof.bars.open_time.tolist() if due_after_500(t)) <= last


def test_a_clock_ahead_of_ours_is_followed(rehearsal: Rehearsal) -> None:
    proof = proof_of(rehearsal, 12, faults=Faults(clock_skew_ms=3_000))
    assert (proof.late, proof.holes, proof.untrue) == (0, 0, 0)

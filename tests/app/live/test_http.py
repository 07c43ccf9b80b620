"""The daemon through pybit, sockets and threads on a practice exchange whose clock is ours."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.practice.exchange import PracticeExchange
from bot.timegrid import HOUR_MS
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import Rehearsal
from tests.app.live.live_stage import TICK_MS, Stage


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    return Rehearsal.make(tmp_path / "run", "synthetic.missing=0")


def proof_of(rehearsal: Rehearsal) -> Proof:
    proof = prove(rehearsal.folder, rehearsal.source)
    assert (proof.holes, proof.untrue) == (0, 0)
    return proof


def test_bars_in_time(rehearsal: Rehearsal) -> None:
    async def act(stage: Stage, server: PracticeExchange) -> None:
        await stage.told.until("connected", 1)
        await stage.told.until("bar_opened", 1)
        for _ in range(6):
            await stage.bar()

    asyncio.run(Stage(rehearsal).play(act))
    proof = proof_of(rehearsal)
    assert (len(proof.bars), proof.late) == (6, 0)
    assert len(proof.fills) > 5


def test_a_cut_line_and_a_lost_confirm(rehearsal: Rehearsal) -> None:
    async def act(stage: Stage, server: PracticeExchange) -> None:
        await stage.told.until("connected", 1)
        await stage.told.until("bar_opened", 1)
        await stage.bar()
        server.switch.change({"drop": 1.0})
        await stage.clock.advance(TICK_MS)
        await stage.told.until("disconnected", 1)
        server.switch.change({"drop": 0.0, "lost_confirm": 1.0})
        await stage.told.until("connected", 2)
        now = stage.clock.now_ms()
        await stage.clock.advance(HOUR_MS - now % HOUR_MS)
        await stage.clock.advance(5_000)  # the deadline
        await stage.told.until("bar_closed", 2)
        server.switch.change({"lost_confirm": 0.0})

    asyncio.run(Stage(rehearsal).play(act))
    proof = proof_of(rehearsal)
    assert (len(proof.bars), proof.late) == (2, 0)


def test_killed_off_and_taken_up_again(rehearsal: Rehearsal) -> None:
    async def first(stage: Stage, server: PracticeExchange) -> None:
        await stage.told.until("bar_opened", 1)
        await stage.told.until("connected", 1)
        await stage.bar()
        await stage.bar()

    async def second(stage: Stage, server: PracticeExchange) -> None:
        await stage.told.until("gap_filled", 1)
        await stage.told.until("connected", 1)
        await stage.told.until("bar_opened", 1)
        await stage.bar()

    asyncio.run(Stage(rehearsal).play(first))
    rehearsal.begin_ms += 5 * HOUR_MS
    asyncio.run(Stage(rehearsal).play(second))
    proof = proof_of(rehearsal)
    assert (len(proof.bars), proof.late) == (6, 3)

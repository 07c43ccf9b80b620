"""The states of the live loop: the table is what the documents say, and nothing else can happen."""

from __future__ import annotations

import asyncio
import itertools
import re
from pathlib import Path

import pytest

from bot.app.live.states import TRANSITIONS, LoopEvent, LoopState, next_state
from bot.errors import InvariantError
from bot.practice.exchange import PracticeExchange
from scripts.soaking.rehearsal import Rehearsal
from tests.app.live.live_stage import Stage

ARCHITECTURE = Path(__file__).parents[3] / "docs" / "architecture.md"
_ROW = re.compile(r"^\| `(\w+)`[^|]*\| `(\w+)`[^|]*\| `(\w+)` \|$", re.MULTILINE)


def documented() -> dict[tuple[str, str], str]:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    part = text.split("### The states of the live loop")[1].split("\nA stop is no event")[0]
    return {(was, on): now for was, on, now in _ROW.findall(part)}


@pytest.mark.parametrize(("state", "event"), [*itertools.product(LoopState, LoopEvent)], ids=str)
def test_every_pair_of_state_and_event(state: LoopState, event: LoopEvent) -> None:
    expected = documented().get((state, event))
    if expected is not None:
        assert next_state(state, event) == expected
    else:
        with pytest.raises(InvariantError, match=f"'{event}' while it was '{state}'"):
            next_state(state, event)


def test_the_documents_have_the_whole_table() -> None:
    assert documented() == {(str(a), str(b)): str(c) for (a, b), c in TRANSITIONS.items()}


def test_every_state_is_reached_and_leads_to_the_end() -> None:
    reached = {LoopState.STARTING}
    while more := {now for (was, _), now in TRANSITIONS.items() if was in reached} - reached:
        reached |= more
    assert reached == set(LoopState)
    ending = {LoopState.DONE}
    while more := {was for (was, _), now in TRANSITIONS.items() if now in ending} - ending:
        ending |= more
    assert ending == set(LoopState)


def test_every_event_can_happen() -> None:
    assert {event for _, event in TRANSITIONS} == set(LoopEvent)


def transitions(stage: Stage) -> list[tuple[str, str, str]]:
    told = [event for event in stage.told.events if event["event"] == "loop_state"]
    assert all(now["was"] == before["now"] for before, now in itertools.pairwise(told))
    return [(event["was"], event["on"], event["now"]) for event in told]


def test_a_run_tells_each_transition(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", "synthetic.missing=0")

    async def act(stage: Stage, _: PracticeExchange) -> None:
        await stage.told.until("connected", 1)
        await stage.told.until("bar_opened", 1)
        await stage.bar()
        await stage.told.until("loop_state", 6)

    async def resume(stage: Stage, _: PracticeExchange) -> None:
        await stage.told.until("connected", 1)
        await stage.told.until("loop_state", 2)

    stage = Stage(rehearsal)
    asyncio.run(stage.play(act))
    assert transitions(stage)[:6] == [
        ("starting", "started", "catching_up"),
        ("catching_up", "caught_up", "waiting_open"),
        ("waiting_open", "open_committed", "opened"),
        ("opened", "candles_complete", "closing"),
        ("closing", "close_committed", "waiting_open"),
        ("waiting_open", "open_committed", "opened"),
    ]
    rehearsal.begin_ms = stage.clock.now_ms()
    again = Stage(rehearsal)
    asyncio.run(again.play(resume))
    assert transitions(again)[:2] == [
        ("starting", "started", "catching_up"),
        ("catching_up", "caught_up_inside", "opened"),
    ]

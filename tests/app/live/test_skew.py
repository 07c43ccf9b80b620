"""Clocks that are wrong, there or here: no bar is closed early, none of the future; then it goes on.

The whole adapter and the whole daemon, in virtual time: only sockets and threads are left out.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.practice.faults import Faults
from bot.timegrid import MINUTE_MS
from scripts.soaking.adapter_rehearsal import Local, play
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import Rehearsal

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

STEP_MS = 5 * MINUTE_MS
NEWEST = """
    SELECT max(open_time) FROM ledger UNION ALL SELECT * FROM (
        SELECT open_time FROM bars WHERE close IS NOT NULL ORDER BY open_time DESC LIMIT 1)
"""
"""The bars that are closed last: one that is open has no close and is in no ledger."""

long = pytest.mark.long
SKEWS_S = (10, -10, 400, -400, 86_400, -86_400)


def rehearsal(folder: Path, *settings: str, speed: float = 1.0) -> Rehearsal:
    made = Rehearsal.make(
        folder, "market.interval=5m", "synthetic.missing=0", "exchange.quote_timeout_s=20",
        "practice.ticks_per_bar=30", "log.heartbeat_s=60", f"practice.speed={speed:g}", *settings,
    )  # fmt: skip
    exchange = made.config.exchange.model_copy(update={"speed": speed})
    made.config = made.config.model_copy(update={"exchange": exchange})
    made.begin_ms += 400 * STEP_MS  # there was a market a day ago too
    return made


class Watched:
    """A script that skews the exchange's times for a while and looks that no bar comes too soon."""

    def __init__(self, run: Rehearsal, after_bars: float, bars: float, **skew: int) -> None:
        self._run, self._after, self._bars, self._skew = run, after_bars, bars, skew
        self.early: list[tuple[int, int]] = []

    async def __call__(self, local: Local) -> None:
        begin = local.clock.now_ms()
        watching = asyncio.create_task(self._watch(local))
        await local.clock.sleep_until(begin + int(self._after * STEP_MS))
        local.switch.change(self._skew)
        await local.clock.sleep_until(begin + int((self._after + self._bars) * STEP_MS))
        local.switch.change(dict.fromkeys(self._skew, 0))
        await watching

    async def _watch(self, local: Local) -> None:
        while not self._run.folder.journal.exists():
            await asyncio.sleep(1.0)
        with closing(sqlite3.connect(self._run.folder.journal)) as journal:
            while True:
                await asyncio.sleep(2.0 / self._run.config.exchange.speed)
                for (last,) in journal.execute(NEWEST).fetchall():
                    if last is not None and last + STEP_MS > local.clock.now_ms():
                        self.early.append((last, local.clock.now_ms()))


def proved(run: Rehearsal, watched: Watched) -> Proof:
    proof = prove(run.folder, run.source)
    assert watched.early == [], "a bar was committed before its end"
    assert proof.untrue == 0, "a candle was taken before it was closed"
    assert proof.holes == 0
    return proof


def every(*quick: tuple[int, str]) -> list[Any]:
    """Return every skew in both modes; all but these only where long tests are wanted."""
    cases = [(skew_s, feed) for skew_s in SKEWS_S for feed in ("stream", "poll")]
    return [pytest.param(*case, marks=[] if case in quick else [long]) for case in cases]


@pytest.mark.parametrize(("skew_s", "feed"), every((10, "stream"), (-400, "poll")))
def test_a_skew_that_comes_and_goes(tmp_path: Path, skew_s: int, feed: str) -> None:
    run = rehearsal(tmp_path / "run", f"market.feed={feed}")
    watched = Watched(run, 3.4, 4.5, clock_skew_ms=skew_s * 1000)
    play(run, 16, watched, max_hours=5.0)
    proof = proved(run, watched)
    assert proof.bars.tradable[-3:].all(), "it goes on when the clock is right again"
    assert len(proof.bars) - proof.late >= 10


@pytest.mark.parametrize(("skew_s", "feed"), every((10, "poll"), (-86_400, "stream")))
def test_a_skew_from_the_start_that_goes_away(tmp_path: Path, skew_s: int, feed: str) -> None:
    run = rehearsal(tmp_path / "run", f"market.feed={feed}")
    watched = Watched(run, 6.3, 100.0, clock_skew_ms=0)
    faults = Faults(clock_skew_ms=skew_s * 1000)
    missed = 288 if (skew_s, feed) == (-86_400, "poll") else 0  # pushed one by one, and closed late
    play(run, 16 + missed, watched, faults=faults, max_hours=5.0)
    proof = proved(run, watched)
    assert proof.bars.tradable[-3:].all()
    old = proof.bars.open_time < run.begin_ms - STEP_MS
    assert not proof.bars.tradable[old].any(), "nothing is decided on what is long over"


@long
@pytest.mark.parametrize("skew_s", SKEWS_S)
def test_only_the_time_that_is_asked_for_is_wrong(tmp_path: Path, skew_s: int) -> None:
    run = rehearsal(tmp_path / "run")
    watched = Watched(run, 3.4, 4.5, time_skew_ms=skew_s * 1000)
    play(run, 14, watched, max_hours=5.0)
    proof = proved(run, watched)
    assert proof.bars.tradable[-3:].all()


@pytest.mark.parametrize("skew_s", [400, *(pytest.param(s, marks=long) for s in (-86_400, 86_400))])
def test_this_machines_clock_is_wrong(tmp_path: Path, skew_s: int) -> None:
    run = rehearsal(tmp_path / "run")
    watched = Watched(run, 1.0, 1.0, clock_skew_ms=0)
    play(run, 6, watched, wall_skew_ms=skew_s * 1000, max_hours=5.0)
    proof = proved(run, watched)
    assert (len(proof.bars), proof.late) == (6, 0)
    times: list[Any] = run.events("heartbeat")
    assert len(times) >= 25, "a heartbeat a minute, whatever the clock says"


@pytest.mark.parametrize(
    "skew_s", [400, *(pytest.param(s, marks=long) for s in (10, -400, 86_400))]
)
def test_the_same_accelerated(tmp_path: Path, skew_s: int) -> None:
    run = rehearsal(tmp_path / "run", speed=60.0)
    watched = Watched(run, 3.4, 4.5, clock_skew_ms=skew_s * 1000)
    play(run, 16, watched, max_hours=12.0)
    proof = proved(run, watched)
    assert proof.bars.tradable[-2:].all()


def test_a_day_ahead_for_four_seconds_changes_nothing(tmp_path: Path) -> None:
    run = rehearsal(tmp_path / "run", "exchange.clock_check_s=2")
    watched = Watched(run, 3.4, 4.0 / 300.0, clock_skew_ms=86_400_000)
    play(run, 8, watched, max_hours=5.0)
    proof = proved(run, watched)
    assert (len(proof.bars), proof.late) == (8, 0)
    jumps = run.events("clock_jump")
    assert jumps
    assert not any(jump["believed"] for jump in jumps)
    assert run.events("feed")[-1]["clock_refused"] == len(jumps)

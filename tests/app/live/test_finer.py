"""The realised variance of bars in whole rehearsed runs: fetched, asked for in time, and not known."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import numpy as np

from bot.adapters.journal.forms import open_journal
from bot.blocks import F64, BarBlock
from bot.practice.faults import Faults
from bot.practice.market import PracticeMarket
from bot.timegrid import HOUR_MS, MINUTE_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import Rehearsal

STEP = 15 * MINUTE_MS
SETS = (
    "synthetic.missing=0", "market.finer_interval=15m", 'features.names=["core", "log_realised_24"]',
)  # fmt: skip


def seen(rehearsal: Rehearsal) -> BarBlock:
    """Return all bars of the journal, those before the start among them."""
    with closing(open_journal(rehearsal.folder.journal)) as journal:
        return journal.bars()


def truth(rehearsal: Rehearsal, bars: BarBlock) -> F64:
    """Return what the path of the practice exchange realised in each bar, float64[n, S]."""
    market = PracticeMarket(rehearsal.source)
    found = np.empty(bars.close.shape)
    for i, time in enumerate(bars.open_time.tolist()):
        for s in range(bars.n_symbols):
            pieces = market.pieces(market.bar_at(time), s, STEP, time + HOUR_MS)
            path = np.concatenate([pieces.open[:1, 0], pieces.close[:, 0]])
            found[i, s] = np.square(np.diff(np.log(path))).sum()
    return found


def test_history_and_live_bars_have_what_shorter_candles_say(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", *SETS)
    rehearsal.run(8)
    assert prove(rehearsal.folder, rehearsal.source).late == 0
    bars = seen(rehearsal)
    assert len(bars) > 100
    np.testing.assert_allclose(
        bars.realised_variance, truth(rehearsal, bars), rtol=1e-9, atol=1e-15
    )


def test_bars_that_are_caught_up_with_have_it_too(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", *SETS)
    rehearsal.run(3)
    rehearsal.run(3, begin_ms=rehearsal.begin_ms + 12 * HOUR_MS)
    assert prove(rehearsal.folder, rehearsal.source).late > 0
    bars = seen(rehearsal)
    np.testing.assert_allclose(
        bars.realised_variance, truth(rehearsal, bars), rtol=1e-9, atol=1e-15
    )


def test_what_is_not_answered_by_the_end_is_not_known_and_holds_nothing_up(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", *SETS)
    silent: list[int] = []

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        bar = exchange.clock.now_ms() // HOUR_MS * HOUR_MS + 2 * HOUR_MS
        silent.append(bar)
        await exchange.clock.pause(bar + HOUR_MS - STEP - MINUTE_MS - exchange.clock.now_ms())
        exchange.switch.change({"unavailable": 1.0})
        await exchange.clock.pause(STEP + MINUTE_MS + 500)
        exchange.switch.faults = Faults()

    rehearsal.run(6, script=script)
    proof = prove(rehearsal.folder, rehearsal.source)
    unknown = np.isnan(proof.bars.realised_variance).all(axis=1)
    assert proof.bars.open_time[unknown].tolist() == silent
    assert proof.late == 0
    (told,) = rehearsal.events("variance_unknown")
    assert [told["first"], set(told["unknown"].values())] == [silent[0], {1}]


def test_a_halted_symbol_holds_up_no_other(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", *SETS)
    halt_ms = rehearsal.begin_ms // HOUR_MS * HOUR_MS + 2 * HOUR_MS
    rehearsal.run(6, faults=Faults(halted=1, halt_ms=halt_ms, halt_until_ms=halt_ms + 2 * HOUR_MS))
    proof = prove(rehearsal.folder, rehearsal.source)
    bars = seen(rehearsal)
    assert bars.open_time[~bars.valid[:, -1]].tolist() == [halt_ms, halt_ms + HOUR_MS]
    np.testing.assert_array_equal(np.isfinite(bars.realised_variance), bars.valid)
    assert rehearsal.events("variance_unknown") == []
    assert proof.late == 0


def test_without_the_setting_nothing_is_asked_for(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", "synthetic.missing=0")
    rehearsal.run(2)
    proof = prove(rehearsal.folder, rehearsal.source)
    assert np.isnan(proof.bars.realised_variance).all()

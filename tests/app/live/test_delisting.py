"""A symbol that the exchange lists no more: the others go on, and the run can be proved."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from bot.app.verify.proof import verify
from bot.errors import ConfigError
from bot.timegrid import HOUR_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import Rehearsal

GONE = "SYN1USDT"


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    return Rehearsal.make(tmp_path / "run", "synthetic.missing=0.0")


async def delist(exchange: DirectExchange, stop: asyncio.Event) -> None:
    del stop
    exchange.delisted.add(GONE)


def test_in_the_middle_of_a_run(rehearsal: Rehearsal) -> None:
    begin = rehearsal.begin_ms // HOUR_MS * HOUR_MS

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.sleep_until(begin + 10 * HOUR_MS - HOUR_MS // 2)
        await delist(exchange, stop)

    rehearsal.run(30, script=script)
    bars = prove(rehearsal.folder, rehearsal.source).bars
    s = rehearsal.config.market.symbols.index(GONE)
    assert bars.valid[:9].all()
    assert not bars.valid[9:, s].any()
    assert np.delete(bars.valid, s, axis=1).all()
    assert bars.tradable.all(), "no bar waits for it"
    assert not rehearsal.events("exchange_unreachable"), "the others' candles come"
    (told,) = rehearsal.events("symbol_unlisted")
    assert (told["symbol"], told["reason"]) == (GONE, f"{GONE}: not supported")
    after = [e for e in rehearsal.events("decision") if e["bar"] > begin + 12 * HOUR_MS]
    assert {e["symbol"] for e in after if e["order"]} == {"SYN0USDT", "SYN2USDT"}


def test_while_the_run_was_down(rehearsal: Rehearsal) -> None:
    rehearsal.run(10)
    rehearsal.begin_ms += 40 * HOUR_MS
    rehearsal.run(5, script=delist)
    bars = prove(rehearsal.folder, rehearsal.source).bars
    s = rehearsal.config.market.symbols.index(GONE)
    assert not bars.valid[12:, s].any()
    assert np.delete(bars.valid, s, axis=1).all()
    assert len(rehearsal.events("bar_closed")) >= 15
    assert [event["symbol"] for event in rehearsal.events("symbol_unlisted")] == [GONE]
    assert verify(rehearsal.folder).identical


def test_a_new_run_is_refused(rehearsal: Rehearsal) -> None:
    with pytest.raises(ConfigError, match=GONE):
        rehearsal.run(5, script=delist)
    assert not rehearsal.folder.journal.exists()

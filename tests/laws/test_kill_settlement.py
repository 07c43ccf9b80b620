"""Killed −9 while a delisted symbol is settled: it is settled once, and the run is proved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.adapters.exchange import Delivery
from bot.adapters.journal.forms import open_journal
from bot.app.verify.proof import verify
from bot.portfolio.reasons import FillReason
from bot.timegrid import HOUR_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.killing import Point, die
from scripts.soaking.rehearsal import Rehearsal
from tests.app.live.test_symbol_life import announced
from tests.laws.killed import SETTINGS, Daemons, warm_up

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    warm_up(tmp_path_factory.mktemp("warm") / "run")


@pytest.mark.parametrize("down_h", [0.2, 5.0])
@pytest.mark.parametrize("point", ["after fills", "before state", "before COMMIT", "after COMMIT"])
def test_killed_in_the_bar_of_the_settlement(
    tmp_path: Path, point: Point, down_h: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    settling: list[str] = []
    delivery_of = DirectExchange.delivery

    async def noted(self: DirectExchange, symbol: str) -> Delivery | None:
        settling.append(symbol)
        return await delivery_of(self, symbol)

    monkeypatch.setattr(DirectExchange, "delivery", noted)
    rehearsal = Rehearsal.make(
        tmp_path / "run", *SETTINGS, "synthetic.missing=0", "risk.on_leaving=hold"
    )
    daemons = Daemons(rehearsal, 0.0, announced(rehearsal, 1.5, 6))

    def reached(here: Point, count: int) -> None:
        if settling and here == point:
            die()

    assert daemons.live(12, reached)
    daemons.time.pass_by(int(down_h * HOUR_MS))
    assert not daemons.live(3, lambda here, count: None)
    with open_journal(rehearsal.folder.journal) as record:
        fills = record.fills()
        times, _ = record.ledger()
        held = record.positions(times)[:, 2]
    settled = fills[fills["reason"] == FillReason.SETTLEMENT]
    assert [(int(f["open_time"]) - int(times[0])) // HOUR_MS for f in settled] == [5]
    assert held[4] == -settled["quantity"][0] != 0.0
    assert not np.any(held[5:])
    assert verify(rehearsal.folder).identical

"""Law: a run of inverse contracts outlives its kills, and its equity is what fills, funding and marks make."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.adapters.journal.forms import open_journal
from bot.app.runs.folder import RunFolder
from bot.app.runs.status import read_status
from bot.blocks import F64
from bot.config import to_toml
from bot.portfolio.reasons import FillReason
from bot.timegrid import HOUR_MS
from scripts.soaking.killing import Point
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal
from tests.app.live.test_joining import asked, asking
from tests.app.live.test_symbol_life import announced
from tests.laws.killed import MINUTE_MS, SETTINGS, Daemons, at, never, warm_up

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

INVERSE = (*SETTINGS, "market.venue=bybit_inverse", "sizing.fraction=0.6")
PLAN: list[tuple[Point, int]] = [
    ("after bars", 1), ("before COMMIT", 2), ("after fills", 3), ("after ledger", 4),
    ("after positions", 2), ("before state", 5), ("after state", 3), ("after COMMIT", 9),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    warm_up(tmp_path_factory.mktemp("warm") / "run")


def retold(folder: RunFolder, cash: float) -> tuple[F64, F64, float, list[float], list[float]]:
    """Return equity as recorded and as bars and fills make it, and at the end cash, coins and contracts, in plain
    Python; coins owed at a close without contracts are bought there."""
    with open_journal(folder.journal) as record:
        times, ledger = record.ledger()
        bars, fills = record.bars(), record.fills()
    assert FillReason.LIQUIDATION not in fills["reason"]
    S, first = bars.n_symbols, len(bars) - len(times)
    coins, held, price, equity = [0.0] * S, [0.0] * S, [math.nan] * S, []
    for i in range(len(bars)):
        marks = [float(bars.mark[i, s]) for s in range(S)]
        for s in range(S):
            if math.isnan(marks[s]):
                marks[s] = float(bars.open[i, s]) if bars.valid[i, s] else price[s]
            rate = float(bars.funding_rate[i, s])
            if held[s] and not math.isnan(rate):
                coins[s] -= held[s] * rate / marks[s]
        for fill in fills[fills["open_time"] == bars.open_time[i]]:
            s, paid = int(fill["symbol"]), float(fill["price"])
            held[s] += float(fill["quantity"])
            coins[s] += (float(fill["quantity"]) - float(fill["fee"])) / paid
        for s in range(S):
            if held[s]:
                coins[s] -= held[s] * float(bars.funding_inside[i, s]) / marks[s] ** 2
            price[s] = float(bars.close[i, s]) if bars.valid[i, s] else price[s]
            if coins[s] < 0.0 and not held[s]:
                cash, coins[s] = cash + coins[s] * price[s], 0.0
        if i >= first:
            worth = [coins[s] * price[s] - held[s] for s in range(S) if held[s] or coins[s]]
            equity.append(cash + math.fsum(worth))
    return ledger["equity"], np.array(equity), cash, coins, held


def hold_together(rehearsal: Rehearsal) -> None:
    capital = rehearsal.config.portfolio.initial_capital
    recorded, mine, cash, coins, held = retold(rehearsal.folder, capital)
    np.testing.assert_allclose(mine, recorded, rtol=1e-11)
    assert np.ptp(recorded) > 1e-3 * capital
    status = read_status(rehearsal.folder)
    assert status.cash == pytest.approx(cash, rel=1e-11)
    assert {c.symbol: c.value for c in status.coins} == pytest.approx(
        {c.symbol: coins[s] * c.mark - held[s] for s, c in enumerate(status.coins)}
    )


def test_killed_and_resumed_it_is_proved_and_adds_up(tmp_path: Path) -> None:
    daemons = Daemons(Rehearsal.make(tmp_path / "run", *INVERSE), training_s=600.0)
    dice = random.Random(5)
    for point, count in PLAN:
        assert daemons.live(60, at(point, count)), f"{point} was not reached"
        daemons.time.pass_by(dice.choice([0, 5, 70]) * MINUTE_MS)
    assert not daemons.live(12, never)
    proof = prove(daemons.rehearsal.folder, daemons.rehearsal.source)
    assert (proof.holes, proof.untrue) == (0, 0)
    assert len(proof.fills) > 20
    assert np.count_nonzero(np.nan_to_num(proof.bars.funding_rate)) > 3
    hold_together(daemons.rehearsal)


def test_funding_inside_long_bars_is_paid_in_the_coins_of_their_marks(tmp_path: Path) -> None:
    settings = (*INVERSE, "market.interval=12h", "practice.ticks_per_bar=48")  # a quote in time
    rehearsal = Rehearsal.make(tmp_path / "run", *settings)
    rehearsal.run(30)
    proof = prove(rehearsal.folder, rehearsal.source)
    assert np.count_nonzero(proof.bars.funding_inside) > 20
    hold_together(rehearsal)


def test_a_contract_that_is_delisted_is_settled_in_coins(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(
        tmp_path / "run", *INVERSE, "synthetic.missing=0", "risk.on_leaving=hold"
    )
    rehearsal.run(12, script=announced(rehearsal, 1.5, 6), pool=PoolHere(seconds=0.0))
    proof = prove(rehearsal.folder, rehearsal.source)
    settled = proof.fills[proof.fills["reason"] == FillReason.SETTLEMENT]
    assert settled["symbol"].tolist() == [2]
    hold_together(rehearsal)
    status = read_status(rehearsal.folder)
    (coin,) = [each for each in status.coins if each.symbol == "SYN2USD"]
    assert coin.made == 0.0
    assert coin.value == pytest.approx(coin.balance * coin.mark)


def test_a_symbol_joins_and_a_person_flattens(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", *INVERSE, "synthetic.missing=0")
    every = rehearsal.config.market.symbols
    market = rehearsal.config.market.model_copy(update={"symbols": every[:2]})
    rehearsal.config = rehearsal.config.model_copy(update={"market": market})
    rehearsal.folder.config.write_text(to_toml(rehearsal.config), encoding="utf-8")
    joins = asked(rehearsal, list(every), 5.2)
    flattens, resumes = (
        replace(asked(rehearsal, [], hours), kind=kind, settings={})
        for hours, kind in ((30.2, "flatten"), (36.2, "resume"))
    )
    rehearsal.run(
        50, script=asking(rehearsal, joins, flattens, resumes), pool=PoolHere(seconds=0.0)
    )
    proof = prove(rehearsal.folder, rehearsal.source)
    assert proof.untrue == 0
    hours = (proof.fills["open_time"] - proof.bars.open_time[0]) // HOUR_MS
    assert (proof.fills["symbol"][hours > 6] == 2).any()
    assert FillReason.COMMAND in proof.fills["reason"]
    assert hours.max() > 37, "it trades again"
    with open_journal(rehearsal.folder.journal) as record:
        assert [row.refused for row in record.commands()] == [None] * 4
    hold_together(rehearsal)

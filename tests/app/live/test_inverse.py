"""A daemon that trades inverse contracts: through pybit and sockets, in contracts and coins."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from bot.adapters.journal.forms import open_journal
from bot.app.runs.status import read_status
from bot.portfolio.margin_tiers import OF_OTHERS
from bot.practice.exchange import PracticeExchange
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import Rehearsal
from tests.app.live.live_stage import Stage

SETTINGS = ("market.venue=bybit_inverse", "synthetic.missing=0")


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """Return a run of six bars over HTTP and a stream."""
    made = Rehearsal.make(tmp_path_factory.mktemp("inverse") / "run", *SETTINGS)

    async def act(stage: Stage, server: PracticeExchange) -> None:
        await stage.told.until("connected", 1)
        await stage.told.until("bar_opened", 1)
        for _ in range(6):
            await stage.bar()

    asyncio.run(Stage(made).play(act))
    return made


def test_bars_fills_and_proof(rehearsal: Rehearsal) -> None:
    proof = prove(rehearsal.folder, rehearsal.source)
    assert (len(proof.bars), proof.late, proof.holes, proof.untrue) == (6, 0, 0, 0)
    assert rehearsal.config.market.symbols == ("SYN0USD", "SYN1USD", "SYN2USD")
    fills = proof.fills
    assert len(fills) > 5
    np.testing.assert_array_equal(fills["quantity"], np.rint(fills["quantity"]))
    fee = 0.00055 * np.abs(fills["quantity"])  # of as many dollars as there are contracts
    assert fills["fee"] == pytest.approx(fee)
    value = proof.bars.volume / proof.bars.close  # volume is in USD, turnover in coin
    assert proof.bars.turnover == pytest.approx(value, rel=0.05)


def test_what_the_exchange_told_of_them_is_on_record(rehearsal: Rehearsal) -> None:
    with open_journal(rehearsal.folder.journal) as record:
        told = json.loads(record.meta["instruments"])["SYN0USD"]
    assert (told["quantity_step"], told["min_quantity"], told["min_notional"]) == (1.0, 1.0, 5.0)
    assert (told["base"], told["quote"], told["settle"]) == ("SYN0", "USD", "SYN0")
    coin = float(rehearsal.market.first_price[0])
    assert [tier[0] * coin for tier in told["tiers"]] == pytest.approx(
        [tier.limit_value for tier in OF_OTHERS]
    )


def test_margin_is_by_these_tiers_in_coin(rehearsal: Rehearsal) -> None:
    status, fee = read_status(rehearsal.folder), 0.00055
    assert status.positions
    with open_journal(rehearsal.folder.journal) as record:
        instruments = json.loads(record.meta["instruments"])
    for held in status.positions:
        tiers = instruments[held.symbol]["tiers"]
        coins = abs(held.quantity) / held.mark
        _, rate, deduction, _ = next(tier for tier in tiers if coins <= tier[0])
        needed = (coins * (rate + fee) - deduction) * held.mark
        assert held.margin is not None
        assert held.margin.maintenance == pytest.approx(needed)


def test_status_can_be_read(rehearsal: Rehearsal) -> None:
    status = read_status(rehearsal.folder)
    assert all(p.value == p.quantity for p in status.positions)
    assert status.margin is not None
    assert status.cash == rehearsal.config.portfolio.initial_capital

"""Funding live: charged at 00, 08 and 16 UTC, as settled, as announced, or not known."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import numpy as np
import pytest

from bot.adapters.exchange import Quote
from bot.adapters.funding_files import Funding
from bot.adapters.journal_reader import JournalReader
from bot.app.live_funding import LiveFunding
from bot.errors import ExchangeError
from bot.practice.faults import Faults
from bot.timegrid import HOUR_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import Rehearsal

EIGHT, NINE = 8 * HOUR_MS, 9 * HOUR_MS
NAN = math.nan


class Settled(DirectExchange):
    """An exchange of which only the rates are asked; without them it does not answer."""

    def __init__(self, rates: dict[int, float] | None, *, hangs: bool = False) -> None:
        self.rates = rates
        self.hangs = hangs
        self.asked: list[str] = []

    async def funding(self, symbol: str, start_ms: int, end_ms: int) -> Funding:
        self.asked.append(symbol)
        if self.hangs:
            await asyncio.Event().wait()
        if self.rates is None:
            raise ExchangeError("no answer")
        times = [t for t in sorted(self.rates) if start_ms <= t <= end_ms]
        return Funding(np.array(times, np.int64), np.array([self.rates[t] for t in times]))


def due(
    exchange: Settled, at: int, announced: float | None, held: float, venue: str = "bybit_linear"
) -> dict[str, float]:
    funding = LiveFunding(exchange, ["A"], venue, patience_s=0.01 if exchange.hangs else 60.0)
    if announced is not None:
        funding.feed(Quote("A", 1.0, 1.0, 1.0, announced, EIGHT, received_ms=7 * HOUR_MS))
    return asyncio.run(funding.at_open(at, np.array([held])))


@pytest.mark.parametrize(
    ("rates", "at", "announced", "held", "expected"),
    [
        ({EIGHT: 3e-4}, EIGHT, 1e-4, 5.0, {"A": 3e-4}),
        ({EIGHT: 3e-4}, EIGHT, 1e-4, 0.0, {"A": 1e-4}),
        ({}, EIGHT, 1e-4, 5.0, {"A": 1e-4}),
        (None, EIGHT, 1e-4, 5.0, {"A": 1e-4}),
        (None, EIGHT, None, 5.0, {"A": NAN}),
        ({}, EIGHT, None, 0.0, {"A": NAN}),
        ({NINE: 2e-4}, NINE, None, 5.0, {"A": 2e-4}),
        ({}, NINE, None, 5.0, {}),
        ({}, NINE, None, 0.0, {}),
        ({}, 7 * HOUR_MS + 1, 1e-4, 5.0, {}),
        ({EIGHT: 0.0}, EIGHT, 1e-4, 5.0, {}),
    ],
)
def test_what_a_bar_opens_with(
    rates: dict[int, float] | None,
    at: int,
    announced: float | None,
    held: float,
    expected: dict[str, float],
) -> None:
    assert due(Settled(rates), at, announced, held) == pytest.approx(expected, nan_ok=True)


def test_an_answer_that_does_not_come_in_time_is_not_waited_for() -> None:
    assert due(Settled({EIGHT: 3e-4}, hangs=True), EIGHT, 1e-4, 5.0) == {"A": 1e-4}


def test_only_what_would_pay_is_asked_for() -> None:
    exchange = Settled({EIGHT: 1e-4})
    due(exchange, EIGHT, 1e-4, 0.0)
    due(exchange, 7 * HOUR_MS, 1e-4, 3.0)
    due(exchange, EIGHT, 1e-4, 3.0, venue="bybit_spot")
    assert exchange.asked == []
    due(exchange, EIGHT, 1e-4, -3.0)
    assert exchange.asked == ["A"]


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
    reader = JournalReader(rehearsal.folder.journal)
    _, ledger = reader.ledger()
    held = np.vstack([np.zeros(3), reader.positions(times)[:-1]]) != 0.0
    reader.close()
    assert held[usual].any()
    assert np.array_equal(rates[held], truth[held])
    assert (ledger["funding"][usual] != 0.0).any()
    assert (ledger["funding"][~usual] == 0.0).all()


def test_not_known_where_nobody_says(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", "synthetic.missing=0")

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        # silent from before the announcement until after the funding, while candles are had by REST
        exchange.switch.change({"mute": True})
        await exchange.clock.pause(8 * HOUR_MS)
        exchange.switch.faults = Faults()

    rehearsal.run(12, script=script)
    proof = prove(rehearsal.folder, rehearsal.source)
    [unknown] = np.flatnonzero(np.isnan(proof.bars.funding_rate).any(axis=1))
    assert proof.bars.open_time[unknown] % EIGHT == 0
    assert proof.late == 0

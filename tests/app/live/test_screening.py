"""What an exchange says that cannot be true: never booked, told, counted, and proved."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.exchange import BadFrame, Candle, Event, Quote
from bot.adapters.files.candles import Candles
from bot.adapters.files.funding import Funding
from bot.adapters.journal.forms import open_journal
from bot.app.live.funding import LiveFunding
from bot.app.live.screening import ScreenedExchange
from bot.app.runs.heartbeat import read_heartbeat
from bot.app.verify.proof import verify
from bot.blocks import BarBlock
from bot.plausibility import Implausible, Prices
from bot.timegrid import HOUR_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.rehearsal import Rehearsal
from tests.app.live.altered import Altered

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

CALM = ("synthetic.missing=0", "synthetic.symbols=2")


def times_price(factor: float, first_ms: int, last_ms: int) -> Callable[[BarBlock], BarBlock]:
    """Multiply the first symbol's prices in the bars first..last."""

    def alter(block: BarBlock) -> BarBlock:
        there = (block.open_time >= first_ms) & (block.open_time <= last_ms)
        by = np.ones(block.close.shape)
        by[there, 0] = factor
        names = ("open", "high", "low", "close", "mark")
        return replace(block, **{name: getattr(block, name) * by for name in names})

    return alter


def rehearse(folder: Path, factor: float, first: int, last: int, *settings: str) -> Rehearsal:
    """Return a rehearsal in which bars first..last after the start are so many times as dear."""
    rehearsal = Rehearsal.make(folder, *CALM, *settings)
    begin = rehearsal.begin_ms // HOUR_MS * HOUR_MS
    alter = times_price(factor, begin + first * HOUR_MS, begin + last * HOUR_MS)
    rehearsal.__dict__["source"] = Altered(rehearsal.source, alter)
    return rehearsal


def read(rehearsal: Rehearsal) -> tuple[BarBlock, dict[str, Any], np.ndarray]:
    reader = open_journal(rehearsal.folder.journal)
    times, ledger = reader.ledger()
    bars = reader.bars(int(times[0]) - 1, int(times[-1]))
    fills = reader.fills()
    reader.close()
    return bars, ledger, fills


@pytest.mark.parametrize("factor", [1000.0, 1e-3, 1e6])
def test_a_wild_bar_freezes_its_symbol_and_is_never_booked(tmp_path: Path, factor: float) -> None:
    rehearsal = rehearse(tmp_path / "run", factor, 8, 8)
    rehearsal.run(16)
    bars, ledger, fills = read(rehearsal)
    [frozen] = np.flatnonzero(~bars.valid[:, 0])
    assert bars.valid[:, 1].all()
    assert bars.refused[frozen, 0] / bars.close[frozen - 1, 0] == pytest.approx(factor, rel=0.1)
    assert np.isnan(bars.close[frozen, 0])
    price = fills["price"][fills["symbol"] == 0]
    assert len(price) > 3
    assert price.max() / price.min() < 1.5
    assert np.abs(ledger["equity"] / 1e5 - 1.0).max() < 0.2
    told = rehearsal.events("implausible")
    assert {"quote", "candle"} <= {event["what"] for event in told}
    assert {event["symbol"] for event in told} == {rehearsal.config.market.symbols[0]}
    assert rehearsal.events("feed")[-1]["implausible"] >= len(told)
    beat = read_heartbeat(rehearsal.folder.path)
    assert beat is not None
    assert beat.implausible >= len(told)
    assert verify(rehearsal.folder).identical


def test_a_frozen_symbol_goes_on_paying_its_funding(tmp_path: Path) -> None:
    rehearsal = rehearse(tmp_path / "run", 1000.0, 7, 7, "retrain.every_bars=1000")
    rehearsal.run(12)
    bars, ledger, _ = read(rehearsal)
    [frozen] = np.flatnonzero(~bars.valid[:, 0])
    assert bars.open_time[frozen] % (8 * HOUR_MS) == 0
    reader = open_journal(rehearsal.folder.journal)
    held = reader.positions(bars.open_time)[frozen - 1]
    reader.close()
    assert held[0] != 0.0
    price = bars.mark[frozen]
    assert price[0] == pytest.approx(bars.close[frozen - 1, 0], rel=0.05)
    paid = (held * price * bars.funding_rate[frozen]).sum()
    assert ledger["funding"][frozen] == pytest.approx(paid)
    assert paid != 0.0


def test_a_price_that_stays_is_believed_at_the_second_bar(tmp_path: Path) -> None:
    rehearsal = rehearse(tmp_path / "run", 50.0, 8, 10**6)
    rehearsal.run(16)
    bars, _, _ = read(rehearsal)
    frozen = np.flatnonzero(~bars.valid[:, 0])
    assert len(frozen) == 1
    after = bars.close[frozen[0] + 1, 0]
    assert after == pytest.approx(bars.refused[frozen[0], 0], rel=0.2)
    assert verify(rehearsal.folder).identical


@pytest.mark.parametrize("last", [8, 10**6])
@pytest.mark.parametrize("bars", [8, 9, 10])
def test_ended_around_the_jump_and_taken_up_it_judges_alike(
    tmp_path: Path, last: int, bars: int
) -> None:
    whole = rehearse(tmp_path / "whole", 50.0, 8, last)
    whole.run(14)
    cut = rehearse(tmp_path / "cut", 50.0, 8, last)
    now = cut.run(bars)
    cut.run(14 - bars, begin_ms=now)
    expected, found = read(whole)[0], read(cut)[0]
    for name in ("open_time", "valid", "refused", "close"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert verify(cut.folder).identical


def test_after_an_outage_what_is_fetched_is_screened_too(tmp_path: Path) -> None:
    rehearsal = rehearse(tmp_path / "run", 1000.0, 8, 8)
    now = rehearsal.run(5)
    rehearsal.run(4, begin_ms=now + 6 * HOUR_MS)
    bars, ledger, _ = read(rehearsal)
    [frozen] = np.flatnonzero(~bars.valid[:, 0])
    assert not bars.tradable[frozen]
    assert np.isfinite(bars.refused[frozen, 0])
    assert np.abs(ledger["equity"] / 1e5 - 1.0).max() < 0.2
    assert verify(rehearsal.folder).identical


def test_history_before_the_start_is_screened_too(tmp_path: Path) -> None:
    rehearsal = rehearse(tmp_path / "run", 1e6, -30, -30)
    rehearsal.run(3)
    reader = open_journal(rehearsal.folder.journal)
    bars = reader.bars()
    reader.close()
    [frozen] = np.flatnonzero(~bars.valid[:, 0])
    assert np.isfinite(bars.refused[frozen, 0])
    assert {event["what"] for event in rehearsal.events("implausible")} == {"candle", "mark"}


class Told(DirectExchange):
    """An exchange that says what it is given."""

    def __init__(
        self, *events: Event, rate: float = 1e-4, marks: list[float] | None = None,
        highs: list[float] | None = None,
    ) -> None:  # fmt: skip
        self.said, self.rate, self.prices = events, rate, marks or []
        self.highs = highs or self.prices

    async def stream(self, symbols: Sequence[str], interval: str) -> AsyncGenerator[Event, None]:
        del symbols, interval
        for event in self.said:
            yield event

    async def funding(self, symbol: str, start_ms: int, end_ms: int) -> Funding:
        del symbol, end_ms
        return Funding(np.array([start_ms]), np.array([self.rate]))

    async def marks(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Candles:
        del symbol, interval, start_ms, end_ms
        column = np.array(self.prices)
        values = np.column_stack([column] * 6)
        values[:, 1] = self.highs
        return Candles(np.arange(len(column)), values)


def screened(exchange: Told, last: float = 100.0) -> tuple[ScreenedExchange, list[Implausible]]:
    refused: list[Implausible] = []
    prices = Prices(np.array([last]), np.array([np.nan]))
    return ScreenedExchange(exchange, ["A"], prices, 20.0, refused.append), refused


def heard(*events: Event) -> tuple[list[Event], list[str]]:
    async def listen() -> list[Event]:
        return [event async for event in screen.stream(["A"], "1h")]

    screen, refused = screened(Told(*events))
    return asyncio.run(listen()), [one.what for one in refused]


def quote(bid: float, ask: float, mark: float = 100.0, rate: float = 1e-4) -> Quote:
    return Quote("A", bid, ask, mark, rate, 8 * HOUR_MS, received_ms=7 * HOUR_MS)


def test_of_a_wild_quote_only_what_can_be_true_is_left() -> None:
    (good, asked, mark, rate), what = heard(
        quote(99.0, 101.0), quote(99.0, 1e9), quote(99.0, 101.0, mark=1e9),
        quote(99.0, 101.0, rate=1e9),
    )  # fmt: skip
    assert what == ["quote", "mark", "funding_rate"]
    assert isinstance(good, Quote)
    assert good.usable
    assert isinstance(asked, Quote)
    assert not asked.usable
    assert (asked.mark, asked.funding_rate) == (100.0, 1e-4)
    assert isinstance(mark, Quote)
    assert mark.usable
    assert math.isnan(mark.mark)
    assert isinstance(rate, Quote)
    assert rate.usable
    assert math.isnan(rate.funding_rate)


def test_a_first_price_that_cannot_be_true_fills_nothing() -> None:
    def candle(price: float, *, confirm: bool) -> Candle:
        return Candle("A", 0, price, price, price, price, 1.0, 1.0, confirm, received_ms=5)

    wild, closed = candle(1e9, confirm=False), candle(1e9, confirm=True)
    kept, what = heard(candle(100.0, confirm=False), wild, closed, BadFrame(1, "x"))
    assert wild not in kept
    assert closed in kept  # it is judged with its bar
    assert len(kept) == 3
    assert what == ["first_price"]


@pytest.mark.parametrize(("rate", "at_open"), [(1e9, 2e-4), (-1e9, 2e-4), (3e-4, 3e-4)])
def test_a_rate_of_1e9_is_never_charged(rate: float, at_open: float) -> None:
    screen, refused = screened(Told(rate=rate))
    funding = LiveFunding(screen, ["A"], "bybit_linear", patience_s=60.0)
    due = asyncio.run(funding.at_open(8 * HOUR_MS, np.array([5.0])))
    assert math.isnan(due["A"]) == (abs(rate) > 1.0)
    funding.feed(Quote("A", 1.0, 1.0, 1.0, 2e-4, 8 * HOUR_MS, received_ms=7 * HOUR_MS))
    assert asyncio.run(funding.at_open(8 * HOUR_MS, np.array([5.0]))) == {"A": at_open}
    assert len(refused) == (2 if abs(rate) > 1.0 else 0)


def test_mark_prices_of_requests_are_held_against_one_another() -> None:
    screen, refused = screened(Told(marks=[100.0, 1e9, 101.0, 5000.0, 5001.0, 5002.0]))
    marks = asyncio.run(screen.marks("A", "1h", 0, 9))
    assert marks.column("open").tolist() == [100.0, 101.0, 5001.0, 5002.0]
    assert [one.value for one in refused] == [1e9, 5000.0]


def test_an_extreme_of_a_mark_price_that_cannot_be_true_is_not_known() -> None:
    screen, refused = screened(Told(marks=[100.0, 101.0, 102.0], highs=[150.0, 1e9, 103.0]))
    marks = asyncio.run(screen.marks("A", "1h", 0, 9))
    assert marks.column("open").tolist() == [100.0, 101.0, 102.0]
    np.testing.assert_array_equal(marks.column("high"), [150.0, np.nan, 103.0])
    assert marks.column("low").tolist() == [100.0, 101.0, 102.0]
    assert [(one.what, one.value) for one in refused] == [("mark", 1e9)]

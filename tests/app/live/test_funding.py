"""Funding live: charged at 00, 08 and 16 UTC, as settled, as announced, or not known."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from bot.adapters.exchange import Quote
from bot.adapters.files.candles import Candles
from bot.adapters.files.funding import Funding
from bot.app.live.funding import LiveFunding
from bot.blocks import BarBlock
from bot.errors import ExchangeError
from bot.timegrid import DAY_MS, HOUR_MS
from scripts.soaking.direct_exchange import DirectExchange

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

    async def marks(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Candles:
        del symbol, interval, start_ms, end_ms
        return Candles.empty()


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
        ({EIGHT: 3e-4}, EIGHT, None, 0.0, {"A": 3e-4}),
        (None, EIGHT, None, 0.0, {"A": NAN}),
        ({NINE: 2e-4}, NINE, None, 5.0, {"A": 2e-4}),
        ({NINE: 2e-4}, NINE, None, 0.0, {"A": 2e-4}),
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


def test_a_rate_announced_before_a_kill_is_asked_for_by_a_flat_account() -> None:
    exchange = Settled({EIGHT: 1e-4})
    unkilled = due(exchange, EIGHT, 1e-4, 0.0)
    assert exchange.asked == []
    assert due(exchange, EIGHT, None, 0.0) == unkilled == {"A": 1e-4}
    assert exchange.asked == ["A"]


def test_only_what_would_pay_or_was_not_announced_is_asked_for() -> None:
    exchange = Settled({EIGHT: 1e-4})
    due(exchange, EIGHT, 1e-4, 0.0)
    due(exchange, 7 * HOUR_MS, 1e-4, 3.0)
    due(exchange, EIGHT, 1e-4, 3.0, venue="bybit_spot")
    assert exchange.asked == []
    due(exchange, EIGHT, 1e-4, -3.0)
    assert exchange.asked == ["A"]


def test_where_nothing_is_charged_nothing_is_asked_and_what_was_announced_is_kept() -> None:
    exchange = Settled({EIGHT: 3e-4})
    funding = LiveFunding(exchange, ["A"], "bybit_linear", patience_s=60.0, charged=False)
    funding.feed(Quote("A", 1.0, 1.0, 1.0, 1e-4, EIGHT, received_ms=7 * HOUR_MS))
    held, price = np.array([5.0]), np.full((1, 1), 100.0)
    assert asyncio.run(funding.at_open(EIGHT, held)) == {"A": 1e-4}
    row = BarBlock.of_candles(np.array([0]), price, price, price, price, price)
    row = asyncio.run(funding.inside(row, DAY_MS, held, np.array([90.0])))
    assert row.funding_inside[0, 0] == pytest.approx(1e-4 * 100.0)  # the open of its bar
    assert exchange.asked == []


@pytest.mark.parametrize(
    ("rates", "announced", "held", "inside", "unknown"),
    [
        ({8: 1e-4, 16: 2e-4}, {}, 5.0, 300e-4, 0),  # settled
        ({8: 1e-4, 12: 3e-4, 16: 2e-4}, {}, 5.0, 600e-4, 0),  # every four hours
        (dict.fromkeys(range(1, 24), 0.0001), {}, -5.0, 2300e-4, 0),  # every hour
        (None, {8: 3e-4, 16: 4e-4}, 5.0, 700e-4, 0),  # announced, and no answer
        ({8: NAN}, {8: 3e-4, 16: 4e-4}, 5.0, 700e-4, 0),  # settled, but not at which rate
        (None, {8: 3e-4}, 5.0, 300e-4, 1),
        (None, {}, 5.0, 0.0, 2),
        ({}, {}, 0.0, 0.0, 2),  # whoever holds nothing does not ask
        ({8: 1e-4}, {8: 9e-4}, 5.0, 100e-4, 1),  # settled comes before announced
    ],
)
def test_what_is_settled_inside_a_day(
    rates: dict[int, float] | None, announced: dict[int, float], held: float, inside: float,
    unknown: int,
) -> None:  # fmt: skip
    settled = None if rates is None else {h * HOUR_MS: rate for h, rate in rates.items()}
    funding = LiveFunding(Settled(settled), ["A"], "bybit_linear", patience_s=60.0)
    for hour, rate in announced.items():
        funding.feed(Quote("A", 1.0, 1.0, 1.0, rate, hour * HOUR_MS, received_ms=hour))
    price = np.full((1, 1), 100.0)
    row = BarBlock.of_candles(np.array([0]), price, price, price, price, price)
    row.funding_rate[:] = 7.0
    out = asyncio.run(funding.inside(row, DAY_MS, np.array([held]), np.array([90.0])))
    assert out.funding_inside[0, 0] == pytest.approx(inside)
    assert out.funding_inside_unknown[0, 0] == unknown
    assert out.funding_rate[0, 0] == 7.0


def test_what_is_announced_beside_the_edges_of_a_bar_is_inside_it() -> None:
    funding = LiveFunding(Settled({}), ["A"], "bybit_linear", patience_s=60.0)
    for at, rate in ((0, 8.0), (1, 1e-4), (DAY_MS - 1, 2e-4), (DAY_MS, 16.0)):
        funding.feed(Quote("A", 1.0, 1.0, 1.0, rate, at, received_ms=at))
    price = np.full((1, 1), 100.0)
    row = BarBlock.of_candles(np.array([0]), price, price, price, price, price)
    out = asyncio.run(funding.inside(row, DAY_MS, np.array([5.0]), np.array([90.0])))
    assert out.funding_inside[0, 0] == pytest.approx(300e-4)
    assert out.funding_inside_unknown[0, 0] == 2  # at 8 and at 16


@pytest.mark.parametrize(
    ("venue", "interval_ms", "held", "asked"),
    [
        ("bybit_linear", DAY_MS, 1.0, ["A"]),
        ("bybit_linear", 2 * HOUR_MS, 1.0, ["A"]),
        ("bybit_linear", HOUR_MS, 1.0, []),  # nothing is settled inside an hour
        ("bybit_spot", DAY_MS, 1.0, []),
        ("bybit_linear", DAY_MS, 0.0, []),
    ],
)
def test_the_inside_of_a_bar_is_asked_where_something_may_be_paid(
    venue: str, interval_ms: int, held: float, asked: list[str]
) -> None:
    exchange = Settled({HOUR_MS: 1e-4})
    funding = LiveFunding(exchange, ["A"], venue, patience_s=60.0)
    price = np.full((1, 1), 100.0)
    row = BarBlock.of_candles(np.array([0]), price, price, price, price, price)
    out = asyncio.run(funding.inside(row, interval_ms, np.array([held]), np.array([90.0])))
    assert exchange.asked == asked
    assert out.funding_inside[0, 0] == pytest.approx(1e-2 if asked else 0.0)

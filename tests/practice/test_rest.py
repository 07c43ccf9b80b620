"""The REST endpoints against the source, and against the shapes that Bybit answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bot.adapters.bybit.instruments import instrument_of, tiers_of_rows
from bot.blocks import BarBlock
from bot.config.schema import Synthetic
from bot.portfolio.margin_tiers import OF_OTHERS
from bot.practice.clock import ManualClock
from bot.practice.market import PracticeMarket
from bot.practice.recorded import RecordedMarket
from bot.practice.synthetic import START_MS, SyntheticMarket
from bot.practice.wire import closed_candle
from bot.timegrid import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import Wire
    from tests.practice.conftest import Client

NOW_BAR = 1500

of_inverse = pytest.mark.parametrize("inverse", [True])


def bar_of(row: list[str]) -> int:
    return (int(row[0]) - START_MS) // HOUR_MS


async def rows(client: Client, **query: str | int) -> list[list[str]]:
    result = await client.result("kline", symbol="SYN0USDT", interval="60", **query)
    found: list[list[str]] = result["list"]
    return found


def valid_bars(client: Client, first: int, last: int, s: int = 0) -> list[int]:
    """Return the bars first..last that the source has, newest first."""
    valid = client.market.source.block(first, last - first + 1).valid[:, s]
    return [first + int(i) for i in np.flatnonzero(valid)[::-1]]


async def test_candles_are_the_sources(client: Client) -> None:
    found = await rows(client, category="linear", limit=1000)
    bars = client.market.source.block(0, NOW_BAR + 1, 0)
    for row in found[1:]:
        i = bar_of(row)
        columns = (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.turnover)
        assert [float(text) for text in row[1:]] == [float(c[i, 0]) for c in columns]


async def test_the_newest_shorter_candle_is_answered_without_a_span(client: Client) -> None:
    asked = {"symbol": "SYN0USDT", "interval": "15", "category": "linear"}
    now_ms = client.clock.now_ms()
    (newest,) = (await client.result("kline", **asked, limit=1))["list"]
    assert int(newest[0]) == now_ms // (HOUR_MS // 4) * (HOUR_MS // 4)
    spanned = await client.result("kline", **asked, limit=1, start=now_ms - HOUR_MS, end=now_ms)
    assert spanned["list"] == [newest]


async def test_newest_first_with_the_open_candle_in_front(client: Client) -> None:
    found = await rows(client)
    assert [bar_of(row) for row in found] == valid_bars(client, 0, NOW_BAR)[:200]
    assert bar_of(found[0]) == NOW_BAR
    final = client.market.source.block(NOW_BAR, 1, 0)
    volume = float(final.volume[0, 0])
    assert float(found[0][5]) == pytest.approx(volume / 2.0)
    assert float(found[0][2]) <= float(final.high[0, 0])


@pytest.mark.parametrize(
    ("first", "last", "limit"),
    [(100, 110, 1000), (100, 1400, 50), (0, 3000, 1000), (1499, 1500, 5)],
)
async def test_a_range_gives_the_newest_that_end_at_its_end(
    client: Client, first: int, last: int, limit: int
) -> None:
    span = {"start": START_MS + first * HOUR_MS, "end": START_MS + last * HOUR_MS}
    found = await rows(client, **span, limit=limit)
    expected = valid_bars(client, first, min(last, NOW_BAR))[:limit]
    assert [bar_of(row) for row in found] == expected


async def test_a_start_alone_gives_the_oldest_from_it_on(client: Client) -> None:
    found = await rows(client, start=START_MS + 300 * HOUR_MS, limit=1000)
    assert [bar_of(row) for row in found] == valid_bars(client, 300, NOW_BAR)[-1000:]
    late = await rows(client, start=START_MS + 1490 * HOUR_MS, limit=1000)
    assert [bar_of(row) for row in late] == valid_bars(client, 1490, NOW_BAR)


async def test_an_end_alone_gives_the_newest_up_to_it(client: Client) -> None:
    found = await rows(client, end=START_MS + 700 * HOUR_MS + 1, limit=30)
    assert [bar_of(row) for row in found] == valid_bars(client, 0, 700)[:30]


async def test_times_between_candles_count_by_their_start(client: Client) -> None:
    span = {"start": START_MS + 100 * HOUR_MS + 1, "end": START_MS + 104 * HOUR_MS - 1}
    assert [bar_of(r) for r in await rows(client, **span)] == valid_bars(client, 101, 103)


async def test_the_future_is_not_served(client: Client) -> None:
    assert await rows(client, start=START_MS + 1501 * HOUR_MS) == []
    assert await rows(client, start=START_MS - 9 * HOUR_MS, end=START_MS - 1) == []


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        ("kline", {"symbol": "NOSUCH", "interval": "60"}, "Not supported symbols"),
        ("kline", {"symbol": "SYN0USDT", "interval": "7"}, "Invalid period!"),
        ("kline", {"symbol": "SYN0USDT", "interval": "60", "limit": "1001"}, "limit invalid"),
        ("kline", {"symbol": "SYN0USDT", "interval": "60", "limit": "0"}, "limit invalid"),
        ("kline", {"symbol": "SYN0USDT", "interval": "60", "start": "x"}, "start invalid"),
        ("kline", {"symbol": "SYN0USDT", "interval": "60", "start": "9", "end": "8"}, "later"),
        ("kline", {"symbol": "SYN0USDT", "interval": "60", "category": "option"}, "Category"),
        ("mark-price-kline", {"symbol": "SYN0USDT", "interval": "60", "category": "spot"}, "Cat"),
        ("tickers", {}, "Category"),
        ("instruments-info", {"category": "linear", "symbol": "NOSUCH"}, "Not supported symbols"),
        ("funding/history", {"category": "linear"}, "Not supported symbols"),
        ("funding/history", {"category": "spot", "symbol": "SYN0USDT"}, "Category"),
        ("funding/history", {"category": "linear", "symbol": "SYN0USDT", "limit": "201"}, "limit"),
        ("risk-limit", {"category": "linear", "symbol": "NOSUCH"}, "Not supported symbols"),
        ("risk-limit", {"category": "spot", "symbol": "SYN0USDT"}, "Category"),
        ("risk-limit", {"symbol": "SYN0USDT"}, "Category"),
        ("risk-limit", {"category": "linear", "cursor": "x"}, "cursor invalid"),
        (
            "funding/history",
            {"category": "linear", "symbol": "SYN0USDT", "startTime": "1"},
            "endTime is required",
        ),
    ],
)
async def test_wrong_parameters_are_refused_with_10001(
    client: Client, path: str, query: dict[str, str], message: str
) -> None:
    body = await client.get(f"/v5/market/{path}", **query)
    assert body["retCode"] == 10001
    assert message in body["retMsg"]
    assert body["result"] == {}


async def test_funding_is_paged_backwards_and_only_what_was_due(client: Client) -> None:
    query = {"category": "linear", "symbol": "SYN1USDT"}
    newest = (await client.result("funding/history", **query))["list"]
    bars = client.market.source.block(0, NOW_BAR + 1, 1)
    due = np.flatnonzero(bars.funding_rate[:, 0])[::-1]
    assert len(newest) == min(200, len(due))
    assert [int(r["fundingRateTimestamp"]) for r in newest] == bars.open_time[due].tolist()[:200]
    assert [float(r["fundingRate"]) for r in newest] == bars.funding_rate[due, 0].tolist()[:200]
    span = {"startTime": START_MS, "endTime": START_MS + 24 * HOUR_MS, "limit": 2}
    some = (await client.result("funding/history", **query, **span))["list"]
    assert [(int(r["fundingRateTimestamp"]) - START_MS) // HOUR_MS for r in some] == [24, 16]


async def test_a_funding_is_known_once_its_bar_has_opened(client: Client) -> None:
    query: dict[str, Any] = {"category": "linear", "symbol": "SYN1USDT", "limit": 1}
    next_due = START_MS + (NOW_BAR // 8 + 1) * 8 * HOUR_MS
    await client.clock.advance(next_due - 1 - client.clock.now_ms())
    before = (await client.result("funding/history", **query))["list"][0]
    assert int(before["fundingRateTimestamp"]) < next_due
    await client.clock.advance(1)
    after = (await client.result("funding/history", **query))["list"][0]
    assert int(after["fundingRateTimestamp"]) == next_due


class TestDaily:
    """A market of daily bars: it settles at 8 and at 16 too, and has hourly mark prices."""

    NOW = START_MS + 20 * DAY_MS + 9 * HOUR_MS

    @pytest.fixture
    def market(self) -> PracticeMarket:
        return PracticeMarket(SyntheticMarket(Synthetic(symbols=1, bars=100, missing=0.0), DAY_MS))

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(self.NOW)

    async def test_settlements_and_marks(self, client: Client) -> None:
        symbol: dict[str, str | int] = {"category": "linear", "symbol": "SYN0USDT"}
        day = START_MS + 18 * DAY_MS
        found = await client.result(
            "funding/history", **symbol, startTime=day + 1, endTime=self.NOW
        )
        hours = [(int(row["fundingRateTimestamp"]) - day) // HOUR_MS for row in found["list"]]
        assert hours == [56, 48, 40, 32, 24, 16, 8]
        bars = client.market.source.block(18, 1, 0)
        rates = [float(row["fundingRate"]) for row in found["list"][-2:]]
        assert sum(rates) * bars.open[0, 0] == pytest.approx(bars.funding_inside[0, 0])
        marks = await client.result(
            "mark-price-kline", **symbol, interval="60", start=day + 1, end=day + DAY_MS - 1
        )
        assert [(int(row[0]) - day) // HOUR_MS for row in marks["list"]] == list(range(23, 0, -1))
        assert {float(row[1]) for row in marks["list"]} == {float(bars.mark[0, 0])}
        whole = await client.result(
            "mark-price-kline", **symbol, interval="60", start=day, end=day + DAY_MS - 1
        )
        assert max(float(row[2]) for row in whole["list"]) == bars.high[0, 0]
        assert min(float(row[3]) for row in whole["list"]) == bars.low[0, 0]


async def test_instruments_come_in_pages_except_of_spot(client: Client) -> None:
    cursor, found = "", []
    for _ in range(3):
        result = await client.result("instruments-info", category="linear", limit=1, cursor=cursor)
        assert len(result["list"]) == 1
        found.append(result["list"][0]["symbol"])
        cursor = result["nextPageCursor"]
    assert cursor == ""
    assert found == list(client.market.symbols)
    spot = await client.result("instruments-info", category="spot", limit=1)
    assert len(spot["list"]) == 3
    assert "qtyStep" not in spot["list"][0]["lotSizeFilter"]
    assert "basePrecision" in spot["list"][0]["lotSizeFilter"]
    assert "nextPageCursor" not in spot


async def test_risk_limits_are_those_of_the_symbol_or_come_by_page(client: Client) -> None:
    one = await client.result("risk-limit", category="linear", symbol="SYN1USDT")
    assert {row["symbol"] for row in one["list"]} == {"SYN1USDT"}
    assert tiers_of_rows("SYN1USDT", one["list"]) == OF_OTHERS
    assert [row["isLowestRisk"] for row in one["list"]][:2] == [1, 0]
    every = await client.result("risk-limit", category="linear")
    assert len(every["list"]) == 3 * len(one["list"])
    assert one["nextPageCursor"] == every["nextPageCursor"] == ""


class TestManySymbols:
    """More symbols than a page of risk limits has."""

    @pytest.fixture
    def market(self) -> PracticeMarket:
        return PracticeMarket(SyntheticMarket(Synthetic(symbols=20, bars=100), HOUR_MS))

    async def test_fifteen_symbols_are_a_page(self, client: Client) -> None:
        first = await client.result("risk-limit", category="linear")
        assert {row["symbol"] for row in first["list"]} == set(client.market.symbols[:15])
        rest = await client.result("risk-limit", category="linear", cursor=first["nextPageCursor"])
        assert {row["symbol"] for row in rest["list"]} == set(client.market.symbols[15:])
        assert rest["nextPageCursor"] == ""


@of_inverse
async def test_inverse_risk_limits_are_in_coin_and_per_cent(client: Client) -> None:
    rows = (await client.result("risk-limit", category="inverse", symbol="SYN0USD"))["list"]
    price = float(client.market.first_price[0])
    assert (rows[0]["maintenanceMargin"], rows[0]["initialMargin"]) == ("0.75", "1.3333")
    tiers = tiers_of_rows("SYN0USD", rows)
    assert [tier.maintenance_rate for tier in tiers] == pytest.approx(
        [tier.maintenance_rate for tier in OF_OTHERS]
    )
    assert tiers[0].limit_value * price == pytest.approx(OF_OTHERS[0].limit_value)
    assert tiers[5].maintenance_deduction * price == pytest.approx(15_500.0)


async def test_prices_keep_to_the_tick_of_the_instrument(client: Client) -> None:
    listed = (await client.result("instruments-info", category="linear"))["list"]
    quotes = (await client.result("tickers", category="linear"))["list"]
    for instrument, quote in zip(listed, quotes, strict=True):
        tick = float(instrument["priceFilter"]["tickSize"])
        bid, last, ask = (float(quote[f]) for f in ("bid1Price", "lastPrice", "ask1Price"))
        assert bid < last < ask
        assert (ask - bid) / last == pytest.approx(2e-4, rel=0.05)
        for price in (bid, last, ask):
            assert price / tick == pytest.approx(round(price / tick), abs=1e-4)


async def test_mark_candles_open_at_the_mark(client: Client) -> None:
    query: dict[str, Any] = {"symbol": "SYN2USDT", "interval": "60", "category": "linear"}
    found = (await client.result("mark-price-kline", **query, limit=20))["list"]
    mark = client.market.source.block(0, NOW_BAR + 1, 2).mark[:, 0]
    assert [float(row[1]) for row in found] == [float(mark[bar_of(row)]) for row in found]
    assert all(len(row) == 5 for row in found)


class TestRecordedMarks:
    """A recording that knows more of the mark price than its open."""

    @pytest.fixture
    def market(self) -> PracticeMarket:
        close = np.array([[100.0], [101.0], [102.0]])
        bars = BarBlock.of_candles(
            START_MS + HOUR_MS * np.arange(3), close, close + 5.0, close - 5.0, close, close,
            mark=close + 1.0, mark_high=close + 3.0, mark_low=np.where(close > 101.0, np.nan, close - 2.0),
        )  # fmt: skip
        return PracticeMarket(RecordedMarket(bars, ["BTCUSDT"], HOUR_MS))

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(START_MS + 3 * HOUR_MS)

    async def test_they_are_served_as_far_as_they_are_known(self, client: Client) -> None:
        found = await client.result(
            "mark-price-kline", category="linear", symbol="BTCUSDT", interval="60"
        )
        prices = [[float(text) for text in row[1:]] for row in found["list"][::-1]]
        assert prices == [[101, 103, 98, 100], [102, 104, 99, 101], [103, 105, 97, 102]]


@of_inverse
async def test_inverse_volume_is_in_dollars_and_turnover_in_coin(client: Client) -> None:
    asked: dict[str, Any] = {"symbol": "SYN0USD", "category": "inverse"}
    found = (await client.result("kline", interval="60", limit=3, **asked))["list"]
    for row in found:
        volume, turnover = float(row[5]), float(row[6])
        assert volume == round(volume)
        assert turnover == pytest.approx(volume / float(row[4]), rel=0.05)
    (ticker,) = (await client.result("tickers", **asked))["list"]
    day = client.market.source.block(NOW_BAR - 24, 24, 0)
    forming = float(found[0][5]), float(found[0][6])
    assert float(ticker["volume24h"]) == pytest.approx(np.nansum(day.volume) + forming[0])
    assert float(ticker["turnover24h"]) == pytest.approx(np.nansum(day.turnover) + forming[1])
    assert float(ticker["bid1Size"]) == round(float(ticker["bid1Size"])) > 0.0


@of_inverse
async def test_inverse_instruments_are_whole_contracts_settled_in_coin(client: Client) -> None:
    listed = (await client.result("instruments-info", category="inverse"))["list"]
    assert [each["symbol"] for each in listed] == ["SYN0USD", "SYN1USD", "SYN2USD"]
    told = instrument_of(listed[0])
    assert (told.quantity_step, told.min_quantity, told.min_notional) == (1.0, 1.0, 5.0)
    assert (told.max_limit_quantity, told.max_market_quantity) == (25e6, 5e6)
    assert (told.base, told.quote, told.settle) == ("SYN0", "USD", "SYN0")
    assert told.contract_type == "InversePerpetual"


@pytest.mark.parametrize(
    ("inverse", "category"), [(False, "inverse"), (True, "linear"), (True, "spot")]
)
async def test_inverse_contracts_are_in_no_other_category(client: Client, category: str) -> None:
    symbol = client.market.symbols[0]
    assert (await client.result("tickers", category=category))["list"] == []
    answer = await client.get("/v5/market/kline", category=category, symbol=symbol, interval="60")
    assert answer["retMsg"] == "Not supported symbols"
    socket = await client.subscribe(f"kline.60.{symbol}", category=category)
    (refusal,) = await client.frames(socket)
    assert (refusal["success"], refusal["ret_msg"]) == (
        False,
        f"Invalid symbol :[kline.60.{symbol}]",
    )


async def test_a_turnover_that_is_not_recorded_is_worked_out(client: Client) -> None:
    bars = replace(client.market.source.block(0, 30), turnover=np.full((30, 3), np.nan))
    for inverse in (False, True):
        source = RecordedMarket(bars, ("A", "B", "C"), HOUR_MS, inverse=inverse)
        market = PracticeMarket(source)
        category = "inverse" if inverse else "linear"
        i = int(np.flatnonzero(bars.valid[:, 0])[-1])
        candle = closed_candle(bars, i, 0, category)
        assert candle is not None
        factor = bars.close[i, 0] ** (-1.0 if inverse else 1.0)
        assert float(candle.turnover) == pytest.approx(bars.volume[i, 0] * factor)
        moment = market.at(market.open_time(29) + HOUR_MS // 2)
        day = bars.rows(5, 29)
        worked_out = np.nansum(day.volume * day.close ** (-1.0 if inverse else 1.0), axis=0)
        np.testing.assert_allclose(moment.day.turnover, worked_out)


async def test_time_is_the_clocks(client: Client) -> None:
    body = await client.get("/v5/market/time")
    now_ms = client.clock.now_ms()
    assert body["time"] == now_ms
    assert body["result"] == {
        "timeSecond": str(now_ms // 1000),
        "timeNano": str(now_ms * 1_000_000),
    }


def shape(value: Any) -> Any:
    """Return the types inside a JSON value; of a list those of its first member."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


@pytest.mark.parametrize(
    ("file", "path", "query"),
    [
        ("rest_kline", "kline", {"category": "linear", "interval": "60"}),
        ("rest_mark_kline", "mark-price-kline", {"category": "linear", "interval": "60"}),
        ("rest_funding_history_linear", "funding/history", {"category": "linear"}),
        ("rest_tickers_linear", "tickers", {"category": "linear"}),
        ("rest_tickers_spot", "tickers", {"category": "spot"}),
        ("rest_time", "time", {}),
    ],
)
async def test_answers_have_the_shape_of_bybits(
    client: Client, wire: Wire, file: str, path: str, query: dict[str, str]
) -> None:
    answer = await client.get(f"/v5/market/{path}", symbol="SYN0USDT", **query)
    assert shape(answer) == shape(json.loads(wire(file)))


@pytest.mark.parametrize("category", ["linear", "spot"])
async def test_instruments_say_nothing_that_bybit_does_not(
    client: Client, wire: Wire, category: str
) -> None:
    theirs = json.loads(wire(f"rest_instruments_{category}"))["result"]["list"][0]
    ours = (await client.result("instruments-info", category=category))["list"][0]
    for name, value in ours.items():
        assert type(value) is type(theirs[name]), name
        if isinstance(value, dict):
            assert value.keys() <= theirs[name].keys()

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.bybit.frames import Answer, FrameReader, Reading, quote_of
from bot.adapters.bybit.links import SPOT_TOPICS, TOPIC_CHARACTERS, plan_links
from bot.adapters.exchange import Candle, Event, Quote
from bot.errors import DataError

if TYPE_CHECKING:
    from tests.conftest import Wire

MINUTE = 60_000


def reader(code: str = "1", interval_ms: int = MINUTE) -> FrameReader:
    return FrameReader({"BTCUSDT": "linear:BTCUSDT"}, code, interval_ms)


def kline(**changes: Any) -> dict[str, Any]:
    row = {
        "start": MINUTE, "end": 2 * MINUTE - 1, "interval": "1", "open": "10", "close": "11",
        "high": "12", "low": "9", "volume": "3.5", "turnover": "35", "confirm": True,
        "timestamp": 2 * MINUTE,
    }  # fmt: skip
    data = [{**row, **changes}]
    return {"topic": "kline.1.BTCUSDT", "type": "snapshot", "ts": 2 * MINUTE + 5, "data": data}


def ticker(sort: str, ts: int, **data: Any) -> dict[str, Any]:
    return {"topic": "tickers.BTCUSDT", "type": sort, "ts": ts, "data": data}


def book(sort: str, ts: int, **sides: Any) -> dict[str, Any]:
    return {"topic": "orderbook.1.BTCUSDT", "type": sort, "ts": ts, "data": sides}


def quotes(frames: list[dict[str, Any]]) -> list[Quote]:
    one = reader()
    events: list[Event] = []
    for i, frame in enumerate(frames):
        reading = one.read(json.dumps(frame), i)
        assert isinstance(reading, Reading)
        events.extend(reading.events)
    assert all(isinstance(event, Quote) for event in events)
    return [event for event in events if isinstance(event, Quote)]


def test_a_candle_is_read() -> None:
    assert reader().read(json.dumps(kline()), 77) == Reading(
        "kline.1.BTCUSDT",
        (Candle("linear:BTCUSDT", MINUTE, 10.0, 12.0, 9.0, 11.0, 3.5, 35.0, True, 77),),
    )


@pytest.mark.parametrize("name", ["ws_kline_linear", "ws_kline_unconfirmed_linear"])
def test_a_candle_frame_as_it_comes(wire: Wire, name: str) -> None:
    said = json.loads(wire(name))
    (row,) = said["data"]
    code = row["interval"]
    reading = reader(code, int(code) * MINUTE).read(wire(name), 5)
    n = {k: float(row[k]) for k in ("open", "high", "low", "close", "volume", "turnover")}
    candle = Candle(
        symbol="linear:BTCUSDT", open_time=row["start"], confirm=row["confirm"], received_ms=5, **n
    )
    assert reading == Reading(said["topic"], (candle,))


def test_answers_as_they_come(wire: Wire) -> None:
    assert reader().read(wire("ws_pong_spot"), 5) == Reading("", ())
    assert reader().read(wire("ws_subscribe_ok_spot"), 5) == Answer(True, "'subscribe'")
    refused = reader().read(wire("ws_subscribe_error_spot"), 5)
    assert isinstance(refused, Answer)
    assert not refused.accepted
    assert "Invalid symbol" in refused.message


def test_a_rest_ticker_as_it_comes_is_a_quote(wire: Wire) -> None:
    row = json.loads(wire("rest_tickers_linear"))["result"]["list"][0]
    names = ("bid1Price", "ask1Price", "markPrice", "fundingRate", "bid1Size", "ask1Size")
    bid, ask, mark, rate, *sizes = (float(row[name]) for name in names)
    due = int(row["nextFundingTime"])
    assert quote_of("X", row, 5) == Quote("X", bid, ask, mark, rate, due, 5, *sizes)
    row = json.loads(wire("rest_tickers_spot"))["result"]["list"][0]
    spot = quote_of("X", row, 5)
    assert (spot.bid, spot.ask) == (float(row["bid1Price"]), float(row["ask1Price"]))
    assert spot.next_funding_ms is None
    assert math.isnan(spot.mark)


def test_ticker_deltas_are_laid_over_the_snapshot() -> None:
    full = {"bid1Price": "9", "ask1Price": "10", "markPrice": "9.5", "fundingRate": "0.0001"}
    got = quotes(
        [
            ticker("snapshot", 1, **full, nextFundingTime="28800000"),
            ticker("delta", 2, bid1Price="9.2"),
            ticker("delta", 3, volume24h="5"),
            ticker("delta", 4, ask1Price="", nextFundingTime=""),
        ]
    )
    assert [q.bid for q in got] == [9.0, 9.2, 9.2, 9.2]
    assert [q.usable for q in got] == [True, True, True, False]
    assert [q.next_funding_ms for q in got] == [28800000] * 3 + [None]
    assert [q.received_ms for q in got] == [0, 1, 2, 3]


def test_sizes_stand_beside_the_prices_until_another_is_told() -> None:
    full = {"bid1Price": "9", "bid1Size": "3", "ask1Price": "10", "ask1Size": "4"}
    got = quotes(
        [
            ticker("snapshot", 1, **full),
            ticker("delta", 2, bid1Price="9.2", bid1Size="1.5"),
            ticker("delta", 3, ask1Size="7"),
            ticker("delta", 4, bid1Price="9.1"),
            ticker("delta", 5, bid1Size="0", ask1Size=""),
        ]
    )
    sizes = [(q.bid_size, q.ask_size) for q in got]
    assert sizes[:4] == [(3.0, 4.0), (1.5, 4.0), (1.5, 7.0), (1.5, 7.0)]
    assert all(math.isnan(size) for size in sizes[4])
    assert got[4].usable


def test_a_book_has_the_size_of_its_level() -> None:
    got = quotes(
        [
            book("snapshot", 1, b=[["9", "3"]], a=[["10", "4"]]),
            book("delta", 2, b=[["9", "0"], ["9.2", "1.5"]], a=[]),
            book("delta", 3, b=[], a=[["10", "6"]]),
            book("delta", 4, a=[["10", "0"]]),
            book("delta", 5, a=[["11", "2"]]),
        ]
    )
    told = [(q.bid, q.bid_size, q.ask, q.ask_size) for q in got]
    assert told[:3] == [(9.0, 3.0, 10.0, 4.0), (9.2, 1.5, 10.0, 4.0), (9.2, 1.5, 10.0, 6.0)]
    assert told[3][:2] == (9.2, 1.5)
    assert math.isnan(told[3][2])
    assert math.isnan(told[3][3])
    assert told[4] == (9.2, 1.5, 11.0, 2.0)


def test_a_delta_that_comes_too_late_changes_only_what_no_newer_one_told() -> None:
    got = quotes(
        [
            ticker("snapshot", 1, bid1Price="9", ask1Price="10", markPrice="9.5"),
            ticker("delta", 3, bid1Price="9.3"),
            ticker("delta", 2, bid1Price="9.2", markPrice="9.7"),
            ticker("delta", 4),
        ]
    )
    assert [(q.bid, q.mark) for q in got] == [(9.0, 9.5), (9.3, 9.5), (9.3, 9.7)]


def test_a_time_that_was_a_day_ahead_silences_no_quote_afterwards() -> None:
    day = 86_400_000
    one = reader()
    got: list[Event] = []
    for ts, received, bid in ((day, 10, "9"), (day + 1, 5_000, "9.1"), (10_000, 10_000, "9.2")):
        frame = ticker("snapshot", ts, bid1Price=bid, ask1Price="10")
        reading = one.read(json.dumps(frame), received)
        assert isinstance(reading, Reading)
        got.extend(reading.events)
    assert [q.bid for q in got if isinstance(q, Quote)] == [9.0, 9.1, 9.2]


def test_a_candle_is_closed_at_the_last_ms_of_its_bar() -> None:
    reading = reader().read(json.dumps({**kline(), "ts": 2 * MINUTE - 1}), 5)
    assert isinstance(reading, Reading)
    forming = reader().read(json.dumps({**kline(confirm=False), "ts": MINUTE}), 5)
    assert isinstance(forming, Reading)


def test_the_top_of_the_book_is_followed() -> None:
    got = quotes(
        [
            book("snapshot", 1, b=[["9", "1"]], a=[["10", "1"]]),
            book("delta", 2, b=[["9", "0"], ["9.5", "2"]], a=[]),
            book("delta", 3, b=[["9.5", "7"]]),
            book("delta", 4, a=[["10", "0"]]),
            book("snapshot", 5, b=[["8", "1"]], a=[["11", "1"]]),
            book("snapshot", 6, b=[], a=[["11", "1"]]),
        ]
    )
    assert [q.bid for q in got][:5] == [9.0, 9.5, 9.5, 9.5, 8.0]
    assert [q.usable for q in got] == [True, True, True, False, True, False]


BAD: dict[str, str | bytes] = {
    "no JSON": "{",
    "empty": "",
    "no UTF-8": b"\xff\xfe\xfd",
    "too deep": "[" * 100_000,
    "too deep inside": '{"op":' + "[" * 900 + "]" * 900 + "}",
    "no object": "[1]",
    "null": "null",
    "no topic": "{}",
    "a stranger's answer": '{"op": "auth", "success": true}',
    "an answer without success": '{"op": "subscribe"}',
    "a topic that is no string": '{"topic": ["kline.1.BTCUSDT"]}',
    "an unknown topic": '{"topic": "kline.1.ETHUSDT"}',
    "another interval": '{"topic": "kline.5.BTCUSDT", "data": []}',
    "another depth": '{"topic": "orderbook.50.BTCUSDT", "type": "snapshot", "ts": 1, "data": {}}',
    "a long topic": json.dumps({"topic": "kline.1." + "X" * 1000}),
    "no data": '{"topic": "kline.1.BTCUSDT"}',
    "no candles": '{"topic": "kline.1.BTCUSDT", "data": []}',
    "a candle that is none": '{"topic": "kline.1.BTCUSDT", "data": [1]}',
    "price no number": json.dumps(kline(open="x")),
    "price null": json.dumps(kline(open=None)),
    "price true": json.dumps(kline(open=True)),
    "price a list": json.dumps(kline(open=["1"])),
    "price zero": json.dumps(kline(low="0")),
    "price not finite": json.dumps(kline(high="1e999")),
    "price NaN": json.dumps(kline(high=math.nan)),
    "price huge": json.dumps(kline()).replace('"12"', "1" + "0" * 400),
    "high below close": json.dumps(kline(high="10.5")),
    "low above open": json.dumps(kline(low="10.5")),
    "volume negative": json.dumps(kline(volume="-1")),
    "off the grid": json.dumps(kline(start=MINUTE + 1, end=2 * MINUTE)),
    "of another length": json.dumps(kline(end=3 * MINUTE - 1)),
    "start a float": json.dumps(kline(start=60000.0)),
    "start true": json.dumps(kline(start=True)),
    "start far off": json.dumps(kline(start=10**18, end=10**18 + MINUTE - 1)),
    "confirm a word": json.dumps(kline(confirm="true")),
    "closed before its end": json.dumps({**kline(), "ts": 2 * MINUTE - 2}),
    "closed in the future": json.dumps(kline(start=9 * MINUTE, end=10 * MINUTE - 1)),
    "open in the future": json.dumps(kline(start=9 * MINUTE, end=10 * MINUTE - 1, confirm=False)),
    "without its time": json.dumps({**kline(), "ts": None}),
    "an interval that is not the topic's": json.dumps(kline(interval="5")),
    "a ticker of another symbol": json.dumps(ticker("snapshot", 1, symbol="ETHUSDT")),
    "a book of another symbol": json.dumps(book("snapshot", 1, s="ETHUSDT", b=[], a=[])),
    "delta first": json.dumps(ticker("delta", 1, bid1Price="1")),
    "ticker no object": '{"topic": "tickers.BTCUSDT", "type": "snapshot", "ts": 1, "data": []}',
    "ticker no type": '{"topic": "tickers.BTCUSDT", "type": {}, "ts": 1, "data": {}}',
    "ticker no time": '{"topic": "tickers.BTCUSDT", "type": "snapshot", "data": {}}',
    "ticker no size": json.dumps(ticker("snapshot", 1, bid1Size="x")),
    "ticker no number": json.dumps(ticker("snapshot", 1, bid1Price="x")),
    "ticker funding time a list": json.dumps(ticker("snapshot", 1, nextFundingTime=[])),
    "book no list": json.dumps(book("snapshot", 1, b={})),
    "book level short": json.dumps(book("snapshot", 1, b=[["1"]])),
    "book level nothing": json.dumps(book("snapshot", 1, b=[[None, None]])),
    "surrogates": '{"topic": "\\ud800"}',
}


@pytest.mark.parametrize("name", BAD)
def test_what_makes_no_sense_is_refused_and_harms_nothing(name: str) -> None:
    one = reader()
    with pytest.raises(DataError) as refused:
        one.read(BAD[name], 1)
    assert str(refused.value).isascii()
    assert len(str(refused.value)) < 300
    assert isinstance(one.read(json.dumps(kline()), 2), Reading)


def test_a_bad_ticker_does_not_touch_the_good_one() -> None:
    one = reader()
    one.read(json.dumps(ticker("snapshot", 1, bid1Price="9", ask1Price="10")), 1)
    with pytest.raises(DataError):
        one.read(json.dumps(ticker("delta", 2, bid1Price="9.5", ask1Price="x")), 2)
    reading = one.read(json.dumps(ticker("delta", 3)), 3)
    assert isinstance(reading, Reading)
    (quote,) = reading.events
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.ask) == (9.0, 10.0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
GOOD = [
    kline(),
    ticker("snapshot", 1, bid1Price="9", ask1Price="10", nextFundingTime="8"),
    ticker("delta", 2, bid1Price="9"),
    book("snapshot", 1, b=[["9", "1"]], a=[["10", "1"]]),
    book("delta", 2, b=[["9", "0"]]),
    {"op": "subscribe", "success": True, "ret_msg": ""},
]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(GOOD), st.integers(0, 9), JSON, st.booleans()), max_size=6)
)
def test_fuzz_never_raises_anything_but_data_error(
    mangled: list[tuple[dict[str, Any], int, Any, bool]],
) -> None:
    one = reader()
    for frame, place, value, inside in mangled:
        damaged = json.loads(json.dumps(frame))
        target = damaged.get("data") if inside else damaged
        if isinstance(target, list):
            target = target[0]
        if isinstance(target, dict) and target:
            target[sorted(target)[place % len(target)]] = value
        try:
            one.read(json.dumps(damaged), 1)
        except DataError:
            continue


@settings(max_examples=200, deadline=None)
@given(st.text() | st.binary() | JSON.map(json.dumps))
def test_any_text_is_refused_or_says_nothing(text: str | bytes) -> None:
    try:
        reader().read(text, 1)
    except DataError:
        return


def test_links_keep_to_the_limits_of_a_request_and_a_connection() -> None:
    names = [f"bybit_spot:S{i}USDT" for i in range(23)] + [f"L{i:03}USDT" for i in range(900)]
    links = plan_links(names, "bybit_linear", "60")
    assert sorted(name for link in links for name in link.names) == sorted(names)
    assert [link.category for link in links] == ["spot", "linear", "linear"]
    for link in links:
        assert sum(len(topic) for r in link.requests for topic in r) < TOPIC_CHARACTERS
        if link.category == "spot":
            assert [len(r) for r in link.requests] == [SPOT_TOPICS] * 4 + [6]
            assert all(
                t.startswith(("kline.60.", "orderbook.1.")) for r in link.requests for t in r
            )
        else:
            assert len(link.requests) == 1

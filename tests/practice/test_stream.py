"""The stream: requests and answers, and what is pushed as bars go by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import pytest

from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import Wire
    from tests.practice.conftest import Client


async def advance_to_bar(client: Client, more: int = 1) -> None:
    """Go to the open of the next bar, or of one later."""
    into = client.clock.now_ms() % HOUR_MS
    await client.clock.advance(more * HOUR_MS - into)


def confirmed(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kline = [f for f in frames if f.get("topic", "").startswith("kline")]
    return [f["data"][0] for f in kline if f["data"][0]["confirm"]]


async def test_a_subscription_is_acknowledged_late_and_then_served(client: Client) -> None:
    socket = await client.connect()
    await socket.send_json({"op": "subscribe", "req_id": "7", "args": ["kline.60.SYN0USDT"]})
    await client.clock.advance(19)
    assert await client.frames(socket) == []
    await client.clock.advance(31)
    ack, first = await client.frames(socket)
    assert ack == {
        "success": True,
        "ret_msg": "",
        "conn_id": ack["conn_id"],
        "req_id": "7",
        "op": "subscribe",
    }
    assert first["topic"] == "kline.60.SYN0USDT"
    assert first["data"][0]["confirm"] is False


async def test_pings_are_answered(client: Client, wire: Wire) -> None:
    socket = await client.connect("spot")
    await socket.send_json({"op": "ping", "req_id": "p1"})
    pong = await socket.receive_json(timeout=5)
    assert pong == {**json.loads(wire("ws_pong_spot")), "conn_id": pong["conn_id"]}


@pytest.mark.parametrize(
    ("category", "args", "message"),
    [
        ("linear", ["kline.60.SYN0USDT", "nonsense.X"], "error:handler not found,topic:nonsense.X"),
        ("linear", ["kline.7.SYN0USDT"], "error:handler not found,topic:kline.7.SYN0USDT"),
        ("spot", ["orderbook.50.SYN0USDT"], "error:handler not found"),
        ("spot", ["orderbook.1.NOSUCH"], "Invalid symbol :[orderbook.1.NOSUCH]"),
        ("spot", [f"tickers.{i}" for i in range(11)], "args size >10"),
        ("linear", [], "args is empty"),
        ("linear", "kline.60.SYN0USDT", "args is empty"),
    ],
)
async def test_a_wrong_topic_refuses_the_whole_request(
    client: Client, category: str, args: Any, message: str
) -> None:
    socket = await client.connect(category)
    await socket.send_json({"op": "subscribe", "args": args})
    await client.frames(socket)
    await client.clock.advance(50)
    (answer,) = await client.frames(socket)
    assert answer["success"] is False
    assert message in answer["ret_msg"]
    await advance_to_bar(client)
    assert await client.frames(socket) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"op":"auth"}'])
async def test_nonsense_is_answered_and_harms_nothing(client: Client, text: str) -> None:
    socket = await client.connect()
    await socket.send_str(text)
    (answer,) = await client.frames(socket)
    assert answer["success"] is False


async def test_an_unknown_category_is_not_found(client: Client) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await client.connect("option")


async def test_every_valid_bar_is_confirmed_once_and_as_rest_has_it(client: Client) -> None:
    topics = [f"kline.60.{name}" for name in client.market.symbols]
    socket = await client.subscribe(*topics)
    first = client.market.bar_at(client.clock.now_ms())
    await advance_to_bar(client, 40)
    found = confirmed(await client.frames(socket))
    valid = client.market.source.block(first, 40).valid
    assert len(found) == valid.sum() < valid.size  # some bars are missing
    listed = await client.result("kline", symbol="SYN1USDT", interval="60", limit=1000)
    rows = {int(row[0]): row for row in listed["list"]}
    starts = client.market.source.block(first, 40).open_time[valid[:, 1]]
    mine = [c for c in found if c["open"] == rows.get(c["start"], [0, 0])[1]]
    assert [c["start"] for c in mine] == starts.tolist()
    for c in mine:
        names = ("open", "high", "low", "close", "volume", "turnover")
        assert [c[name] for name in names] == rows[c["start"]][1:]
        assert c["end"] == c["start"] + HOUR_MS - 1


async def test_forming_candles_grow_into_the_closed_one(client: Client) -> None:
    socket = await client.subscribe("kline.60.SYN0USDT")
    await advance_to_bar(client)
    await client.frames(socket)
    await advance_to_bar(client, 1)
    candles = [f["data"][0] for f in await client.frames(socket)]
    *forming, closed, opening = candles
    assert [c["confirm"] for c in candles] == [False] * len(forming) + [True, False]
    assert opening["start"] == closed["start"] + HOUR_MS
    high = [float(c["high"]) for c in [*forming, closed]]
    low = [float(c["low"]) for c in [*forming, closed]]
    volume = [float(c["volume"]) for c in [*forming, closed]]
    assert high == sorted(high)
    assert low == sorted(low, reverse=True)
    assert volume == sorted(volume)
    assert len({c["open"] for c in [*forming, closed]}) == 1


async def test_linear_tickers_are_a_snapshot_and_deltas_that_merge_to_rest(client: Client) -> None:
    socket = await client.subscribe("tickers.SYN0USDT", "tickers.SYN1USDT")
    await advance_to_bar(client, 5)
    await client.clock.advance(HOUR_MS // 4)
    merged: dict[str, dict[str, str]] = {}
    kinds = []
    for received in (await client.frames(socket))[1:]:
        kinds.append(received["type"])
        data = received["data"]
        assert received["type"] == "delta" or data["symbol"] not in merged
        merged.setdefault(data["symbol"], {}).update(data)
    assert kinds.count("snapshot") == 2
    assert kinds.count("delta") > 10
    for symbol, fields in merged.items():
        (ticker,) = (await client.result("tickers", category="linear", symbol=symbol))["list"]
        assert fields == ticker


async def test_spot_tickers_have_no_quotes_and_the_book_has(client: Client) -> None:
    socket = await client.subscribe("tickers.SYN0USDT", "orderbook.1.SYN0USDT", category="spot")
    await advance_to_bar(client, 3)
    await client.clock.advance(HOUR_MS // 4)
    book: dict[str, dict[str, str]] = {"b": {}, "a": {}}
    for received in (await client.frames(socket))[1:]:
        data = received["data"]
        if received["topic"].startswith("tickers"):
            assert received["type"] == "snapshot"
            assert not any("1Price" in name for name in data)
            continue
        if received["type"] == "snapshot":
            book = {"b": {}, "a": {}}
        for side in book:
            for price, size in data[side]:
                book[side].pop(price, None)
                if size != "0":
                    book[side][price] = size
    (ticker,) = (await client.result("tickers", category="spot", symbol="SYN0USDT"))["list"]
    assert book["b"] == {ticker["bid1Price"]: ticker["bid1Size"]}
    assert book["a"] == {ticker["ask1Price"]: ticker["ask1Size"]}


async def test_after_unsubscribing_nothing_comes(client: Client) -> None:
    socket = await client.subscribe("kline.60.SYN0USDT")
    await socket.send_json({"op": "unsubscribe", "args": ["kline.60.SYN0USDT"]})
    await client.frames(socket)
    await client.clock.advance(50)
    assert [f["op"] for f in await client.frames(socket)] == ["unsubscribe"]
    await advance_to_bar(client)
    assert await client.frames(socket) == []


async def test_a_client_that_leaves_is_forgotten(client: Client) -> None:
    socket = await client.subscribe("kline.60.SYN0USDT")
    other = await client.subscribe("kline.60.SYN1USDT")
    await socket.close()
    await advance_to_bar(client, 2)
    assert len(await client.frames(other)) > 2
    assert client.exchange.state()["connections"] == 1


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("ws_kline_linear", "kline.60.SYN0USDT"),
        ("ws_kline_unconfirmed_linear", "kline.60.SYN0USDT"),
        ("ws_tickers_spot_snapshot", "tickers.SYN0USDT"),
    ],
)
async def test_frames_have_the_shape_of_bybits(
    client: Client, wire: Wire, name: str, topic: str
) -> None:
    theirs = json.loads(wire(name))
    socket = await client.subscribe(topic, category="spot")
    ours = (await client.frames(socket))[1]
    assert ours.keys() == theirs.keys()
    mine, sampled = (np.atleast_1d(f["data"])[0] for f in (ours, theirs))
    assert {k: type(v) for k, v in mine.items()} == {k: type(v) for k, v in sampled.items()}

"""Every fault strikes as it says, is counted, and leaves the truth to REST."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from bot.errors import ConfigError
from bot.practice.faults import Faults, FaultSwitch
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.practice.conftest import Client

TOPIC = "kline.60.SYN0USDT"


async def bars(client: Client, n: int) -> None:
    into = client.clock.now_ms() % HOUR_MS
    await client.clock.advance(n * HOUR_MS - into)


def is_confirm(frame: dict[str, Any]) -> bool:
    return "data" in frame and bool(frame["data"][0]["confirm"])


async def confirms(client: Client, n_bars: int, **faults: float) -> list[dict[str, Any]]:
    """Return the confirms of SYN0USDT over some bars with these faults."""
    socket = await client.subscribe(TOPIC)
    client.exchange.switch.change(faults)
    await bars(client, n_bars)
    return [f["data"][0] for f in await client.frames(socket) if is_confirm(f)]


def valid_count(client: Client, n_bars: int) -> int:
    now = client.market.bar_at(client.clock.now_ms())
    return int(client.market.source.block(now - n_bars, n_bars, 0).valid.sum())


def test_the_dice_depend_on_the_seed_and_the_thing_alone() -> None:
    a, b = FaultSwitch(Faults(drop=0.5)), FaultSwitch(Faults(drop=0.5))
    first = [a.strikes_now("drop", i) for i in range(400)]
    assert first == [b.strikes_now("drop", i) for i in reversed(range(400))][::-1]
    assert 150 < sum(first) < 250
    assert a.strikes["drop"] == sum(first)
    other = FaultSwitch(Faults(seed=1, drop=0.5))
    assert first != [other.strikes_now("drop", i) for i in range(400)]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"drop": 1.5}, "from 0 to 1"),
        ({"drop": "often"}, "expected float"),
        ({"mute": 1}, "expected bool"),
        ({"drop": True}, "expected float"),
        ({"slow_ms": -1}, "0 or more"),
        ({"dorp": 0.1}, "no such fault"),
    ],
)
def test_wrong_faults_are_refused_by_name(wanted: dict[str, Any], message: str) -> None:
    switch = FaultSwitch(Faults())
    with pytest.raises(ConfigError, match=message):
        switch.change(wanted)
    assert switch.faults == Faults()


async def test_drop_cuts_the_connection(client: Client) -> None:
    socket = await client.subscribe(TOPIC)
    await client.frames(socket)
    client.exchange.switch.change({"drop": 1.0})
    await bars(client, 1)
    message = await socket.receive(timeout=5)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert socket.close_code in (None, 1006)
    assert client.exchange.switch.strikes["drop"] == 1


async def test_mute_sends_pongs_and_no_data(client: Client) -> None:
    socket = await client.subscribe(TOPIC)
    await client.frames(socket)
    client.exchange.switch.change({"mute": True})
    await bars(client, 5)
    assert await client.frames(socket) == []
    assert client.exchange.switch.strikes["mute"] > 5
    client.exchange.switch.change({"mute": False})
    await bars(client, 6)
    assert any(is_confirm(f) for f in await client.frames(socket))


async def test_garbage_comes_between_sound_frames(client: Client) -> None:
    socket = await client.subscribe(TOPIC)
    await client.frames(socket)
    client.exchange.switch.change({"garbage": 1.0})
    await bars(client, 3)
    broken, odd, sound = 0, 0, 0
    for text in await client.texts(socket):
        try:
            parsed = json.loads(text)
        except json.JSONDecodeError:
            broken += 1
            continue
        if isinstance(parsed, dict) and "topic" in parsed:
            sound += 1
        else:
            odd += 1
    assert broken > 0
    assert odd > 0
    assert sound == broken + odd


async def test_duplicates_come_twice(client: Client) -> None:
    found = await confirms(client, 10, duplicate=1.0)
    assert found[::2] == found[1::2]
    assert len(found) == 2 * valid_count(client, 10)


async def test_reordering_loses_nothing(client: Client) -> None:
    socket = await client.subscribe("kline.60.SYN0USDT", "kline.60.SYN1USDT")
    await client.frames(socket)
    client.exchange.switch.change({"reorder": 0.5})
    await bars(client, 10)
    frames = await client.frames(socket)
    timestamps = [f["ts"] for f in frames]
    assert timestamps != sorted(timestamps)
    assert client.exchange.switch.strikes["reorder"] > 10
    now = client.market.bar_at(client.clock.now_ms())
    valid = client.market.source.block(now - 10, 10).valid[:, :2].sum()
    assert valid - 1 <= sum(map(is_confirm, frames)) <= valid  # one may still be held back


async def test_lost_confirms_are_in_rest(client: Client) -> None:
    assert await confirms(client, 10, lost_confirm=1.0) == []
    result = await client.result("kline", symbol="SYN0USDT", interval="60", limit=5)
    assert len(result["list"]) == 5
    assert client.exchange.switch.strikes["lost_confirm"] >= 20


async def test_late_confirms_come_after_the_next_open(client: Client) -> None:
    socket = await client.subscribe(TOPIC)
    await client.frames(socket)
    client.exchange.switch.change({"late_confirm": 1.0, "late_ms": 60_000})
    await bars(client, 1)
    assert not any(is_confirm(f) for f in await client.frames(socket))
    await client.clock.advance(HOUR_MS // 4)
    late = [f for f in await client.frames(socket) if is_confirm(f)]
    assert len(late) == 1
    assert late[0]["data"][0]["end"] < client.clock.now_ms() - 60_000


async def test_a_revision_ends_with_the_truth(client: Client) -> None:
    found = await confirms(client, 10, revision=1.0)
    await client.clock.advance(HOUR_MS // 4)
    wrong, right = found[::2], found[1::2]
    assert all(w["volume"] != r["volume"] for w, r in zip(wrong, right, strict=False))
    result = await client.result("kline", symbol="SYN0USDT", interval="60")
    rows = {int(row[0]): row for row in result["list"]}
    assert all(r["close"] == rows[r["start"]][4] for r in right)
    assert [w["start"] for w in wrong[: len(right)]] == [r["start"] for r in right]


async def test_the_rate_limit_is_an_answer_of_http_200(client: Client) -> None:
    client.exchange.switch.change({"rate_limited": 1.0})
    body = await client.get("/v5/market/time")
    assert body["retCode"] == 10006


@pytest.mark.parametrize(("fault", "status"), [("forbidden", 403), ("unavailable", 503)])
async def test_http_errors(client: Client, fault: str, status: int) -> None:
    client.exchange.switch.change({fault: 1.0})
    async with client.http.get(f"{client.exchange.rest_url}/v5/market/time") as answer:
        assert answer.status == status


async def test_slow_answers_wait_on_the_clock(client: Client) -> None:
    client.exchange.switch.change({"slow": 1.0, "slow_ms": 2_000})
    start_ms = client.clock.now_ms()

    async def advance() -> None:
        while client.exchange.switch.strikes["slow"] == 0:
            await client.clock.advance(0)
        await client.clock.advance(2_000)

    async with client.http.get(f"{client.exchange.rest_url}/practice/state") as state:
        assert state.status == 200  # controls are never slow
    body, _ = await asyncio.gather(client.get("/v5/market/time"), advance())
    assert body["time"] == start_ms + 2_000


async def test_a_skewed_clock_shifts_times_and_nothing_else(client: Client) -> None:
    before = await client.result("kline", symbol="SYN0USDT", interval="60")
    client.exchange.switch.change({"clock_skew_ms": -90_000})
    body = await client.get("/v5/market/time")
    assert body["time"] == client.clock.now_ms() - 90_000
    assert body["result"]["timeSecond"] == str(body["time"] // 1000)
    assert await client.result("kline", symbol="SYN0USDT", interval="60") == before
    socket = await client.subscribe(TOPIC)
    late_ms = client.clock.now_ms() - (await client.frames(socket))[1]["ts"]
    assert 90_000 <= late_ms <= 90_050

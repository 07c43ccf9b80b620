"""The controls, the end of a recording, and serving from a loop of its own."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import pytest

from bot.blocks import BarBlock
from bot.config.schema import Synthetic
from bot.practice.clock import ManualClock, RealClock
from bot.practice.exchange import PracticeExchange, serve, serve_until_stopped
from bot.practice.market import PracticeMarket
from bot.practice.recorded import RecordedMarket
from bot.practice.synthetic import START_MS, SyntheticMarket
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.practice.conftest import Client


async def control(client: Client, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    url = f"{client.exchange.rest_url}/practice/{path}"
    async with client.http.request(method, url, json=body) as answer:
        is_json = answer.content_type == "application/json"
        return answer.status, await (answer.json() if is_json else answer.text())


async def test_advance_releases_the_next_bars(client: Client) -> None:
    socket = await client.subscribe("kline.60.SYN0USDT", "kline.60.SYN1USDT")
    _, before = await control(client, "GET", "state")
    status, after = await control(client, "POST", "advance", {"bars": 3})
    assert status == 200
    assert after["bar"] == before["bar"] + 3
    assert after["now_ms"] == after["bar_open_time"]
    frames = await client.frames(socket)
    starts = {f["data"][0]["start"] for f in frames if "data" in f and f["data"][0]["confirm"]}
    assert starts == {after["now_ms"] - i * HOUR_MS for i in (1, 2, 3)}
    status, moved = await control(client, "POST", "advance", {"ms": 5})
    assert moved["now_ms"] == after["now_ms"] + 5


@pytest.mark.parametrize(
    "body", [{}, {"bars": 1, "ms": 2}, {"days": 1}, {"ms": -1}, {"ms": "1"}, [1]]
)
async def test_a_wrong_advance_is_refused(client: Client, body: Any) -> None:
    status, _ = await control(client, "POST", "advance", body)
    assert status == 400


async def test_faults_are_switched_over_http(client: Client) -> None:
    status, faults = await control(client, "PUT", "faults", {"forbidden": 1})
    assert (status, faults["forbidden"], faults["drop"]) == (200, 1, 0.0)
    assert (await control(client, "GET", "faults"))[1] == faults
    async with client.http.get(f"{client.exchange.rest_url}/v5/market/time") as answer:
        assert answer.status == 403
    status, text = await control(client, "PUT", "faults", {"dorp": 1.0})
    assert status == 400
    assert "no such fault" in text
    assert (await control(client, "GET", "state"))[1]["strikes"]["forbidden"] == 1


async def test_disconnect_cuts_all_once(client: Client) -> None:
    socket = await client.subscribe("tickers.SYN0USDT")
    await client.frames(socket)
    assert (await control(client, "POST", "disconnect"))[1] == {"cut": 1}
    message = await socket.receive(timeout=5)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    again = await client.subscribe("tickers.SYN0USDT")
    assert len(await client.frames(again)) == 2


async def test_a_recording_ends_with_its_last_confirm() -> None:
    close = np.array([[10.0], [11.5], [12.25], [12.0]])
    grid = START_MS + HOUR_MS * np.arange(4, dtype=np.int64)
    bars = BarBlock.of_candles(grid, close, close, close, close, close)
    clock = ManualClock(START_MS + 2 * HOUR_MS)
    exchange = await serve(PracticeMarket(RecordedMarket(bars, ["BTCUSDT"], HOUR_MS)), clock)
    async with aiohttp.ClientSession() as http:
        query = {"symbol": "BTCUSDT", "interval": "60"}
        assert not exchange.finished.is_set()
        await clock.advance(9 * HOUR_MS)
        assert exchange.finished.is_set()
        async with http.get(f"{exchange.rest_url}/v5/market/kline", params=query) as answer:
            rows = (await answer.json())["result"]["list"]
    assert [row[4] for row in rows] == ["12", "12.25", "11.5", "10"]
    await exchange.close()


async def test_a_running_clock_is_not_advanced() -> None:
    market = PracticeMarket(SyntheticMarket(Synthetic(symbols=1, bars=100), HOUR_MS))
    exchange = await serve(market, RealClock(START_MS + 50 * HOUR_MS))
    url = f"{exchange.rest_url}/practice/advance"
    async with aiohttp.ClientSession() as http, http.post(url, json={"bars": 1}) as answer:
        assert answer.status == 409
    await exchange.close()


def test_serving_ends_with_sigterm() -> None:
    seen: list[str] = []

    def ready(exchange: PracticeExchange) -> None:
        seen.append(exchange.rest_url)
        os.kill(os.getpid(), signal.SIGTERM)

    market = PracticeMarket(SyntheticMarket(Synthetic(symbols=1, bars=100), HOUR_MS))
    serve_until_stopped(market, RealClock(START_MS + 50 * HOUR_MS), on_ready=ready)
    assert seen[0].startswith("http://127.0.0.1:")

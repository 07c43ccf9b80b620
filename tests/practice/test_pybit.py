"""pybit, unmodified but for its address, talks to the practice exchange."""

from __future__ import annotations

import asyncio
import queue
from typing import Any

import pytest
from pybit.exceptions import InvalidRequestError
from pybit.unified_trading import HTTP, WebSocket

from bot.adapters.bybit.instruments import tiers_of_rows
from bot.config.schema import Synthetic
from bot.portfolio.margin_tiers import OF_OTHERS
from bot.practice.clock import RealClock
from bot.practice.exchange import serve
from bot.practice.market import PracticeMarket
from bot.practice.synthetic import START_MS, SyntheticMarket
from bot.timegrid import HOUR_MS


def use_rest(url: str) -> dict[str, Any]:
    session = HTTP()
    session.endpoint = url
    with pytest.raises(InvalidRequestError, match="Not supported symbols"):
        session.get_kline(category="linear", symbol="NOSUCH", interval="60")
    symbol = {"category": "linear", "symbol": "SYN0USDT"}
    answers = {
        "kline": session.get_kline(**symbol, interval="60", limit=5),
        "mark": session.get_mark_price_kline(**symbol, interval="60", limit=5),
        "instruments": session.get_instruments_info(category="linear", limit=1),
        "risk": session.get_risk_limit(**symbol),
        "funding": session.get_funding_rate_history(**symbol, limit=3),
        "tickers": session.get_tickers(**symbol),
        "time": session.get_server_time(),
    }
    session.client.close()
    return answers


def use_stream(url: str) -> list[dict[str, Any]]:
    """Return frames until two bars of each of two symbols are confirmed."""

    class LocalWebSocket(WebSocket):
        def _connect(self, bybit_url: str) -> None:
            super()._connect(f"{url}/v5/public/{bybit_url.rsplit('/', 1)[1]}")

    received: queue.Queue[dict[str, Any]] = queue.Queue()
    socket = LocalWebSocket(
        "linear",
        testnet=False,
        retries=2,
        restart_on_error=False,
        callback_function=received.put,
    )
    socket.kline_stream(interval=60, symbol=["SYN0USDT", "SYN1USDT"], callback=received.put)
    socket.ticker_stream(symbol=["SYN0USDT"], callback=received.put)
    frames, confirmed = [], 0
    while confirmed < 4:
        frames.append(received.get(timeout=10))
        if frames[-1].get("topic", "").startswith("kline"):
            confirmed += frames[-1]["data"][0]["confirm"]
    socket.exit()
    return frames


async def test_pybit_reads_rest_and_stream() -> None:
    market = PracticeMarket(SyntheticMarket(Synthetic(symbols=2, bars=100), HOUR_MS))
    exchange = await serve(market, RealClock(START_MS + 500 * HOUR_MS, speed=4 * 3600.0))
    try:
        answers = await asyncio.to_thread(use_rest, exchange.rest_url)
        frames = await asyncio.to_thread(use_stream, exchange.stream_url)
    finally:
        await exchange.close()
    assert all(answer["retCode"] == 0 for answer in answers.values())
    assert len(answers["kline"]["result"]["list"]) == 5
    assert len(answers["mark"]["result"]["list"][0]) == 5
    assert answers["instruments"]["result"]["nextPageCursor"]
    assert tiers_of_rows("SYN0USDT", answers["risk"]["result"]["list"]) == OF_OTHERS
    assert len(answers["funding"]["result"]["list"]) == 3
    kinds = {f["topic"].split(".")[0] for f in frames if "topic" in f}
    assert kinds == {"kline", "tickers"}
    assert sum(f.get("op") == "subscribe" and f["success"] for f in frames) == 2

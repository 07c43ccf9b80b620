"""Make the recorded market and messages that the tests read: `python -m scripts.fixtures [FOLDER]`.

All of it is the project's own: candles of the synthetic market under the names of real symbols, with
the faults that real files have (holes, hours without trades, a late listing, a delisting, a funding
schedule that changes, rates that are not known), and messages as the practice exchange says them.
Rules: the same files on every machine, but for the last bits of a price; under a megabyte in all.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pandas as pd

from bot.adapters.files.candle_files import write_candles, write_table
from bot.blocks import BarBlock, Bool
from bot.config.schema import Synthetic
from bot.practice.clock import ManualClock
from bot.practice.exchange import PracticeExchange, serve
from bot.practice.market import PracticeMarket
from bot.practice.recorded import RecordedMarket
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import DAY_MS, HOUR_MS, MINUTE_MS

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "fixtures"
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT")
STOCKS = ("AAPL", "MSFT", "GOOGL")
START_MS = 1_704_067_200_000
"""2024-01-01 00:00 UTC, a Monday."""

HOURS, MINUTES, DAYS = 1700, 2000, 400
HOLIDAYS = (14, 49, 88)
"""Days after the start on which the stock exchange is closed, beside the weekends."""

REST = {
    "rest_kline": ("kline", {"category": "linear", "symbol": "BTCUSDT", "interval": "60"}),
    "rest_mark_kline": (
        "mark-price-kline", {"category": "linear", "symbol": "BTCUSDT", "interval": "60"},
    ),
    "rest_funding_history_linear": ("funding/history", {"category": "linear", "symbol": "BTCUSDT"}),
    "rest_instruments_linear": ("instruments-info", {"category": "linear", "symbol": "BTCUSDT"}),
    "rest_instruments_spot": ("instruments-info", {"category": "spot", "symbol": "BTCUSDT"}),
    "rest_risk_limit_linear": ("risk-limit", {"category": "linear", "symbol": "BTCUSDT"}),
    "rest_tickers_linear": ("tickers", {"category": "linear", "symbol": "BTCUSDT"}),
    "rest_tickers_spot": ("tickers", {"category": "spot", "symbol": "BTCUSDT"}),
    "rest_time": ("time", {}),
}  # fmt: skip
"""Questions to the practice exchange, by the name of the file that keeps the answer."""


def make(folder: Path = FOLDER) -> None:
    """Write all fixtures under a folder."""
    hours = hourly()
    make_candles(folder / "data", hours)
    (folder / "wire").mkdir(parents=True, exist_ok=True)
    for name, message in asyncio.run(_messages(hours)).items():
        text = json.dumps(message, indent=1)
        (folder / "wire" / f"{name}.json").write_text(text + "\n", "utf-8")


def hourly() -> BarBlock:
    """Return 1,700 hours of four symbols: one whole, three with the faults of real files."""
    bars = synthetic_bars(Synthetic(symbols=4, bars=HOURS, seed=11), HOUR_MS, START_MS)
    n = np.arange(HOURS)
    valid = np.ones((HOURS, 4), dtype=np.bool_)
    valid[:, 1] = (n % 97 != 31) & ~((n >= 700) & (n < 709))  # holes, and nine hours of an outage
    valid[:, 2] = n < 1650  # delisted
    valid[:, 3] = n >= 60  # listed late
    return _hidden(_untraded(bars, n % 83 == 7, symbol=2), valid)


def _untraded(bars: BarBlock, rows: Bool, symbol: int) -> BarBlock:
    """Return bars in which nothing was traded at these rows: the close before, and no volume."""
    still = {k: getattr(bars, k).copy() for k in ("open", "high", "low", "close")}
    at = np.flatnonzero(rows & (np.arange(len(bars)) > 0))
    for column in still.values():
        column[at, symbol] = bars.close[at - 1, symbol]
    volume, turnover = bars.volume.copy(), bars.turnover.copy()
    volume[at, symbol] = turnover[at, symbol] = 0.0
    return replace(bars, **still, volume=volume, turnover=turnover)


def _hidden(bars: BarBlock, valid: Bool) -> BarBlock:
    names = ("open", "high", "low", "close", "volume", "turnover", "mark")
    gone = {name: np.where(valid, getattr(bars, name), np.nan) for name in names}
    return replace(bars, **gone, valid=valid, fillable=bars.fillable & valid)


def make_candles(root: Path, hours: BarBlock) -> None:
    """Write candles, marks and funding as a download would leave them."""
    for s, symbol in enumerate(SYMBOLS):
        write_bars(root / "candles" / f"bybit_linear_{symbol}_1h.parquet", hours, s)
        seen = hours.valid[:, s]
        mark = pd.DataFrame({"timestamp": hours.open_time[seen]})
        for name in ("open", "high", "low", "close"):
            mark[name] = hours.mark[seen, s]
        path = root / "mark" / f"bybit_linear_{symbol}_1h_mark.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_candles(path, mark.assign(volume=0.0))
        path = root / "funding" / f"bybit_linear_{symbol}_funding.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(path, funding(hours, s))
    minutes = synthetic_bars(Synthetic(symbols=1, bars=MINUTES, seed=12), MINUTE_MS, START_MS)
    minutes = _untraded(minutes, np.arange(MINUTES) % 113 == 60, symbol=0)
    write_bars(root / "candles" / "bybit_linear_BNBUSDT_1m.parquet", minutes, 0)
    days = synthetic_bars(
        Synthetic(symbols=3, bars=DAYS, seed=13, volatility=0.012), DAY_MS, START_MS
    )
    number = np.arange(DAYS)
    session = (number % 7 < 5) & ~np.isin(number, HOLIDAYS)
    days = _hidden(days, days.valid & session[:, None])
    for s, symbol in enumerate(STOCKS):
        write_bars(root / "stocks" / f"us_{symbol}_1d.parquet", days, s)


def write_bars(path: Path, bars: BarBlock, s: int) -> None:
    """Write the bars that a symbol has as a candle file."""
    seen = bars.valid[:, s]
    frame = pd.DataFrame({"timestamp": bars.open_time[seen]})
    for name in ("open", "high", "low", "close", "volume", "turnover"):
        frame[name] = getattr(bars, name)[seen, s]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_candles(path, frame)


def funding(hours: BarBlock, s: int) -> pd.DataFrame:
    """Return a symbol's rates: every 8 hours, SOL's every 4 from bar 800 on, two of ETH's absent."""
    n = np.arange(len(hours))
    every = np.where((s == 2) & (n >= 800), 4, 8)
    due = (n % every == 0) & hours.valid[:, s]
    if s == 1:
        due[[160, 168]] = False
    rate = np.round(1e-4 * (1.0 + 0.8 * np.sin(n / 40.0 + s)), 8)
    return pd.DataFrame({"timestamp": hours.open_time[due], "funding_rate": rate[due]})


async def _messages(hours: BarBlock) -> dict[str, Any]:
    """Return every kind of answer and frame of the practice exchange, by its file's name."""
    market = PracticeMarket(RecordedMarket(hours, SYMBOLS, HOUR_MS), ticks_per_bar=4)
    clock = ManualClock(START_MS + 1000 * HOUR_MS + HOUR_MS // 2)
    exchange = await serve(market, clock)
    try:
        async with aiohttp.ClientSession() as http:
            found: dict[str, Any] = {}
            for name, (path, query) in REST.items():
                url = f"{exchange.rest_url}/v5/market/{path}"
                limit = {"limit": "3"} if path != "time" else {}
                async with http.get(url, params=query | limit) as answer:
                    found[name] = await answer.json()
            return found | await _frames(http, exchange, clock)
    finally:
        await exchange.close()


async def _frames(
    http: aiohttp.ClientSession, exchange: PracticeExchange, clock: ManualClock
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for category in ("spot", "linear"):
        async with http.ws_connect(f"{exchange.stream_url}/v5/public/{category}") as socket:
            topics = ["kline.60.BTCUSDT", "tickers.BTCUSDT"]
            topics += ["orderbook.1.BTCUSDT"] if category == "spot" else []
            for args in (["orderbook.1.NOSUCHSYM"], topics):
                await socket.send_json({"op": "subscribe", "req_id": "sub1", "args": args})
                await _pong(socket, found, category)
                await clock.advance(50)
            for _ in range(4):
                await clock.advance(HOUR_MS // 4)
            await _pong(socket, found, category)
    return found


async def _pong(
    socket: aiohttp.ClientWebSocketResponse, found: dict[str, Any], category: str
) -> None:
    """Keep the frames up to a pong, the first of each kind."""
    await socket.send_json({"op": "ping", "req_id": "p1"})
    while True:
        frame = json.loads(await socket.receive_str(timeout=5))
        name = _name(frame, category)
        found.setdefault(name, frame)
        if name.startswith("ws_pong"):
            return


def _name(frame: dict[str, Any], category: str) -> str:
    if "topic" not in frame:
        refused = "ws_subscribe_ok" if frame["success"] else "ws_subscribe_error"
        return f"ws_pong_{category}" if frame["ret_msg"] == "pong" else f"{refused}_{category}"
    kind = frame["topic"].partition(".")[0]
    if kind == "kline":
        confirmed = frame["data"][0]["confirm"]
        return f"ws_kline_{category}" if confirmed else f"ws_kline_unconfirmed_{category}"
    return f"ws_{kind}_{category}_{frame['type']}"


if __name__ == "__main__":
    make(*map(Path, sys.argv[1:]))

"""Answers that no exchange should give, by the hundred thousand: sound ones, spoilt in seeded ways.

Each is a whole HTTP response or a frame of the stream, so that it goes the way of a real one: through
requests, urllib3 and pybit, or through the reader of frames. What is varied: depth, size, numbers,
types, encodings, compressed size, status, redirects, the symbol, the category and interval, times.
"""

from __future__ import annotations

import copy
import gzip
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

HOUR_MS = 3_600_000
NOW_MS = 1_735_689_600_000 + 25 * 60_000
SYMBOL = "BTCUSDT"

RAW = (
    "NaN", "Infinity", "-Infinity", "1e300", "1e999", "-0", "1" + "0" * 400, "1" + "0" * 5_000,
    "-" + "9" * 400, "[" * 50 + "]" * 50, "[" * 990 + "]" * 990, "[" * 20_000 + "]" * 20_000,
    '{"a":' * 500 + "1" + "}" * 500, "1.0", "0.1e-400", '"\\ud800"', '"\\u0000"',
)  # fmt: skip
"""Tokens that are written into the text as they stand, for JSON's own writer refuses most of them."""

VALUES: tuple[Any, ...] = (
    None, True, False, "", " ", "x", "NaN", "inf", "1e999", "-1", "0", "1e300", "0x10", "1_000",
    "１２３", "1,5", -1, 0, 1, 1.5, 10**15, 10**18, -(10**18), [], {}, [[]], {"a": []}, [None],
    "ETHUSDT", "spot", "\ud83d", "a" * 3_000,
)  # fmt: skip


@dataclass
class Response:
    """An HTTP response before it is read."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def sound_kline(step_ms: int, start: int, end: int, columns: int) -> dict[str, Any]:
    """Return a sound answer about candles, newest first, that the exchange has at NOW_MS."""
    last = min(end, NOW_MS) // step_ms * step_ms
    first = max(-(-start // step_ms) * step_ms, last - 999 * step_ms)
    candle = ["10", "12", "9", "11", "3", "33"][: columns - 1]
    rows = [[str(t), *candle] for t in range(first, last + 1, step_ms)]
    return envelope({"symbol": SYMBOL, "category": "linear", "list": rows[::-1]})


def envelope(result: Any) -> dict[str, Any]:
    """Return a result in Bybit's envelope."""
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": NOW_MS}


def sound(path: str, query: dict[str, str]) -> dict[str, Any]:
    """Return a sound answer to a question."""
    start, end = int(query.get("start", 0)), int(query.get("end", NOW_MS))
    if path.endswith("/kline"):
        if "start" not in query:
            start = NOW_MS - HOUR_MS
        return sound_kline(HOUR_MS, start, end, 7)
    if path.endswith("/mark-price-kline"):
        return sound_kline(HOUR_MS, start, end, 5)
    if path.endswith("/funding/history"):
        times = range(-(-int(query["startTime"]) // (8 * HOUR_MS)), NOW_MS // (8 * HOUR_MS) + 1)
        rows = [
            {"symbol": SYMBOL, "fundingRate": "0.0001", "fundingRateTimestamp": str(t * 8 * HOUR_MS)}
            for t in list(times)[-200:]
        ]  # fmt: skip
        return envelope({"category": "linear", "list": rows[::-1]})
    if path.endswith("/instruments-info"):
        sizes = {"qtyStep": "0.001", "minOrderQty": "0.001", "minNotionalValue": "5"}
        entry = {
            "symbol": SYMBOL, "contractType": "LinearPerpetual", "status": "Trading",
            "baseCoin": "BTC", "quoteCoin": "USDT", "settleCoin": "USDT", "lotSizeFilter": sizes,
            "launchTime": "1585526400000", "deliveryTime": "0", "fundingInterval": 480,
            "priceFilter": {"tickSize": "0.10"}, "leverageFilter": {"maxLeverage": "100.00"},
            "upperFundingRate": "0.00375", "lowerFundingRate": "-0.00375",
        }  # fmt: skip
        return envelope({"category": "linear", "list": [entry], "nextPageCursor": ""})
    if path.endswith("/risk-limit"):
        tier = {
            "id": 1, "symbol": SYMBOL, "riskLimitValue": "2000000", "maintenanceMargin": "0.005",
            "initialMargin": "0.01", "isLowestRisk": 1, "maxLeverage": "100.00", "mmDeduction": "",
        }  # fmt: skip
        return envelope({"category": "linear", "list": [tier], "nextPageCursor": ""})
    if path.endswith("/tickers"):
        row = {
            "symbol": SYMBOL, "bid1Price": "10", "ask1Price": "11", "markPrice": "10.5",
            "bid1Size": "3", "ask1Size": "4",
            "fundingRate": "0.0001", "nextFundingTime": str(NOW_MS + HOUR_MS),
        }  # fmt: skip
        return envelope({"category": "linear", "list": [row]})
    return envelope({"timeSecond": str(NOW_MS // 1000), "timeNano": str(NOW_MS * 1_000_000)})


def sound_frame(kind: str, ts: int, dice: random.Random) -> dict[str, Any]:
    """Return a sound frame of the stream."""
    if kind == "kline":
        start = ts // HOUR_MS * HOUR_MS
        confirm = dice.random() < 0.3
        start -= HOUR_MS if confirm else 0
        row = {
            "start": start, "end": start + HOUR_MS - 1, "interval": "60", "open": "10",
            "close": "11", "high": "12", "low": "9", "volume": "3", "turnover": "33",
            "confirm": confirm, "timestamp": ts,
        }  # fmt: skip
        return {"topic": f"kline.60.{SYMBOL}", "type": "snapshot", "ts": ts, "data": [row]}
    if kind == "tickers":
        told = {
            "symbol": SYMBOL, "bid1Price": "10", "bid1Size": "3", "ask1Price": "11", "ask1Size": "4",
            "markPrice": "10.5",
        }  # fmt: skip
        return {"topic": f"tickers.{SYMBOL}", "type": "snapshot", "ts": ts, "data": told}
    if kind == "orderbook":
        data: dict[str, Any] = {
            "s": SYMBOL,
            "b": [["10", "1"]],
            "a": [["11", "1"]],
            "u": 1,
            "seq": 2,
        }
        return {"topic": f"orderbook.1.{SYMBOL}", "type": "snapshot", "ts": ts, "data": data}
    if kind == "pong":
        return {"success": True, "ret_msg": "pong", "conn_id": "c", "op": "ping"}
    return {"success": True, "ret_msg": "", "conn_id": "c", "req_id": "1", "op": "subscribe"}


def spoil(tree: Any, dice: random.Random) -> tuple[Any, dict[str, str]]:
    """Change a sound answer in one to three places; return it, and what stands for raw tokens."""
    raw: dict[str, str] = {}
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        places = list(_places(tree))
        if not places:
            break
        holder, key = dice.choice(places)
        _change(holder, key, dice, raw)
    return tree, raw


def text_of(tree: Any, raw: dict[str, str]) -> str:
    """Return the JSON text, raw tokens written in."""
    text = json.dumps(tree)
    for mark, token in raw.items():
        text = text.replace(f'"{mark}"', token)
    return text


def hostile_response(path: str, query: dict[str, str], dice: random.Random) -> Response:
    """Return one response that no exchange should give, or that is sound by chance."""
    tree, raw = spoil(sound(path, query), dice)
    if dice.random() < 0.1:
        tree = _refusal(dice)
        tree, raw = spoil(tree, dice) if dice.random() < 0.5 else (tree, {})
    text = text_of(tree, raw)
    draw = dice.random()
    if draw < 0.6:
        return _encoded(text.encode("utf-8", "surrogatepass"), dice)
    if draw < 0.75:
        return Response(_bytes(text, dice))
    if draw < 0.85:
        status = dice.choice((204, 301, 302, 307, 308, 400, 403, 404, 418, 429, 500, 503, 999))
        location = {"Location": "http://elsewhere.example/steal"} if status // 100 == 3 else {}
        return Response(text.encode("utf-8", "surrogatepass"), status, location)
    if draw < 0.8505:
        return Response(bomb(dice.choice(("gzip", "deflate"))), 200, {"Content-Encoding": "gzip"})
    return Response(
        dice.choice((b"", b"null", b"[]", b"7", b'"text"', b"<html>", b"{" * 500, b"\x00" * 99))
    )


def hostile_frame(ts: int, dice: random.Random) -> str | bytes:
    """Return one frame that no exchange should send, or that is sound by chance."""
    kind = dice.choice(("kline", "kline", "tickers", "orderbook", "ack", "pong"))
    tree, raw = spoil(sound_frame(kind, ts, dice), dice)
    text = text_of(tree, raw)
    return _bytes(text, dice) if dice.random() < 0.15 else text


@cache
def bomb(kind: str, size: int = 300_000_000) -> bytes:
    """Return 300 MB of blanks, packed into some hundred kilobytes; of deflate, a tenth of it."""
    if kind == "deflate":
        return zlib.compress(b" " * (size // 10), 1)
    return gzip.compress(b" " * (size // 30), 9) * 30


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Return (holder, key) of values in a tree, of long lists only some."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        keys: list[Any] = list(node) if isinstance(node, dict) else []
        if isinstance(node, list):
            keys = list(range(len(node))) if len(node) < 20 else [0, 1, len(node) - 1]
        for key in keys:
            found.append((node, key))
            waiting.append(node[key])
    return found


def _change(holder: Any, key: Any, dice: random.Random, raw: dict[str, str]) -> None:
    old = holder[key]
    changes: list[Callable[[], Any]] = [
        lambda: copy.deepcopy(dice.choice(VALUES)),  # it may be spoiled in its turn
        lambda: _raw(dice, raw),
        lambda: _shifted(old, dice),
        lambda: [old],
        lambda: {"value": old},
        lambda: str(old),
    ]
    if isinstance(old, list) and old:
        changes += [lambda: old * 2, lambda: old[::-1], lambda: old[:-1], lambda: [*old, old[0]]]
    if dice.random() < 0.15:
        del holder[key]
    else:
        holder[key] = dice.choice(changes)()


def _raw(dice: random.Random, raw: dict[str, str]) -> str:
    mark = f"@raw{len(raw)}@"
    raw[mark] = dice.choice(RAW)
    return mark


def _shifted(old: Any, dice: random.Random) -> Any:
    """Return a number or a time moved by something, as it was written."""
    by = dice.choice((1, -1, 60_000, HOUR_MS, -HOUR_MS, 24 * HOUR_MS, 10**12))
    if type(old) is int:
        return old + by
    if isinstance(old, str) and old.isdigit() and len(old) < 30:
        return str(int(old) + by)
    return old


def _refusal(dice: random.Random) -> dict[str, Any]:
    message = dice.choice(
        (
            "Not supported symbols",
            "params error: symbol invalid",
            "symbol is busy, try later",
            "the symbol ETHUSDT is invalid",
            "Too many visits",
            "",
            None,
            {"symbol": "invalid"},
        )
    )
    codes: tuple[Any, ...] = (
        10001, 10002, 10006, 10016, 170001, -1, "10001", 10001.0, [], 1e300
    )  # fmt: skip
    code = dice.choice(codes)
    return {**envelope({}), "retCode": code, "retMsg": message}


def _encoded(body: bytes, dice: random.Random) -> Response:
    coding = dice.choice(("", "", "", "gzip", "deflate", "gzip, gzip", "br", "no such"))
    if coding.startswith("gzip"):
        body = gzip.compress(body, 1)
    if coding == "gzip, gzip":
        body = gzip.compress(body, 1)
    if coding == "deflate":
        body = zlib.compress(body, 1)
    if coding and dice.random() < 0.2:
        body = body[: dice.randrange(len(body))]
    return Response(body, 200, {"Content-Encoding": coding} if coding else {})


def _bytes(text: str, dice: random.Random) -> bytes:
    body = text.encode("utf-8", "surrogatepass")
    draw = dice.randrange(6)
    if draw == 0:
        return body[: dice.randrange(len(body) + 1)]
    if draw == 1 and body:
        at = dice.randrange(len(body))
        return body[:at] + bytes([dice.randrange(256)]) + body[at + 1 :]
    if draw == 2:
        return text.encode(dice.choice(("utf-16", "utf-32", "utf-8-sig", "utf-7")), "replace")
    if draw == 3:
        return body + body
    if draw == 4:
        return b"\xff\xfe" + body
    return bytes(dice.randrange(256) for _ in range(200))

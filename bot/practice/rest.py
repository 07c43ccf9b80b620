"""Bybit's public v5 REST endpoints over a `PracticeMarket`.

Rules: lists are newest first; what Bybit refuses is refused with its retCode in an answer of HTTP
200. Faults strike before a request is looked at. Nothing later than the exchange's time is ever
answered, and a bar that the source misses is in no list and counts for no limit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiohttp import web

from bot.blocks import BarBlock
from bot.practice.clock import Clock
from bot.practice.faults import FaultSwitch
from bot.practice.fine_rows import FineRows, fine_candles, fine_marks, finer_step, span_of
from bot.practice.instruments import delivery_of, instrument, risk_limits
from bot.practice.market import PracticeMarket
from bot.practice.queries import (
    RATE_LIMITED,
    Payload,
    Query,
    RefusedRequest,
    category_of,
    limit_of,
    whole,
    within,
)
from bot.practice.settlements import settlements
from bot.practice.wire import (
    PERIODS,
    WireCandle,
    closed_candle,
    forming_candle,
    period_of,
    plain,
    ticker,
)

RISK_LIMIT_SYMBOLS = 15
"""Of a page of risk limits."""


class Rest:
    """The endpoints, each a function of the query."""

    def __init__(self, market: PracticeMarket, clock: Clock, switch: FaultSwitch) -> None:
        self._market = market
        self._clock = clock
        self._switch = switch
        self._period = period_of(market.interval_ms)
        self.requests = 0
        self._answers: dict[str, Callable[[Query], Payload]] = {
            "kline": self._kline,
            "mark-price-kline": self._mark_kline,
            "instruments-info": self._instruments,
            "risk-limit": self._risk_limits,
            "delivery-price": self._deliveries,
            "funding/history": self._funding,
            "tickers": self._tickers,
            "time": self._time,
        }

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to serve."""
        return [web.get(f"/v5/market/{path}", self._serve(path)) for path in self._answers]

    def answer(self, path: str, query: Query) -> dict[str, Any]:
        """Return the body of the answer to a question of `/v5/market/`."""
        try:
            return self._envelope(0, "OK", self._answers[path](query))
        except RefusedRequest as refusal:
            return self._envelope(refusal.code, str(refusal))

    def _serve(self, path: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            self.requests += 1
            number, switch = self.requests, self._switch
            if switch.strikes_now("slow", number):
                await self._clock.pause(switch.faults.slow_ms)
            if switch.strikes_now("unavailable", number):
                return web.Response(status=503, text="Service Unavailable")
            if switch.strikes_now("forbidden", number):
                return web.Response(status=403, text="access too frequent")
            if switch.strikes_now("rate_limited", number):
                message = "Too many visits. Exceeded the API Rate Limit."
                return web.json_response(self._envelope(RATE_LIMITED, message))
            return web.json_response(self.answer(path, request.query))

        return handle

    def _reported_ms(self) -> int:
        return self._clock.now_ms() + self._switch.faults.clock_skew_ms

    def _envelope(self, code: int, message: str, result: Payload | None = None) -> dict[str, Any]:
        return {
            "retCode": code,
            "retMsg": message,
            "result": result or {},
            "retExtInfo": {},
            "time": self._reported_ms(),
        }

    def _time(self, query: Query) -> Payload:  # noqa: ARG002 - it has no parameters
        now_ms = self._reported_ms() + self._switch.faults.time_skew_ms
        return {"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)}

    def _tickers(self, query: Query) -> Payload:
        category = category_of(query)
        chosen = [self._symbol(query)] if "symbol" in query else range(self._listed(query))
        moment = self._market.at(self._clock.now_ms())
        found = [ticker(self._market, moment, s, category) for s in chosen]
        return {"category": category, "list": [t for t in found if t is not None]}

    def _instruments(self, query: Query) -> Payload:
        category, market = category_of(query), self._market
        now_ms = self._clock.now_ms()
        if "symbol" in query:
            listed = [instrument(market, self._symbol(query), category, now_ms)]
            return {"category": category, "list": listed, "nextPageCursor": ""}
        n = self._listed(query)
        if category == "spot":  # spot has no pages
            listed = [instrument(market, s, category, now_ms) for s in range(n)]
            return {"category": category, "list": listed}
        limit, first = limit_of(query, most=1000, default=500), whole(query, "cursor") or 0
        last = min(first + limit, n)
        listed = [instrument(market, s, category, now_ms) for s in range(first, last)]
        return {
            "category": category,
            "list": listed,
            "nextPageCursor": str(last) if last < n else "",
        }

    def _risk_limits(self, query: Query) -> Payload:
        category, market = category_of(query, of_contracts=True), self._market
        if "symbol" in query:
            rows = risk_limits(market, self._symbol(query), category)
            return {"category": category, "list": rows, "nextPageCursor": ""}
        first, n = whole(query, "cursor") or 0, self._listed(query)
        last = min(first + RISK_LIMIT_SYMBOLS, n)
        return {
            "category": category,
            "list": [row for s in range(first, last) for row in risk_limits(market, s, category)],
            "nextPageCursor": str(last) if last < n else "",
        }

    def _deliveries(self, query: Query) -> Payload:
        category, s = category_of(query, of_contracts=True), self._symbol(query)
        delivery = delivery_of(self._market, s, self._clock.now_ms())
        told = [] if delivery is None else [delivery]
        return {"category": category, "list": told, "nextPageCursor": ""}

    def _funding(self, query: Query) -> Payload:
        category, s = category_of(query, of_contracts=True), self._symbol(query)
        start, end = whole(query, "startTime"), whole(query, "endTime")
        if start is not None and end is None:
            raise RefusedRequest("params error: endTime is required with startTime")
        limit = limit_of(query, most=200, default=200)
        rows: list[dict[str, str]] = []
        step, now_ms = self._market.interval_ms, self._clock.now_ms()
        since = None if start is None else start - step + 1  # of a bar that has begun before
        for bars in self._backwards(s, since, end, forming=True):
            times, rates = settlements(bars, step)
            for time, rate in zip(times[::-1].tolist(), rates[::-1].tolist(), strict=True):
                if time <= now_ms and within(time, start, end):
                    rows.append(
                        {
                            "symbol": self._market.symbols[s],
                            "fundingRate": plain(rate),
                            "fundingRateTimestamp": str(time),
                        }
                    )
            if len(rows) >= limit:
                break
        return {"category": category, "list": rows[:limit]}

    def _kline(self, query: Query) -> Payload:
        category = category_of(query, "linear")
        if step := finer_step(query, self._market):
            return self._finer(query, category, fine_candles, step)
        return self._candles(query, category, WireCandle.row)

    def _mark_kline(self, query: Query) -> Payload:
        """Answer candles of the mark price: it starts where the mark is known, else as the last."""
        category = category_of(query, "linear", of_contracts=True)
        if step := finer_step(query, self._market):
            return self._finer(query, category, fine_marks, step)
        return self._candles(query, category, lambda candle: candle.row()[:5], mark=True)

    def _finer(self, query: Query, category: str, rows: FineRows, step: int) -> Payload:
        s, now_ms = self._symbol(query), self._clock.now_ms()
        span_ms, limit = span_of(query, now_ms), limit_of(query, most=1000, default=200)
        told = rows(self._market, s, category, step, span_ms=span_ms, now_ms=now_ms)
        return {"symbol": self._market.symbols[s], "category": category, "list": told[:limit]}

    def _candles(
        self, query: Query, category: str, write: Callable[[WireCandle], list[str]],
        mark: bool = False,
    ) -> Payload:  # fmt: skip
        s = self._symbol(query)
        self._check_period(query)
        start, end = whole(query, "start"), whole(query, "end")
        if start is not None and end is not None and start > end:
            raise RefusedRequest("params error: start is later than end")
        limit = limit_of(query, most=1000, default=200)
        oldest_first = start is not None and end is None
        if start is not None and end is None:
            blocks = self._forwards(s, start)
        else:
            blocks = self._backwards(s, start, end)
        found: list[WireCandle] = []
        for bars in blocks:
            order = range(len(bars)) if oldest_first else range(len(bars) - 1, -1, -1)
            candles = (closed_candle(bars, i, 0, category, mark=mark) for i in order)
            found.extend(candle for candle in candles if candle is not None)
            if len(found) >= limit:
                break
        forming = forming_candle(self._market.at(self._clock.now_ms()), s, category, mark=mark)
        if forming is not None and within(forming.start, start, end) and not self._ended():
            found = [*found, forming] if oldest_first else [forming, *found]
        kept = found[:limit][::-1] if oldest_first else found[:limit]
        symbol = self._market.symbols[s]
        return {"symbol": symbol, "category": category, "list": [write(c) for c in kept]}

    def _ended(self) -> bool:
        end_ms = self._market.end_ms
        return end_ms is not None and self._clock.now_ms() >= end_ms

    def _bars(self, first: int, last: int, s: int, forming: bool) -> BarBlock | None:
        """Return bars first..last as far as they have closed, or opened where `forming`."""
        now_ms = self._clock.now_ms()
        seen_ms = now_ms + self._market.interval_ms if forming else now_ms
        return self._market.closed(first, last, s, seen_ms)

    def _forwards(self, s: int, start: int) -> Iterator[BarBlock]:
        """Yield a symbol's closed bars from `start` on, oldest first, a thousand at a time."""
        first = self._first_from(start)
        while (bars := self._bars(first, first + 999, s, forming=False)) is not None:
            yield bars
            first += len(bars)

    def _backwards(
        self, s: int, start: int | None, end: int | None, forming: bool = False
    ) -> Iterator[BarBlock]:
        """Yield a symbol's closed bars between two times, the newest thousand first."""
        oldest = 0 if start is None else self._first_from(start)
        newest = self._market.bar_at(self._clock.now_ms())
        if end is not None:
            newest = min(newest, (end - self._market.source.start_ms) // self._market.interval_ms)
        while newest >= oldest:
            first = max(newest - 999, oldest)
            bars = self._bars(first, newest, s, forming)
            if bars is not None:
                yield bars
            newest = first - 1

    def _first_from(self, time_ms: int) -> int:
        since = time_ms - self._market.source.start_ms
        return max(-(-since // self._market.interval_ms), 0)

    def _symbol(self, query: Query) -> int:
        symbol = query.get("symbol", "")
        index = self._market.index.get(symbol)
        if index is None or index >= self._listed(query):
            raise RefusedRequest("Not supported symbols")
        return index

    def _listed(self, query: Query) -> int:
        """Return how many symbols a category has; inverse contracts are in their own and no other."""
        if (query.get("category") == "inverse") is not self._market.inverse:
            return 0
        return max(len(self._market.symbols) - self._switch.faults.unlisted, 0)

    def _check_period(self, query: Query) -> None:
        wanted = query.get("interval", "")
        if wanted not in PERIODS:
            raise RefusedRequest("Invalid period!")
        if wanted != self._period:
            raise RefusedRequest(
                f"Invalid period! This practice exchange has interval {self._period}"
            )

"""A market behind the methods of pybit's session that are used: answers as Bybit's do, and counts.

Candles start at `listed_ms`, which contracts tell as their launch; their prices tell their open time. Like Bybit it answers newest first,
keeps the newest rows where a range holds more than the limit, and shows the candle still open.
"""

from __future__ import annotations

from typing import Any

from bot.adapters.bybit.rest import CODE_MS
from bot.timegrid import HOUR_MS


class FakeBybit:
    def __init__(self, now_ms: int, listed_ms: int, funding_step_ms: int = 8 * HOUR_MS) -> None:
        self.endpoint = "fake"
        self.now_ms = now_ms
        self.listed_ms = listed_ms
        self.funding_step_ms = funding_step_ms
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.errors: list[Exception] = []
        self.kline_requests_left: int | None = None

    def get_server_time(self) -> Any:
        self._note("time", {})
        return self.answer({"timeSecond": "0", "timeNano": str(self.now_ms * 1_000_000)})

    def get_kline(self, **query: Any) -> Any:
        self._note("kline", query)
        rows = [
            [str(t), *(str(p) for p in (price(t), price(t) + 1, price(t) - 1, price(t))), "2", "3"]
            for t in self._times(query)
        ]
        return self.answer({"symbol": query["symbol"], "list": rows[::-1]})

    def get_mark_price_kline(self, **query: Any) -> Any:
        self._note("mark", query)
        rows = [
            [str(t), *(str(p) for p in (price(t), price(t) + 2, price(t) - 2, price(t)))]
            for t in self._times(query)
        ]
        return self.answer({"symbol": query["symbol"], "list": rows[::-1]})

    def get_funding_rate_history(self, **query: Any) -> Any:
        self._note("funding", query)
        step = self.funding_step_ms
        first = max(query["startTime"], self.listed_ms)
        times = range(-(-first // step) * step, min(query["endTime"], self.now_ms) + 1, step)
        rows = [
            {"symbol": query["symbol"], "fundingRate": "0.0001", "fundingRateTimestamp": str(t)}
            for t in times
        ]
        return self.answer({"category": query["category"], "list": rows[-query["limit"] :][::-1]})

    def get_instruments_info(self, **query: Any) -> Any:
        self._note("instruments", query)
        if query["category"] == "spot":
            sizes = {"basePrecision": "0.000001", "minOrderQty": "0.000011", "minOrderAmt": "5"}
            return self.answer({"list": [{"symbol": "BTCUSDT", "lotSizeFilter": sizes}]})
        page = int(query.get("cursor", "0"))
        sizes = {"qtyStep": "0.001", "minOrderQty": "0.001", "minNotionalValue": "5"}
        names = [["BTCUSDT", "ETHUSDT"], ["SOLUSDT"]][page]
        launch = {"launchTime": str(self.listed_ms)}
        entries = [{"symbol": name, "lotSizeFilter": sizes, **launch} for name in names]
        return self.answer({"list": entries, "nextPageCursor": "" if page else "1"})

    def get_risk_limit(self, **query: Any) -> Any:
        self._note("risk", query)
        names = [query["symbol"]] if "symbol" in query else ["ETHUSDT", "SOLUSDT", "BTCUSDT"]
        page = int(query.get("cursor", "0"))
        rows = [
            {"id": 2, "symbol": names[page], "riskLimitValue": "3000", "maintenanceMargin": "0.02",
             "initialMargin": "0.04", "isLowestRisk": 0, "maxLeverage": "25.00", "mmDeduction": "10"},
            {"id": 1, "symbol": names[page], "riskLimitValue": "1000", "maintenanceMargin": "0.01",
             "initialMargin": "0.02", "isLowestRisk": 1, "maxLeverage": "50.00", "mmDeduction": ""},
        ]  # fmt: skip
        cursor = str(page + 1) if page + 1 < len(names) else ""
        return self.answer({"category": query["category"], "list": rows, "nextPageCursor": cursor})

    def get_option_delivery_price(self, **query: Any) -> Any:
        self._note("delivery", query)
        row = {"symbol": query["symbol"], "deliveryPrice": "12.5", "deliveryTime": "1672041600000"}
        return self.answer({"category": query["category"], "list": [row], "nextPageCursor": ""})

    def count(self, call: str) -> int:
        return sum(name == call for name, _ in self.requests)

    def _times(self, query: dict[str, Any]) -> list[int]:
        step = CODE_MS[query["interval"]]
        first = max(query.get("start", 0), self.listed_ms)
        last = min(query.get("end", self.now_ms), self.now_ms)
        return list(range(-(-first // step) * step, last + 1, step))[-query["limit"] :]

    def _note(self, call: str, query: dict[str, Any]) -> None:
        self.requests.append((call, query))
        if call == "kline" and self.kline_requests_left is not None:
            self.kline_requests_left -= 1
            if self.kline_requests_left < 0:
                raise KeyboardInterrupt
        if self.errors:
            raise self.errors.pop(0)

    def answer(self, result: dict[str, Any]) -> dict[str, Any]:
        return {
            "retCode": 0,
            "retMsg": "OK",
            "result": result,
            "retExtInfo": {},
            "time": self.now_ms,
        }


def price(time_ms: int) -> float:
    """Return the price of the candle that opens at a time."""
    return 1000.0 + (time_ms // 60_000) % 1_000_000

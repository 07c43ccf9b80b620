"""Frames of Bybit's public stream: text in, events out. Pure, and raises nothing but DataError.

Rules: a frame is taken whole or not at all. Deltas of tickers and of the book are merged here, field
by field and never an older over a newer; one that comes before its snapshot is refused. A candle is
confirmed where the frame's own time is past its end as well, and none opens after that time; data
that name another symbol than their topic are refused. A reader is made anew for each connection, for the exchange then sends snapshots again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.adapters.bybit.answers import parsed_number, shown
from bot.adapters.exchange import Candle, Event, Quote
from bot.adapters.files.candles import ROUNDING
from bot.errors import DataError

NAN = math.nan
QuoteFields = dict[str, float]
"""Fields of a quote, NaN where the frame says that it is unknown; next_funding_ms is a whole number of ms."""

NOTHING: QuoteFields = dict.fromkeys(
    ("bid", "ask", "bid_size", "ask_size", "mark", "funding_rate", "next_funding_ms"), NAN
)

_POSITIVE = {
    "bid": "bid1Price", "ask": "ask1Price", "bid_size": "bid1Size", "ask_size": "ask1Size",
    "mark": "markPrice",
}  # fmt: skip
_FAR_FUTURE_MS = 10**14
_LONGEST_TOPIC = 100
_CLOCKS_APART_MS = 5_000
"""By how much two clocks may differ: a candle opens so much after its frame's time at the most."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the exchange says to a request to subscribe or unsubscribe."""

    accepted: bool
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A frame's topic, empty for a pong, and its events."""

    topic: str
    events: tuple[Event, ...]


class FrameReader:
    """Reads the frames of one connection.

    `names` gives the name in market.symbols of each of Bybit's symbols; `code` is Bybit's name of
    the interval.
    """

    def __init__(self, names: Mapping[str, str], code: str, interval_ms: int) -> None:
        self._names = names
        self._code = code
        self._interval_ms = interval_ms
        self._known: dict[str, dict[str, tuple[int, float]]] = {}

    def read(self, text: str | bytes, received_ms: int) -> Reading | Answer:
        """Return what a frame says.

        Raises:
            DataError: it makes no sense, or its snapshot is missing.
        """
        frame = _object(_parse(text), "the frame")
        if "topic" not in frame:
            return _answer(frame)
        topic = frame["topic"]
        if not isinstance(topic, str) or len(topic) > _LONGEST_TOPIC:
            raise DataError(f"a topic must be a short string, it is {shown(topic)}")
        kind, _, rest = topic.partition(".")
        detail, _, symbol = rest.rpartition(".")
        name = self._names.get(symbol)
        if name is None:
            raise DataError(f"nothing was subscribed to as {shown(topic)}")
        if (kind, detail) == ("kline", self._code):
            return Reading(topic, self._candles(frame, name, received_ms))
        if (kind, detail) == ("tickers", ""):
            return Reading(topic, self._ticker(frame, symbol, name, received_ms))
        if (kind, detail) == ("orderbook", "1"):
            return Reading(topic, self._book(frame, symbol, name, received_ms))
        raise DataError(f"nothing was subscribed to as {shown(topic)}")

    def _candles(self, frame: dict[str, Any], name: str, received_ms: int) -> tuple[Event, ...]:
        rows, ts = frame.get("data"), _time(frame, "ts")
        if not isinstance(rows, list) or not rows:
            raise DataError(f"a candle frame must have a list of candles, it has {shown(rows)}")
        return tuple(self._candle(_object(row, "a candle"), name, ts, received_ms) for row in rows)

    def _candle(self, row: dict[str, Any], name: str, ts: int, received_ms: int) -> Candle:
        start, end, confirm = _time(row, "start"), _time(row, "end"), row.get("confirm")
        _check_named(row, "interval", self._code)
        if start % self._interval_ms or end != start + self._interval_ms - 1:
            raise DataError(f"a candle from {start} to {end} is none of {self._interval_ms} ms")
        if not isinstance(confirm, bool):
            raise DataError(f"confirm must be true or false, it is {shown(confirm)}")
        if start > ts + _CLOCKS_APART_MS or (confirm and end > ts):
            state = "is closed" if confirm else "opens"
            raise DataError(f"a candle from {start} to {end} {state} in a frame of {ts}")
        opened, high, low, close = (_price(row, key) for key in ("open", "high", "low", "close"))
        volume, turnover = _number(row, "volume"), _number(row, "turnover")
        too_low = high < max(opened, close) * (1.0 - ROUNDING)
        too_high = low > min(opened, close) * (1.0 + ROUNDING)
        if too_low or too_high or volume < 0.0 or turnover < 0.0:
            raise DataError(f"a candle cannot be so: {shown(row)}")
        return Candle(
            name,
            start,
            opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            turnover=turnover,
            confirm=confirm,
            received_ms=received_ms,
        )

    def _ticker(
        self, frame: dict[str, Any], symbol: str, name: str, received_ms: int
    ) -> tuple[Event, ...]:
        data = _object(frame.get("data"), "a ticker")
        _check_named(data, "symbol", symbol)
        fields = ticker_fields(data)
        return self._merge(frame, symbol, name, fields, received_ms)

    def _book(
        self, frame: dict[str, Any], symbol: str, name: str, received_ms: int
    ) -> tuple[Event, ...]:
        data = _object(frame.get("data"), "a book")
        _check_named(data, "s", symbol)
        known = {} if frame.get("type") == "snapshot" else self._known.get(symbol, {})
        fields: QuoteFields = {}
        for side, key in (("bid", "b"), ("ask", "a")):
            if key in data:
                best = [known.get(name, (0, NAN))[1] for name in (side, f"{side}_size")]
                found = _best(data[key], best[0], best[1], largest=side == "bid")
                fields[side], fields[f"{side}_size"] = found
        return self._merge(frame, symbol, name, fields, received_ms)

    def _merge(
        self, frame: dict[str, Any], symbol: str, name: str, fields: QuoteFields, received_ms: int
    ) -> tuple[Event, ...]:
        """Lay what a frame tells over what is known, field by field where it is not older."""
        sort = frame.get("type")
        # a time that was far ahead for a while must not make all that follows look old
        ts = min(_time(frame, "ts"), received_ms + _CLOCKS_APART_MS)
        if sort not in ("snapshot", "delta"):
            raise DataError(f"type must be snapshot or delta, it is {shown(sort)}")
        if sort == "snapshot":
            fields = {**NOTHING, **fields}
        elif symbol not in self._known:
            raise DataError(f"a delta of {symbol} came before its snapshot")
        known = self._known.setdefault(symbol, dict.fromkeys(NOTHING, (0, NAN)))
        newest = max(known_ts for known_ts, _ in known.values())
        known.update({field: (ts, v) for field, v in fields.items() if ts >= known[field][0]})
        if ts < newest:
            return ()
        return (_quote(name, {field: value for field, (_, value) in known.items()}, received_ms),)


def ticker_fields(data: Mapping[str, Any]) -> QuoteFields:
    """Return what a ticker, by stream or REST, tells of a quote; only the fields that it has.

    Raises:
        DataError: a field is no number. An empty one, and a price or size of 0, is not known.

    >>> ticker_fields({"bid1Price": "9.5", "bid1Size": "3", "nextFundingTime": "28800000"})
    {'bid': 9.5, 'bid_size': 3.0, 'next_funding_ms': 28800000}
    """
    fields: QuoteFields = {}
    for field, key in _POSITIVE.items():
        if key in data:
            number = _optional(data, key)
            fields[field] = number if number > 0.0 else NAN
    if "fundingRate" in data:
        fields["funding_rate"] = _optional(data, "fundingRate")
    if "nextFundingTime" in data:
        none = data["nextFundingTime"] in ("", "0", 0)
        fields["next_funding_ms"] = NAN if none else _time(data, "nextFundingTime")
    return fields


def quote_of(name: str, data: Mapping[str, Any], received_ms: int) -> Quote:
    """Return the quote in a whole ticker; raises as `ticker_fields`."""
    return _quote(name, {**NOTHING, **ticker_fields(data)}, received_ms)


def _quote(name: str, fields: QuoteFields, received_ms: int) -> Quote:
    settles_ms = fields["next_funding_ms"]
    return Quote(
        symbol=name,
        bid=fields["bid"],
        ask=fields["ask"],
        mark=fields["mark"],
        funding_rate=fields["funding_rate"],
        next_funding_ms=int(settles_ms) if math.isfinite(settles_ms) else None,
        received_ms=received_ms,
        bid_size=fields["bid_size"],
        ask_size=fields["ask_size"],
    )


def _parse(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"no JSON ({type(error).__name__}): {shown(text)}") from None


def _answer(frame: dict[str, Any]) -> Reading | Answer:
    if frame.get("ret_msg") == "pong" or frame.get("op") in ("ping", "pong"):
        return Reading("", ())
    if frame.get("op") in ("subscribe", "unsubscribe") and isinstance(frame.get("success"), bool):
        return Answer(frame["success"], shown(frame.get("ret_msg", "")))
    raise DataError(f"neither a topic nor an answer: {shown(frame)}")


def _check_named(data: Mapping[str, Any], key: str, wanted: str) -> None:
    if data.get(key, wanted) != wanted:
        raise DataError(f"{key} must be {wanted} as in the topic, it is {shown(data[key])}")


def _best(levels: Any, known: float, known_size: float, *, largest: bool) -> tuple[float, float]:
    """Return price and size of the one level of a side after a snapshot or a delta of it."""
    if not isinstance(levels, list) or not all(isinstance(x, list) and len(x) >= 2 for x in levels):
        raise DataError(f"a side of the book must be a list of levels, it is {shown(levels)}")
    sizes = {_price({"p": x[0]}, "p"): _number({"s": x[1]}, "s") for x in levels}
    there = [price for price, size in sizes.items() if size > 0.0]
    if there:
        best = max(there) if largest else min(there)
        return best, sizes[best]
    return (NAN, NAN) if known in sizes else (known, known_size)


def _optional(data: Mapping[str, Any], key: str) -> float:
    return NAN if data[key] == "" else _number(data, key)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{what} must be a JSON object, it is {shown(value)}")
    return value


def _time(row: Mapping[str, Any], key: str) -> int:
    value = row.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if type(value) is not int or not 0 <= value < _FAR_FUTURE_MS:
        raise DataError(f"{key} must be a time in ms, it is {shown(value)}")
    return value


def _number(row: Mapping[str, Any], key: str) -> float:
    number = parsed_number(row.get(key))
    if math.isnan(number):
        raise DataError(f"{key} must be a number, it is {shown(row.get(key))}")
    return number


def _price(row: Mapping[str, Any], key: str) -> float:
    price = _number(row, key)
    if price <= 0.0:
        raise DataError(f"{key} must be a positive price, it is {price}")
    return price

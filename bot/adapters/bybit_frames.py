"""Frames of Bybit's public stream: text in, events out. Pure, and raises nothing but DataError.

Rules: a frame is taken whole or not at all. Deltas of tickers and of the book are merged here; one
that comes before its snapshot is refused, one older than what is known says nothing. A reader is
made anew for each connection, for the exchange then sends snapshots again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.adapters.candles import ROUNDING
from bot.adapters.exchange import Candle, Event, Quote
from bot.errors import DataError

NAN = math.nan
_FAR_FUTURE_MS = 10**14
_LONGEST_TOPIC = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """What the exchange says to a request to subscribe."""

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
        self._quotes: dict[str, Quote] = {}
        self._newest_ts: dict[str, int] = {}

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
            raise DataError(f"a topic must be a short string, it is {_shown(topic)}")
        kind, _, rest = topic.partition(".")
        detail, _, symbol = rest.rpartition(".")
        name = self._names.get(symbol)
        if name is None:
            raise DataError(f"nothing was subscribed to as {_shown(topic)}")
        if (kind, detail) == ("kline", self._code):
            return Reading(topic, self._candles(frame, name, received_ms))
        if (kind, detail) == ("tickers", ""):
            return Reading(topic, self._ticker(frame, symbol, name, received_ms))
        if (kind, detail) == ("orderbook", "1"):
            return Reading(topic, self._book(frame, symbol, name, received_ms))
        raise DataError(f"nothing was subscribed to as {_shown(topic)}")

    def _candles(self, frame: dict[str, Any], name: str, received_ms: int) -> tuple[Event, ...]:
        rows = frame.get("data")
        if not isinstance(rows, list) or not rows:
            raise DataError(f"a candle frame must have a list of candles, it has {_shown(rows)}")
        return tuple(self._candle(_object(row, "a candle"), name, received_ms) for row in rows)

    def _candle(self, row: dict[str, Any], name: str, received_ms: int) -> Candle:
        start, end, confirm = _time(row, "start"), _time(row, "end"), row.get("confirm")
        if start % self._interval_ms or end != start + self._interval_ms - 1:
            raise DataError(f"a candle from {start} to {end} is none of {self._interval_ms} ms")
        if not isinstance(confirm, bool):
            raise DataError(f"confirm must be true or false, it is {_shown(confirm)}")
        opened, high, low, close = (_price(row, key) for key in ("open", "high", "low", "close"))
        volume, turnover = _number(row, "volume"), _number(row, "turnover")
        too_low = high < max(opened, close) * (1.0 - ROUNDING)
        too_high = low > min(opened, close) * (1.0 + ROUNDING)
        if too_low or too_high or volume < 0.0 or turnover < 0.0:
            raise DataError(f"a candle cannot be so: {_shown(row)}")
        return Candle(name, start, opened, high, low, close, volume, turnover, confirm, received_ms)

    def _ticker(
        self, frame: dict[str, Any], symbol: str, name: str, received_ms: int
    ) -> tuple[Event, ...]:
        data = _object(frame.get("data"), "a ticker")
        known = self._known(frame, symbol, name)
        if known is None:
            return ()
        return self._keep(frame, symbol, quote_of(data, replace(known, received_ms=received_ms)))

    def _book(
        self, frame: dict[str, Any], symbol: str, name: str, received_ms: int
    ) -> tuple[Event, ...]:
        data = _object(frame.get("data"), "a book")
        known = self._known(frame, symbol, name)
        if known is None:
            return ()
        quote = replace(
            known,
            bid=_best(data.get("b"), known.bid, largest=True),
            ask=_best(data.get("a"), known.ask, largest=False),
            received_ms=received_ms,
        )
        return self._keep(frame, symbol, quote)

    def _known(self, frame: dict[str, Any], symbol: str, name: str) -> Quote | None:
        """Return the quote that a frame is laid over, None where the frame is older than it."""
        sort = frame.get("type")
        if sort not in ("snapshot", "delta"):
            raise DataError(f"type must be snapshot or delta, it is {_shown(sort)}")
        older = _time(frame, "ts") < self._newest_ts.get(symbol, 0)
        if sort == "snapshot":
            return None if older else Quote(name, NAN, NAN, NAN, NAN, None, 0)
        if symbol not in self._quotes:
            raise DataError(f"a delta of {symbol} came before its snapshot")
        return None if older else self._quotes[symbol]

    def _keep(self, frame: dict[str, Any], symbol: str, quote: Quote) -> tuple[Event, ...]:
        self._quotes[symbol] = quote
        self._newest_ts[symbol] = _time(frame, "ts")
        return (quote,)


def quote_of(data: Mapping[str, Any], known: Quote) -> Quote:
    """Return a quote with what a ticker says, by stream or REST, laid over it.

    Raises:
        DataError: a field is no number. An empty one, and a side at 0, is not known.

    >>> empty = Quote("X", NAN, NAN, NAN, NAN, None, 7)
    >>> quote_of({"bid1Price": "9.5", "ask1Price": "", "nextFundingTime": "28800000"}, empty)
    Quote(symbol='X', bid=9.5, ask=nan, mark=nan, funding_rate=nan, next_funding_ms=28800000, \
received_ms=7)
    """
    due = known.next_funding_ms
    if "nextFundingTime" in data:
        due = None if data["nextFundingTime"] in ("", "0", 0) else _time(data, "nextFundingTime")
    return replace(
        known,
        bid=_side(data, "bid1Price", known.bid),
        ask=_side(data, "ask1Price", known.ask),
        mark=_side(data, "markPrice", known.mark),
        funding_rate=_optional(data, "fundingRate", known.funding_rate),
        next_funding_ms=due,
    )


def _parse(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"no JSON ({type(error).__name__}): {_shown(text)}") from None


def _answer(frame: dict[str, Any]) -> Reading | Answer:
    if frame.get("ret_msg") == "pong" or frame.get("op") in ("ping", "pong"):
        return Reading("", ())
    if frame.get("op") == "subscribe" and isinstance(frame.get("success"), bool):
        return Answer(frame["success"], _shown(frame.get("ret_msg", "")))
    raise DataError(f"neither a topic nor an answer: {_shown(frame)}")


def _best(levels: Any, known: float, *, largest: bool) -> float:
    """Return the price of the one level of a side after a snapshot or a delta of it."""
    if levels is None:
        return known
    if not isinstance(levels, list) or not all(isinstance(x, list) and len(x) >= 2 for x in levels):
        raise DataError(f"a side of the book must be a list of levels, it is {_shown(levels)}")
    sizes = {_price({"p": x[0]}, "p"): _number({"s": x[1]}, "s") for x in levels}
    there = [price for price, size in sizes.items() if size > 0.0]
    if there:
        return max(there) if largest else min(there)
    return NAN if known in sizes else known


def _side(data: Mapping[str, Any], key: str, known: float) -> float:
    price = _optional(data, key, known)
    return price if price > 0.0 else NAN


def _optional(data: Mapping[str, Any], key: str, known: float) -> float:
    if key not in data:
        return known
    return NAN if data[key] == "" else _number(data, key)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{what} must be a JSON object, it is {_shown(value)}")
    return value


def _time(row: Mapping[str, Any], key: str) -> int:
    value = row.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if type(value) is not int or not 0 <= value < _FAR_FUTURE_MS:
        raise DataError(f"{key} must be a time in ms, it is {_shown(value)}")
    return value


def _number(row: Mapping[str, Any], key: str) -> float:
    value = row.get(key)
    try:
        number = NAN if isinstance(value, bool | None) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = NAN
    if not math.isfinite(number):
        raise DataError(f"{key} must be a number, it is {_shown(value)}")
    return number


def _price(row: Mapping[str, Any], key: str) -> float:
    price = _number(row, key)
    if price <= 0.0:
        raise DataError(f"{key} must be a positive price, it is {price}")
    return price


def _shown(value: Any) -> str:
    """Return the beginning of a value, printable everywhere."""
    try:
        return ascii(value)[:120]
    except RecursionError:
        return "something nested too deeply"

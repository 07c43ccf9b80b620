"""Bybit's public market data by REST, through pybit: candles, mark prices, funding, instruments.

Owns paging and retries. Rules: a request never spans more rows than an answer can hold, so that it
does not matter which end a truncated answer keeps; a candle is closed when the answer's own time is
past its end and a newer candle shows it (`bybit_present`); an answer that is not what was asked for
is an error, not a gap. Clock, sleep and dice are handed in. Must not write files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from bot.adapters.bybit.answers import (
    answered_at,
    check_subject,
    field,
    moment,
    number,
    page_of_candles,
    parsed_number,
    result_of,
    rows_of,
    shown,
    text,
)
from bot.adapters.bybit.asking import Asking
from bot.adapters.bybit.instruments import instrument_of, tiers_of_rows
from bot.adapters.exchange import Delivery, Klines
from bot.adapters.files.candles import Candles
from bot.adapters.files.funding import Funding
from bot.errors import ConfigError, ExchangeError, UnlistedError
from bot.portfolio.instruments import Instrument, Tier
from bot.timegrid import DAY_MS, HOUR_MS, INTERVAL_MS, MINUTE_MS

INTERVAL_CODE = {
    name: "D" if ms == DAY_MS else str(ms // MINUTE_MS) for name, ms in INTERVAL_MS.items()
}
"""Bybit's names of the intervals."""

CODE_MS = {code: INTERVAL_MS[name] for name, code in INTERVAL_CODE.items()}

PAGE_ROWS = 1000
FUNDING_ROWS = 200
_FUNDING_WINDOW_MS = (FUNDING_ROWS - 2) * 8 * HOUR_MS

_MOST_PAGES = 100
_FEW_SYMBOLS = 20
"""Up to here risk limits are asked by symbol, beyond it all of them, 15 symbols a page."""
_CLOCKS_APART_MS = 5_000
"""A candle may open so much after the time that its answer tells: two clocks of the exchange."""

_TRADED = frozenset({"Trading", "PreLaunch", "Settling"})


def category_of(venue: str) -> str:
    """Return Bybit's category of a venue.

    Raises:
        ConfigError: the venue is not Bybit's.

    >>> category_of("bybit_linear")
    'linear'
    """
    exchange, _, category = venue.partition("_")
    if exchange != "bybit" or category not in {"linear", "inverse", "spot"}:
        raise ConfigError(
            f"market.venue = '{venue}' is none of Bybit's; expected bybit_linear, bybit_inverse or "
            "bybit_spot"
        )
    return category


class BybitRest(Asking):
    """A synchronous client of the public market data; each of its methods raises ExchangeError."""

    def server_time_ms(self) -> int:
        """Return the exchange's time, ms UTC.

        Raises:
            ExchangeError: as every method here: it is out of reach, refuses, or answers nonsense.
        """
        return moment(self._ask("get_server_time").get("timeNano"), "timeNano", 1_000_000)

    def kline_pages(
        self, venue: str, symbol: str, interval: str, start_ms: int, end_ms: int
    ) -> Iterator[Candles]:
        """Yield the closed candles that open in start..end, inclusive, oldest page first.

        Each candle is given exactly once; a page may be empty, for the symbol may be younger.
        """
        query = _candle_query(venue, symbol, interval)
        for page in self._pages("get_kline", 7, query, start_ms, end_ms):
            yield page.candles

    def mark_pages(
        self, venue: str, symbol: str, interval: str, start_ms: int, end_ms: int
    ) -> Iterator[Candles]:
        """Yield closed candles of the mark price as `kline_pages` does, with a volume of zero."""
        query = _candle_query(venue, symbol, interval)
        for page in self._pages("get_mark_price_kline", 5, query, start_ms, end_ms):
            yield page.candles

    def klines(
        self, venue: str, symbol: str, interval: str, start_ms: int, end_ms: int
    ) -> Iterator[Klines]:
        """Yield the candles that open in start..end, inclusive, and which time is over, by page.

        Whole pages are asked for: candles beyond the end show how late it is at the exchange at least,
        also where it tells another time.
        """
        query = _candle_query(venue, symbol, interval)
        yield from self._pages("get_kline", 7, query, start_ms, end_ms, whole=True)

    def lists(self, venue: str, symbol: str) -> bool:
        """Return whether the symbol is among the venue's instruments and traded."""
        try:
            result = self._ask("get_instruments_info", category=category_of(venue), symbol=symbol)
        except UnlistedError:
            return False
        found = [row for row in rows_of(result, "list") if text(row, "symbol") == symbol]
        return any("status" not in row or text(row, "status") in _TRADED for row in found)

    def funding_history(self, venue: str, symbol: str, start_ms: int, end_ms: int) -> Funding:
        """Return the funding rates of start..end, inclusive, oldest first."""
        rates: dict[int, float] = {}
        windows = [
            (low, min(low + _FUNDING_WINDOW_MS - 1, end_ms))
            for low in range(start_ms, end_ms + 1, _FUNDING_WINDOW_MS)
        ]
        while windows:
            low, high = windows.pop()
            page = self._funding_page(venue, symbol, low, high)
            # there may be more: ask for each half, unless nobody is charged so often
            if len(page) >= FUNDING_ROWS and high - low > FUNDING_ROWS * HOUR_MS:
                middle = (low + high) // 2
                windows += [(low, middle), (middle + 1, high)]
            else:
                rates.update(page)
        times = sorted(rates)
        return Funding(np.array(times, np.int64), np.array([rates[t] for t in times], np.float64))

    def delivery(self, venue: str, symbol: str) -> Delivery | None:
        """Return the newest delivery of a contract, None where none is told.

        Source: https://bybit-exchange.github.io/docs/v5/market/delivery-price, whose answers are of
        futures; a perpetual that is delisted may never be among them.
        """
        query = {"category": category_of(venue), "symbol": symbol}
        try:
            rows = self._listed("get_option_delivery_price", query, {symbol}).get(symbol, [])
        except UnlistedError:
            return None
        told = [
            Delivery(moment(field(row, "deliveryTime"), "deliveryTime"), price)
            for row in rows
            if (price := parsed_number(field(row, "deliveryPrice"))) > 0.0
        ]
        return max(told, default=None)

    def instruments(
        self, venue: str, symbols: Collection[str], *, tiers: bool = True
    ) -> dict[str, Instrument]:
        """Return the instruments of these symbols of a venue, contracts with their margin tiers.

        Only what is asked for is read: another symbol's odd entry costs nothing; what is not listed
        is not there.

        Raises:
            DataError: an entry of one of these symbols makes no sense.
        """
        category = category_of(venue)
        query: dict[str, Any] = {"category": category}
        if category != "spot":
            query["limit"] = PAGE_ROWS
        entries = self._listed("get_instruments_info", query, symbols)
        found = {symbol: instrument_of(rows[-1]) for symbol, rows in entries.items()}
        if category == "spot" or not tiers:
            return found
        told = self._tiers(category, found)
        return {s: replace(known, tiers=told.get(s, ())) for s, known in found.items()}

    def _tiers(self, category: str, symbols: Collection[str]) -> dict[str, tuple[Tier, ...]]:
        """Return the margin tiers of contracts; one of which Bybit tells none has none."""
        asked = [{"category": category}]
        if len(symbols) <= _FEW_SYMBOLS:
            asked = [{"category": category, "symbol": symbol} for symbol in symbols]
        rows: dict[str, list[dict[str, Any]]] = {}
        for query in asked:
            with suppress(UnlistedError):
                wanted = {query["symbol"]} if "symbol" in query else symbols
                rows |= self._listed("get_risk_limit", query, wanted)
        return {symbol: tiers_of_rows(symbol, rows[symbol]) for symbol in rows}

    def _listed(
        self, call: str, query: dict[str, Any], symbols: Collection[str]
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of these symbols in a list of however many pages."""
        found: dict[str, list[dict[str, Any]]] = {}
        cursors, asked = {""}, dict(query)
        while len(cursors) <= _MOST_PAGES:
            result = self._ask(call, **asked)
            for row in rows_of(result, "list"):
                symbol = row.get("symbol") if isinstance(row, dict) else None
                if isinstance(symbol, str) and symbol in symbols:
                    found.setdefault(symbol, []).append(row)
            cursor = result.get("nextPageCursor") or ""
            if not isinstance(cursor, str) or cursor in cursors:
                return found
            cursors.add(cursor)
            asked["cursor"] = cursor
        raise ExchangeError(f"Bybit {call} {query['category']}: its list does not end; try again")

    def _pages(
        self, call: str, columns: int, query: dict[str, Any], start_ms: int, end_ms: int, *,
        whole: bool = False,
    ) -> Iterator[Klines]:  # fmt: skip
        """Ask a row more than is given out a page: it shows that the last of them is closed."""
        step = CODE_MS[query["interval"]]
        first, last = -(-start_ms // step) * step, end_ms // step * step
        for low in range(first, last + 1, (PAGE_ROWS - 1) * step):
            high = min(low + (PAGE_ROWS - 2) * step, last)
            end = low + (PAGE_ROWS - 1) * step if whole else high + step
            asked = {**query, "start": low, "end": end}
            rows, answered_ms, over_ms = self._candles(call, columns, asked)
            if over_ms < min(high + step, answered_ms // step * step):  # nothing newer is here
                self._show_newest(query)
                if min(self._present.least_ms(), answered_ms) // step > over_ms // step:
                    # what is newer came after the answer, whose last candle may have been open then
                    rows, answered_ms, over_ms = self._candles(call, columns, asked)
            wanted, closed = rows.time <= high, rows.time + step <= over_ms
            yield Klines(rows.only(wanted & closed), over_ms, rows.only(wanted & ~closed))
            if over_ms < high + step:
                return

    def _candles(self, call: str, columns: int, query: dict[str, Any]) -> tuple[Candles, int, int]:
        """Return a page of candles, the time it tells, and what is over by then."""
        least_ms = self._present.least_ms()  # before it is asked
        answer = self._answer(call, **query)
        answered_ms = answered_at(answer)
        where = f"Bybit {query['category']} {query['symbol']}"
        result = result_of(answer)
        check_subject(result, category=query["category"], symbol=query["symbol"])
        rows = page_of_candles(
            rows_of(result, "list"), columns, query["start"], query["end"], where
        )
        if len(rows):
            newest_ms = int(rows.time[-1])
            self._show(newest_ms, answered_ms, where)
            least_ms = max(least_ms, newest_ms)
        return rows, answered_ms, min(answered_ms, least_ms)

    def _show_newest(self, query: dict[str, Any]) -> None:
        """Ask for the newest candle there is, and take note of it."""
        answer = self._answer("get_kline", **{**query, "limit": 1})
        for row in rows_of(result_of(answer), "list")[:1]:
            opened = moment(row[0] if isinstance(row, list) and row else None, "start")
            self._show(opened, answered_at(answer), f"Bybit {query['category']} {query['symbol']}")

    def _show(self, open_ms: int, answered_ms: int, where: str) -> None:
        if open_ms > answered_ms + _CLOCKS_APART_MS:
            raise ExchangeError(
                f"{where}: the newest candle opens at {open_ms}, after {answered_ms}, which the answer "
                "tells for the time; try again later"
            )
        self._present.shown(min(open_ms, answered_ms))

    def _funding_page(self, venue: str, symbol: str, low: int, high: int) -> dict[int, float]:
        result = self._ask(
            "get_funding_rate_history",
            category=category_of(venue),
            symbol=symbol,
            startTime=low,
            endTime=high,
            limit=FUNDING_ROWS,
        )
        page: dict[int, float] = {}
        for row in rows_of(result, "list"):
            time_ms = moment(field(row, "fundingRateTimestamp"), "fundingRateTimestamp")
            if text(row, "symbol") != symbol or not low <= time_ms <= high or time_ms in page:
                raise ExchangeError(
                    f"{venue} {symbol}: funding from {low} to {high} was asked for, the answer has "
                    f"{shown(row)}; try again later"
                )
            page[time_ms] = number(field(row, "fundingRate"), "fundingRate")
        return page


def _candle_query(venue: str, symbol: str, interval: str) -> dict[str, Any]:
    code = INTERVAL_CODE[interval]
    return {
        "category": category_of(venue), "symbol": symbol, "interval": code, "limit": PAGE_ROWS
    }  # fmt: skip

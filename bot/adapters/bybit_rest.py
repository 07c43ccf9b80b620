"""Bybit's public market data by REST, through pybit: candles, mark prices, funding, instruments.

Owns paging and retries. Rules: a request never spans more rows than an answer can hold, so that it
does not matter which end a truncated answer keeps; the candle that is still open is never handed
out; an answer that is not what was asked for is an error, not a gap. Clock, sleep and dice are
handed in. Must not write files.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any, Protocol

import numpy as np

from bot.adapters.bybit_answers import (
    field,
    instrument_of,
    number,
    page_of_candles,
    result_of,
    rows_of,
    text,
)
from bot.adapters.candles import Candles
from bot.adapters.funding_files import Funding
from bot.adapters.retry import Backoff, Limiter, judge
from bot.errors import ConfigError, ExchangeError, UnlistedError
from bot.portfolio.rules import Instrument
from bot.timegrid import DAY_MS, HOUR_MS, INTERVAL_MS, MINUTE_MS

INTERVAL_CODE = {
    name: "D" if ms == DAY_MS else str(ms // MINUTE_MS) for name, ms in INTERVAL_MS.items()
}
"""Bybit's names of the intervals."""

CODE_MS = {code: INTERVAL_MS[name] for name, code in INTERVAL_CODE.items()}

REQUESTS_PER_S = 10.0
PAGE_ROWS = 1000
FUNDING_ROWS = 200
_FUNDING_WINDOW_MS = (FUNDING_ROWS - 2) * 8 * HOUR_MS

_NO_ANSWER = (AttributeError, TypeError, KeyError, ValueError)
"""What pybit raises when the exchange's JSON is not an object of its form."""


class MarketSession(Protocol):
    """What is used of `pybit.unified_trading.HTTP`; every call returns the raw answer."""

    endpoint: str

    def get_server_time(self) -> Any:
        """Ask the exchange's clock."""
        ...

    def get_kline(self, **query: Any) -> Any:
        """Ask candles."""
        ...

    def get_mark_price_kline(self, **query: Any) -> Any:
        """Ask candles of the mark price."""
        ...

    def get_funding_rate_history(self, **query: Any) -> Any:
        """Ask funding rates."""
        ...

    def get_instruments_info(self, **query: Any) -> Any:
        """Ask instruments."""
        ...


def open_session(base_url: str | None = None, timeout_s: int = 10) -> MarketSession:
    """Return a pybit session that neither retries nor sleeps by itself.

    Args:
        base_url: another host, for example the practice exchange's http://127.0.0.1:8080.
        timeout_s: of a request.
    """
    from pybit.unified_trading import HTTP

    session = HTTP(timeout=timeout_s, max_retries=1)
    session.retry_codes = set()  # its constructor takes an empty set for none given
    if base_url is not None:
        session.endpoint = base_url.rstrip("/")
    return session  # type: ignore[no-any-return]


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


class BybitRest:
    """A synchronous client of the public market data."""

    def __init__(
        self,
        session: MarketSession | None = None,
        *,
        limiter: Limiter | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        dice: Callable[[], float] = random.random,
        on_wait: Callable[[float, str], None] | None = None,
    ) -> None:
        self._session = open_session() if session is None else session
        self._limiter = limiter or Limiter(REQUESTS_PER_S)
        self._backoff = backoff or Backoff()
        self._clock, self._sleep, self._dice = clock, sleep, dice
        self._on_wait = on_wait

    def server_time_ms(self) -> int:
        """Return the exchange's time, ms UTC.

        Raises:
            ExchangeError: as every method here: it is out of reach, refuses, or answers nonsense.
        """
        nanoseconds = self._ask("get_server_time").get("timeNano")
        return int(number(nanoseconds, "timeNano") // 1_000_000)

    def kline_pages(
        self,
        venue: str,
        symbol: str,
        interval: str,
        start_ms: int,
        end_ms: int,
        *,
        now_ms: int | None = None,
    ) -> Iterator[Candles]:
        """Yield the closed candles that open in start..end, inclusive, oldest page first.

        Each candle is asked for exactly once; a page may be empty, for the symbol may be younger.
        Closed is what ended by `now_ms`; without it the exchange is asked its time.
        """
        query = _candle_query(venue, symbol, interval)
        yield from self._pages("get_kline", 7, query, start_ms, end_ms, now_ms=now_ms)

    def mark_pages(
        self, venue: str, symbol: str, interval: str, start_ms: int, end_ms: int
    ) -> Iterator[Candles]:
        """Yield closed candles of the mark price as `kline_pages` does, with a volume of zero."""
        query = _candle_query(venue, symbol, interval)
        yield from self._pages("get_mark_price_kline", 5, query, start_ms, end_ms)

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
            if len(page) >= FUNDING_ROWS and high > low:  # there may be more: ask for each half
                middle = (low + high) // 2
                windows += [(low, middle), (middle + 1, high)]
            else:
                rates.update(page)
        times = sorted(rates)
        return Funding(np.array(times, np.int64), np.array([rates[t] for t in times], np.float64))

    def instruments(self, venue: str, symbols: Collection[str]) -> dict[str, Instrument]:
        """Return the instruments of these symbols of a venue, as far as they are listed.

        Only what is asked for is read: another symbol's odd entry costs nothing.

        Raises:
            DataError: an entry of one of these symbols makes no sense.
        """
        category = category_of(venue)
        query: dict[str, Any] = {"category": category}
        if category != "spot":
            query["limit"] = PAGE_ROWS
        found: dict[str, Instrument] = {}
        cursors = {""}
        while True:
            result = self._ask("get_instruments_info", **query)
            for entry in rows_of(result, "list"):
                symbol = entry.get("symbol") if isinstance(entry, dict) else None
                if isinstance(symbol, str) and symbol in symbols:
                    found[symbol] = instrument_of(entry)
            cursor = str(result.get("nextPageCursor") or "")
            if cursor in cursors:
                return found
            cursors.add(cursor)
            query["cursor"] = cursor

    def _pages(
        self,
        call: str,
        columns: int,
        query: dict[str, Any],
        start_ms: int,
        end_ms: int,
        *,
        now_ms: int | None = None,
    ) -> Iterator[Candles]:
        step = CODE_MS[query["interval"]]
        closed_ms = ((self.server_time_ms() if now_ms is None else now_ms) // step - 1) * step
        first = -(-start_ms // step) * step
        last = min(end_ms // step * step, closed_ms)
        where = f"Bybit {query['category']} {query['symbol']}"
        for low in range(first, last + 1, PAGE_ROWS * step):
            high = min(low + (PAGE_ROWS - 1) * step, last)
            result = self._ask(call, **query, start=low, end=high)
            yield page_of_candles(rows_of(result, "list"), columns, low, high, where)

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
            moment = int(number(field(row, "fundingRateTimestamp"), "fundingRateTimestamp"))
            if text(row, "symbol") != symbol or not low <= moment <= high or moment in page:
                raise ExchangeError(
                    f"{venue} {symbol}: funding from {low} to {high} was asked for, the answer has "
                    f"{row}; try again later"
                )
            page[moment] = number(field(row, "fundingRate"), "fundingRate")
        return page

    def _ask(self, call: str, **query: Any) -> dict[str, Any]:
        """Return the result of an answer; wait for a turn, and ask again where that may help."""
        from pybit.exceptions import FailedRequestError, InvalidRequestError
        from requests.exceptions import RequestException

        expected = (FailedRequestError, InvalidRequestError, RequestException, OSError, *_NO_ANSWER)
        failures = 0
        while True:
            self._wait_for_turn()
            try:
                return result_of(getattr(self._session, call)(**query))
            except expected as error:
                verdict = judge(error)
            failures += 1
            if verdict.least_wait_s > 0.0:  # whoever asks next, also after we have given up
                self._limiter.hold(self._clock() + verdict.least_wait_s)
            if not verdict.retry or failures >= self._backoff.tries:
                kind = UnlistedError if verdict.unlisted else ExchangeError
                raise kind(_refusal(call, query, verdict.text, failures))
            wait_s = max(self._backoff.wait_s(failures, self._dice), verdict.least_wait_s)
            if self._on_wait is not None:
                self._on_wait(wait_s, verdict.text)
            self._sleep(wait_s)

    def _wait_for_turn(self) -> None:
        """Return when a request may be made; who waited while all were held waits anew."""
        while True:
            now_s = self._clock()
            wait_s = self._limiter.reserve(now_s)
            if wait_s > 0.0:
                self._sleep(wait_s)
            if not self._limiter.held(now_s + wait_s):
                return


def _candle_query(venue: str, symbol: str, interval: str) -> dict[str, Any]:
    code = INTERVAL_CODE[interval]
    return {
        "category": category_of(venue), "symbol": symbol, "interval": code, "limit": PAGE_ROWS
    }  # fmt: skip


def _refusal(call: str, query: dict[str, Any], text: str, failures: int) -> str:
    what = " ".join(str(query[k]) for k in ("category", "symbol", "interval") if k in query)
    tried = (
        f", after {failures} tries; check the network and try again later" if failures > 1 else ""
    )
    return f"Bybit {call}{' ' + what if what else ''}: {text}{tried}"

"""Asking Bybit by REST, through pybit: a session, its turns, and when to ask again.

Rules: an answer is Bybit's envelope with a result in it, or the request failed; the exchange's limits
are kept whatever number of threads asks; nothing that an answer may hold raises anything but
ExchangeError. Clock, sleep and dice are handed in. Must not know what is asked.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Protocol

from bot.adapters.bybit.answers import check_subject, result_of
from bot.adapters.bybit.http import BoundedSession
from bot.adapters.bybit.present import Present
from bot.adapters.bybit.retry import Backoff, ErrorVerdict, Limiter, judge
from bot.errors import ExchangeError, UnlistedError, UnreachableError

REQUESTS_PER_S = 10.0

_NO_ANSWER = (
    AttributeError, TypeError, LookupError, ValueError, RecursionError, OverflowError, MemoryError
)  # fmt: skip
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

    def get_risk_limit(self, **query: Any) -> Any:
        """Ask the margin tiers of contracts."""
        ...

    def get_option_delivery_price(self, **query: Any) -> Any:
        """Ask at what contracts were settled: market/delivery-price, of futures too."""
        ...


def open_session(base_url: str | None = None, timeout_s: int = 10) -> MarketSession:
    """Return a pybit session that neither retries nor sleeps by itself.

    Args:
        base_url: another host, for example the practice exchange's http://127.0.0.1:8080.
        timeout_s: of a request.
    """
    from pybit.unified_trading import HTTP

    session = HTTP(timeout=timeout_s, max_retries=1)
    # its constructor takes an empty set for none given, and a set asks for a hash of any code
    session.retry_codes = session.ignore_codes = ()
    headers, session.client = session.client.headers, BoundedSession()
    session.client.headers.update({**headers, "Accept-Encoding": "gzip, deflate"})
    if base_url is not None:
        session.endpoint = base_url.rstrip("/")
    return session  # type: ignore[no-any-return]


class Asking:
    """A synchronous client.

    Args:
        on_wait: called with how many seconds it waits to ask again, and why.
        patient_at_first: whether it asks again an exchange that has never answered and cannot be
            reached; one that did answer is asked again in any case.
    """

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
        present: Present | None = None,
        patient_at_first: bool = True,
    ) -> None:
        self._present = present or Present(monotonic=clock)
        self._session = open_session() if session is None else session
        self._limiter = limiter or Limiter(REQUESTS_PER_S)
        self._backoff = backoff or Backoff()
        self._clock, self._sleep, self._dice = clock, sleep, dice
        self._on_wait = on_wait
        self._patient = patient_at_first

    def _ask(self, call: str, **query: Any) -> dict[str, Any]:
        """Return the result of an answer about the category that was asked for."""
        result = result_of(self._answer(call, **query))
        if "category" in query:
            check_subject(result, category=query["category"])
        return result

    def _answer(self, call: str, **query: Any) -> dict[str, Any]:
        """Return a whole answer; wait for a turn, and ask again where that may help."""
        from pybit.exceptions import FailedRequestError, InvalidRequestError
        from requests.exceptions import RequestException

        expected = (FailedRequestError, InvalidRequestError, RequestException, OSError, *_NO_ANSWER)
        failures = 0
        while True:
            self._wait_for_turn()
            try:
                answer: dict[str, Any] = getattr(self._session, call)(**query)
                result_of(answer)
                self._patient = True
                return answer
            except expected as error:
                verdict = judge(error)
            failures += 1
            if verdict.least_wait_s > 0.0:  # whoever asks next, also after we have given up
                self._limiter.hold(self._clock() + verdict.least_wait_s)
            if verdict.silent and not self._patient:
                raise ExchangeError(
                    f"{self._session.endpoint}: {verdict.text}; check the network, and "
                    "exchange.region, rest_url or testnet; nothing was asked again"
                )
            if not verdict.retry or failures >= self._backoff.tries:
                raise _kind(verdict)(_refusal(call, query, verdict.text, failures))
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


def _kind(verdict: ErrorVerdict) -> type[ExchangeError]:
    if verdict.unlisted:
        return UnlistedError
    return UnreachableError if verdict.unreachable else ExchangeError


def _refusal(call: str, query: dict[str, Any], text: str, failures: int) -> str:
    what = " ".join(str(query[k]) for k in ("category", "symbol", "interval") if k in query)
    tried = (
        f", after {failures} tries; check the network and try again later" if failures > 1 else ""
    )
    return f"Bybit {call}{' ' + what if what else ''}: {text}{tried}"

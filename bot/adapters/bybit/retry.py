"""When to ask the exchange, to ask again, and to give up: a limiter, a back-off, a verdict.

Pure: they say how long to wait and leave the waiting to the caller, so that a synchronous client
and an asyncio adapter share them. The limiter may be shared between threads.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

from pybit.exceptions import FailedRequestError, InvalidRequestError
from requests.exceptions import ContentDecodingError, RequestException

from bot.adapters.bybit.answers import shown
from bot.config.schema import ExchangeSection as Settings

IP_BAN_WAIT_S = 600.0
"""Bybit lifts the ban of an address (HTTP 403) after ten minutes without a request."""

_TRANSIENT_CODES = {
    10000: "the exchange's server timed out",
    10006: "the rate limit is reached",
    10016: "the exchange's server has an error",
    10018: "the rate limit of this address is reached",
}
_PARAMETER_ERROR = 10001
_CAUSES = {
    "NameResolutionError": "its name cannot be resolved", "Name or service": "its name cannot be resolved",
    "name resolution": "its name cannot be resolved", "Connection refused": "connection refused",
    "Network is unreachable": "no network", "No route to host": "no route to it",
}  # fmt: skip
_NO_SUCH_SYMBOL = re.compile(
    r"(params error: ?)?(not supported symbols?|invalid symbol|symbol( is)? invalid)[.!]?"
)
"""All that Bybit says where it knows no such symbol: a reason that only mentions one is another."""

_TRANSIENT_STATUS = frozenset({408, 409, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first_s` to `longest_s`, each shortened at random by up to a half.

    `tries` is how often a request is made in all.
    """

    first_s: float = 0.5
    longest_s: float = 60.0
    tries: int = 8

    def wait_s(self, failures: int, random: Callable[[], float]) -> float:
        """Return the seconds to wait after so many failures in a row; `random` gives 0..1.

        >>> Backoff().wait_s(3, lambda: 1.0), Backoff().wait_s(3, lambda: 0.0)
        (2.0, 1.0)
        >>> Backoff().wait_s(10_000, lambda: 1.0)
        60.0
        """
        doublings = min(max(failures - 1, 0), 63)
        longest = min(self.first_s * 2.0**doublings, self.longest_s)
        return longest * (0.5 + 0.5 * random())


def backoff_of(settings: Settings) -> Backoff:
    """Return the settings' back-off."""
    return Backoff(
        first_s=settings.reconnect_first_s,
        longest_s=settings.reconnect_longest_s,
        tries=settings.request_tries,
    )


class Limiter:
    """Space requests evenly, at most `rate` a second, whatever number of threads makes them."""

    def __init__(self, rate: float) -> None:
        self._step_s = 1.0 / rate
        self._next_s = self._held_s = float("-inf")
        self._lock = threading.Lock()

    def reserve(self, now_s: float) -> float:
        """Take the next turn; return the seconds to wait for it.

        >>> limiter = Limiter(10.0)
        >>> limiter.reserve(5.0), round(limiter.reserve(5.0), 6), limiter.reserve(9.0)
        (0.0, 0.1, 0.0)
        """
        with self._lock:
            turn_s = max(now_s, self._next_s)
            self._next_s = turn_s + self._step_s
            return turn_s - now_s

    def hold(self, until_s: float) -> None:
        """Let nobody have a turn before this time.

        >>> limiter = Limiter(10.0)
        >>> limiter.hold(65.0)
        >>> limiter.reserve(5.0), limiter.held(64.0), limiter.held(65.0)
        (60.0, True, False)
        """
        with self._lock:
            self._held_s = max(self._held_s, until_s)
            self._next_s = max(self._next_s, until_s)

    def held(self, turn_s: float) -> bool:
        """Return whether a turn at this time, reserved before a hold, does not count any more."""
        with self._lock:
            return turn_s < self._held_s - 1e-6


@dataclass(frozen=True, slots=True)
class ErrorVerdict:
    """What a failed request means, in plain words; whether to retry, and after how long.

    `unlisted`: the exchange says that it does not know the symbol. `unreachable`: there was no answer to
    the question; `silent`: there was none at all, as without a network.
    """

    text: str
    retry: bool
    least_wait_s: float = 0.0
    unlisted: bool = False
    unreachable: bool = False
    silent: bool = False


def judge(error: Exception) -> ErrorVerdict:
    """Return what an error of pybit, or beneath it, means.

    >>> judge(ConnectionError()).retry
    True
    """
    if isinstance(error, InvalidRequestError):
        code = error.status_code
        if type(code) is not int:  # pybit takes whatever stands there for a code
            text = f"the answer has retCode {shown(code)}, no whole number ({_said(error)})"
            return ErrorVerdict(text, retry=True)
        if code in _TRANSIENT_CODES:
            return ErrorVerdict(
                f"{_TRANSIENT_CODES[code]} (code {code})", retry=True, unreachable=True
            )
        text = f"the exchange refuses: {_said(error)} (code {code})"
        unlisted = code == _PARAMETER_ERROR and _NO_SUCH_SYMBOL.fullmatch(_said(error).lower())
        return ErrorVerdict(text, retry=False, unlisted=bool(unlisted))
    if isinstance(error, FailedRequestError):
        status = _code(error)
        if status == 403:
            text = "the exchange bars this address for now, or this country (HTTP 403)"
            return ErrorVerdict(text, retry=True, least_wait_s=IP_BAN_WAIT_S, unreachable=True)
        if error.request == "JSON decoding":  # pybit's own 409; the exchange has answered 200
            return ErrorVerdict("the answer is no JSON", retry=True, unreachable=True)
        if status in _TRANSIENT_STATUS:
            return ErrorVerdict(f"the exchange answers HTTP {status}", retry=True, unreachable=True)
        return ErrorVerdict(f"the exchange answers HTTP {status}: {_said(error)}", retry=False)
    if isinstance(error, ContentDecodingError):
        return ErrorVerdict(f"the answer cannot be read: {error}", retry=True)
    if isinstance(error, RequestException | OSError):
        text = f"the exchange cannot be reached ({_cause(error)})"
        return ErrorVerdict(text, retry=True, unreachable=True, silent=True)
    text = f"{type(error).__name__}: {error}"[:200]
    return ErrorVerdict(f"the answer is no JSON object of the expected form ({text})", retry=True)


def _cause(error: Exception) -> str:
    """Return why nobody answers, in a word that a person knows where there is one."""
    text = str(error)
    for sign, cause in _CAUSES.items():
        if sign in text:
            return cause
    return type(error).__name__


def _code(error: Exception) -> int:
    try:
        return int(getattr(error, "status_code", 0))
    except (TypeError, ValueError, OverflowError):
        return 0


def _said(error: FailedRequestError | InvalidRequestError) -> str:
    """Return the exchange's words, where they are words."""
    message = error.message
    return message[:200].strip() if isinstance(message, str) else shown(message)

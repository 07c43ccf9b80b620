"""Which funding the quotes announced for when. Pure; the time is that of the exchange, ms UTC.

Rule: what was not announced before its time is not known, and never taken for none.
"""

from __future__ import annotations

import math

from bot.adapters.exchange import Quote

_REMEMBERED = 32
"""Funding times kept a symbol: a day of hourly ones, and some more."""


class FundingWatch:
    """Remembers, a symbol, which funding was announced for when."""

    def __init__(self) -> None:
        self._announced: dict[str, list[tuple[int, int, float]]] = {}

    def feed(self, quote: Quote) -> None:
        """Take a quote of the stream."""
        due_ms = quote.next_funding_ms
        if due_ms is None or quote.received_ms > due_ms:
            return
        known = self._announced.setdefault(quote.symbol, [])
        if known and known[-1][1] == due_ms:
            known[-1] = (known[-1][0], due_ms, quote.funding_rate)
        else:
            known.append((quote.received_ms, due_ms, quote.funding_rate))
            del known[:-_REMEMBERED]

    def rate_at(self, symbol: str, time_ms: int) -> float:
        """Return the rate due at this time, 0 where none was due, NaN where that is not known.

        >>> watch = FundingWatch()
        >>> watch.feed(Quote("X", 1.0, 1.0, 1.0, 1e-4, 8000, received_ms=500))
        >>> [watch.rate_at("X", t) for t in (400, 500, 7999, 8000, 8001)]
        [nan, 0.0, 0.0, 0.0001, nan]
        """
        known = self._announced.get(symbol, [])
        for _, due_ms, rate in reversed(known):
            if time_ms == due_ms:
                return rate
        # the one after may be announced at that very time, or a moment before by our clock
        none_due = any(since_ms <= time_ms < due_ms for since_ms, due_ms, _ in known)
        return 0.0 if none_due else math.nan

    def between(self, symbol: str, first_ms: int, last_ms: int) -> dict[int, float]:
        """Return what was announced for the times first..last, inclusive."""
        known = self._announced.get(symbol, [])
        return {due_ms: rate for _, due_ms, rate in known if first_ms <= due_ms <= last_ms}

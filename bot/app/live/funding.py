"""The funding of a bar, live: what was announced, and what was settled, at its open and inside it.

Rules: settlements inside a bar longer than an hour are asked for at its close; where a position is
held, or nothing was announced, the settled rate is asked for, and what was announced stands in for an answer that does not come
in time (an address that is barred waits ten minutes); where nothing is charged (costs.funding = false)
nothing is asked; a rate that settles and is not known is NaN, never none, and what was not announced
before its time is not known.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from bot.adapters.exchange import Exchange, Quote
from bot.adapters.files.bar_funding import lay_funding
from bot.adapters.files.candles import Candles
from bot.adapters.files.funding import Funding, settlements_between
from bot.blocks import F64, BarBlock
from bot.errors import DataError, ExchangeError
from bot.timegrid import HOUR_MS
from bot.venues import is_contract, is_inverse

USUAL_STEP_MS = 8 * HOUR_MS
_REMEMBERED = 32
"""Funding times kept a symbol: a day of hourly ones, and some more."""


class FundingWatch:
    """Remembers, a symbol, which funding the quotes announced for when. Pure."""

    def __init__(self) -> None:
        self._announced: dict[str, list[tuple[int, int, float]]] = {}

    def feed(self, quote: Quote) -> None:
        """Take a quote of the stream."""
        settles_ms = quote.next_funding_ms
        if settles_ms is None or quote.received_ms > settles_ms:
            return
        known = self._announced.setdefault(quote.symbol, [])
        if known and known[-1][1] == settles_ms:
            known[-1] = (known[-1][0], settles_ms, quote.funding_rate)
        else:
            known.append((quote.received_ms, settles_ms, quote.funding_rate))
            del known[:-_REMEMBERED]

    def rate_at(self, symbol: str, time_ms: int) -> float:
        """Return the rate that settles at this time, 0 where none does, NaN where that is not known.

        >>> watch = FundingWatch()
        >>> watch.feed(Quote("X", 1.0, 1.0, 1.0, 1e-4, 8000, received_ms=500))
        >>> [watch.rate_at("X", t) for t in (400, 500, 7999, 8000, 8001)]
        [nan, 0.0, 0.0, 0.0001, nan]
        """
        known = self._announced.get(symbol, [])
        for _, settles_ms, rate in reversed(known):
            if time_ms == settles_ms:
                return rate
        # the one after may be announced at that very time, or a moment before by our clock
        none_settles = any(since_ms <= time_ms < settles_ms for since_ms, settles_ms, _ in known)
        return 0.0 if none_settles else math.nan

    def between(self, symbol: str, first_ms: int, last_ms: int) -> dict[int, float]:
        """Return what was announced for the times first..last, inclusive."""
        known = self._announced.get(symbol, [])
        return {
            settles_ms: rate for _, settles_ms, rate in known if first_ms <= settles_ms <= last_ms
        }


class LiveFunding:
    """Tell which rates a bar opens with.

    Args:
        patience_s: how long an answer is waited for.
        charged: whether positions pay it; without it what was announced is written down all the same.
        max_jump: how far from the last close a mark price may be in a bar whose candle was refused.
    """

    def __init__(
        self, exchange: Exchange, symbols: Sequence[str], venue: str, patience_s: float, *,
        charged: bool = True, max_jump: float = math.inf,
    ) -> None:  # fmt: skip
        self._exchange, self._symbols, self._patience_s = exchange, symbols, patience_s
        self._settles, self._charged, self._max_jump = is_contract(venue), charged, max_jump
        self._inverse = np.full(len(symbols), is_inverse(venue))
        self._watch = FundingWatch()

    def feed(self, quote: Quote) -> None:
        """Take a quote of the stream."""
        self._watch.feed(quote)

    async def at_open(self, open_time: int, held: F64) -> dict[str, float]:
        """Return the rates that settle at this open, NaN where one does and is not known.

        Args:
            held: float64[S], the positions that would pay.
        """
        if not self._settles or open_time % HOUR_MS:
            return {}
        rates = await asyncio.gather(
            *(
                self._rate(symbol, open_time, held=quantity != 0.0)
                for symbol, quantity in zip(self._symbols, held.tolist(), strict=True)
            )
        )
        return {s: rate for s, rate in zip(self._symbols, rates, strict=True) if rate != 0.0}

    async def inside(self, row: BarBlock, interval_ms: int, held: F64, closes: F64) -> BarBlock:
        """Return a closed bar with the settlements inside it.

        Args:
            row: the bar, with the marks that its open was booked with.
            held: float64[S], the positions that pay.
            closes: float64[S], the last close before the bar.
        """
        if not self._settles or interval_ms <= HOUR_MS:
            return row
        first, last = int(row.open_time[0]) + 1, int(row.open_time[0]) + interval_ms - 1
        settled = await asyncio.gather(
            *(
                self._settled(symbol, first, last, held=quantity != 0.0)
                for symbol, quantity in zip(self._symbols, held.tolist(), strict=True)
            )
        )
        settlements = [settlements_between(funding, first, last + 1) for funding, _ in settled]
        marks = [(marks.time, marks.column("open")) for _, marks in settled]
        laid = lay_funding(
            row, settlements, marks, interval_ms=interval_ms, since_ms=first, before=closes,
            max_jump=self._max_jump, inverse=self._inverse,
        )  # fmt: skip
        return replace(laid, funding_rate=row.funding_rate)

    async def _settled(
        self, symbol: str, first: int, last: int, *, held: bool
    ) -> tuple[Funding, Candles]:
        """Return the rates of these times, settled or announced, and the mark prices."""
        rates = self._watch.between(symbol, first, last)
        marks = Candles.empty()
        if held and self._charged:
            with suppress(ExchangeError, DataError, TimeoutError):
                async with asyncio.timeout(self._patience_s):
                    settled = await self._exchange.funding(symbol, first, last)
                    for time, rate in zip(
                        settled.time.tolist(), settled.rate.tolist(), strict=True
                    ):
                        rates[time] = rates.get(time, rate) if math.isnan(rate) else rate
                    marks = await self._exchange.marks(symbol, "1h", first, last)
        times = sorted(rates)
        return Funding(np.array(times, np.int64), np.array([rates[t] for t in times])), marks

    async def _rate(self, symbol: str, open_time: int, *, held: bool) -> float:
        rate = self._watch.rate_at(symbol, open_time)
        # a policy expects the last rate also while flat, and a restart has not heard it announced
        if self._charged and (math.isnan(rate) or (held and rate != 0.0)):
            try:
                async with asyncio.timeout(self._patience_s):
                    settled = await self._exchange.funding(symbol, open_time, open_time)
            except (ExchangeError, DataError, TimeoutError):
                return rate
            if len(settled.rate) and math.isfinite(settled.rate[0]):
                return float(settled.rate[0])
        # what nobody announced settles at the usual times only
        return 0.0 if math.isnan(rate) and open_time % USUAL_STEP_MS else rate

"""Screening at the door: what an exchange says comes in through here, and what cannot be true does not.

Rules: quotes, mark prices and funding rates are screened as they come; candles when their bar is
closed or caught up with, in the order of bars, so that stream, requests and a restart judge alike.
What is refused is reported and counted. Must not judge: `bot.plausibility` does.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

import numpy as np

from bot.adapters.exchange import Candle, Delivery, Event, Exchange, Klines, Quote
from bot.adapters.files.candles import Candles
from bot.adapters.files.funding import Funding
from bot.blocks import BarBlock
from bot.plausibility import (
    Implausible,
    Prices,
    plausible,
    plausible_quote,
    plausible_rate,
    screen_bars,
)
from bot.portfolio.instruments import Instrument

OnImplausible = Callable[[Implausible], None]


class ScreenedExchange:
    """An `Exchange` of which only what can be true is heard.

    Args:
        prices: what the next candles are held against, as the journal has it.
        on_refused: called with everything that is refused.
    """

    def __init__(
        self,
        exchange: Exchange,
        symbols: Sequence[str],
        prices: Prices,
        max_jump: float,
        on_refused: OnImplausible,
    ) -> None:
        self._exchange, self._max_jump, self._on_refused = exchange, max_jump, on_refused
        self._index = {name: s for s, name in enumerate(symbols)}
        self._prices = prices

    def bars(self, block: BarBlock) -> BarBlock:
        """Return the next bars of the run with their symbols frozen where a candle is refused."""
        screened, self._prices, found = screen_bars(block, self._prices, self._max_jump)
        for refused in found:
            self._on_refused(refused)
        return screened

    def event(self, event: Event) -> Event | None:
        """Return what is left of an event of the stream, None where nothing is."""
        match event:
            case Quote() if event.symbol in self._index:
                return self._quote(event, self._index[event.symbol])
            case Candle() if event.symbol in self._index and not event.confirm:
                s = self._index[event.symbol]
                if not self._plausible(s, event.open):
                    self._refuse(s, event.open_time, "first_price", event.open)
                    return None
        return event

    def _quote(self, quote: Quote, s: int) -> Quote:
        time, whole = quote.received_ms, math.isfinite(quote.bid) and math.isfinite(quote.ask)
        last = self._prices.of(s)
        if whole and not plausible_quote(quote.bid, quote.ask, last, self._max_jump):
            fault = quote.ask if self._plausible(s, quote.bid) else quote.bid
            self._refuse(s, time, "quote", fault)
            quote = replace(quote, bid=math.nan, ask=math.nan)
        if not self._plausible(s, quote.mark):
            self._refuse(s, time, "mark", quote.mark)
            quote = replace(quote, mark=math.nan)
        if not plausible_rate(quote.funding_rate):
            self._refuse(s, time, "funding_rate", quote.funding_rate)
            quote = replace(quote, funding_rate=math.nan)
        return quote

    def _refuse(self, s: int, time_ms: int, what: str, value: float) -> None:
        self._on_refused(Implausible(s, time_ms, what, value, float(self._prices.last[s])))

    def _plausible(self, s: int, price: float) -> bool:
        return any(plausible(price, last, self._max_jump) for last in self._prices.of(s))

    def now_ms(self) -> int:
        """Return the exchange's time."""
        return self._exchange.now_ms()

    async def server_time_ms(self) -> int:
        """Ask the exchange's time."""
        return await self._exchange.server_time_ms()

    async def klines(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Klines:
        """Return closed candles, which are screened with their bars."""
        return await self._exchange.klines(symbol, interval, start_ms, end_ms)

    async def marks(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Candles:
        """Return the candles of the mark price that can be true."""
        marks = await self._exchange.marks(symbol, interval, start_ms, end_ms)
        s = self._index[symbol]
        near = self._prices.of(s)
        kept, values = np.ones(len(marks), dtype=np.bool_), marks.values.copy()
        for i, (price, high, low) in enumerate(values[:, :3].tolist()):
            time = int(marks.time[i])
            if not any(plausible(price, last, self._max_jump) for last in near):
                self._refuse(s, time, "mark", price)
                kept[i], near = False, [near[0], price]
                continue
            near = [price]
            for k, extreme in ((1, high), (2, low)):
                if not plausible(extreme, price, self._max_jump):
                    self._refuse(s, time, "mark", extreme)
                    values[i, k] = math.nan
        return Candles(marks.time[kept], values[kept])

    async def funding(self, symbol: str, start_ms: int, end_ms: int) -> Funding:
        """Return the funding rates that can be true; one that cannot is not known."""
        known = await self._exchange.funding(symbol, start_ms, end_ms)
        fine = np.array([plausible_rate(rate) for rate in known.rate.tolist()], dtype=np.bool_)
        for i in np.flatnonzero(~fine).tolist():
            at, rate = int(known.time[i]), float(known.rate[i])
            self._refuse(self._index[symbol], at, "funding_rate", rate)
        return Funding(known.time, np.where(fine, known.rate, np.nan))

    async def instruments(self, symbols: Sequence[str]) -> dict[str, Instrument]:
        """Return the instruments of these symbols."""
        return await self._exchange.instruments(symbols)

    async def listed(self, symbols: Sequence[str], *, tiers: bool = True) -> dict[str, Instrument]:
        """Return the instruments of those of these symbols that are listed."""
        return await self._exchange.listed(symbols, tiers=tiers)

    async def delivery(self, symbol: str) -> Delivery | None:
        """Return at what a contract was settled, if that can be true."""
        told = await self._exchange.delivery(symbol)
        s = self._index[symbol]
        if told is not None and not self._plausible(s, told.price):
            self._refuse(s, told.time_ms, "delivery_price", told.price)
            return None
        return told

    async def stream(self, symbols: Sequence[str], interval: str) -> AsyncGenerator[Event, None]:
        """Yield what can be true of the exchange's events."""
        async with aclosing(self._exchange.stream(symbols, interval)) as events:
            async for event in events:
                kept = self.event(event)
                if kept is not None:
                    yield kept

"""The life of each symbol, live: which are about to end, which have ended, and at what they settle.

Owns what the exchange said last of its symbols, and when it is asked again. Rules: it is asked once an
hour of its own time; what is new is a command of the record, so that it outlives the process; an end
that is announced is believed at once, a status that forbids trading, or a symbol that is not listed, once
it is said twice; a failed answer changes nothing. The rows that are closed carry what is known. Must
not decide what becomes of a position: the kernel does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bot.adapters.exchange import Quote
from bot.app.live.committed import CommittedRun
from bot.app.live.exchange_time import ExchangeTime
from bot.app.live.life_report import LifeReport
from bot.app.live.members import LiveMembers
from bot.app.live.screening import ScreenedExchange
from bot.blocks import BarBlock
from bot.errors import DataError, ExchangeError
from bot.portfolio.instruments import TRADED, UNLISTED, Instrument, has_ended, is_leaving
from bot.timegrid import DAY_MS, HOUR_MS, MINUTE_MS
from bot.venues import is_contract, is_inverse

ASK_EVERY_MS = HOUR_MS
ASK_AGAIN_MS = 10 * MINUTE_MS
"""After an answer that failed, or that is believed only if it is said again."""

PRICE_AWAITED_MS = HOUR_MS
"""After the end, how long the exchange's settlement price is waited for before the last mark price is taken."""

_SAME_DELIVERY_MS = DAY_MS
"""A delivery that is told is the announced one if they are no further apart."""

FAILURES = (ExchangeError, DataError, TimeoutError)


class SymbolLife:
    """Ask, learn, and write into the rows what is known."""

    def __init__(
        self, run: CommittedRun, exchange: ScreenedExchange, clock: ExchangeTime, report: LifeReport
    ) -> None:
        self._run, self._exchange, self._clock, self._report = run, exchange, clock, report
        self._patience_s = run.config.exchange.request_timeout_s
        self._told: dict[str, Instrument] = {}
        self._doubted: frozenset[str] = frozenset()
        self._traded = frozenset(run.symbols)  # until a bar shows otherwise
        self._settled: set[str] = set()
        rule, inverse = run.config.market.rule, is_inverse(run.config.market.venue)
        self._members = rule and LiveMembers(rule, run.folder, run.interval_ms, inverse=inverse)

    def ended(self, time_ms: int) -> frozenset[str]:
        """Return the symbols that are traded no more at this time."""
        return frozenset(s for s, each in self._instruments().items() if has_ended(each, time_ms))

    async def watch(self) -> None:
        """Ask now and then, for ever; what is told waits for `learn`."""
        wait_ms = ASK_AGAIN_MS  # at the start of the process it has been asked
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + wait_ms)
            wait_ms = ASK_AGAIN_MS
            try:
                async with asyncio.timeout(self._patience_s):
                    told = await self._exchange.listed(self._run.symbols, tiers=False)
            except FAILURES as error:
                self._report.not_told(str(error) or "no answer in time")
                continue
            self._told = self._believed(told)
            if not self._doubted:
                wait_ms = ASK_EVERY_MS

    def learn(self) -> None:
        """Let what was told hold; called between transactions."""
        told, self._told = self._told, {}
        row = self._run.learn(told, time.time_ns() // 1_000_000)
        if row is not None:
            self._report.learned(row)

    async def lay_on(self, bars: BarBlock, quotes: Mapping[str, Quote]) -> BarBlock:
        """Return bars that are about to be closed with `leaving`, and `settlement_price` at an end.

        Args:
            quotes: the newest of each symbol, for the last mark price.
        """
        ends = bars.open_time + self._run.interval_ms
        within_ms = int(self._run.config.risk.leaving_hours * HOUR_MS)
        leaving, price = bars.leaving.copy(), bars.settlement_price.copy()
        for s, (symbol, known) in enumerate(self._instruments().items()):
            if not is_leaving(known, int(ends[-1]), within_ms):
                self._settled.discard(symbol)  # listed again, it may end again
                continue
            leaving[:, s] = [is_leaving(known, end, within_ms) for end in ends.tolist()]
            over = [has_ended(known, end) for end in ends.tolist()]
            if self._run.book.quantity[s] != 0.0 and any(over) and symbol not in self._settled:
                i = over.index(True)
                last = _last_mark(bars, i, s, quotes.get(symbol), float(self._run.book.mark[s]))
                price[i, s] = await self._price(symbol, known, int(ends[-1]), last)
                if np.isfinite(price[i, s]):
                    self._settled.add(symbol)
        self._traded = frozenset(np.array(self._run.symbols)[bars.valid[-1]].tolist())
        self._report.leaving_at(
            int(bars.open_time[-1]),
            {
                s: i
                for (s, i), on in zip(self._instruments().items(), leaving[-1], strict=True)
                if on
            },
        )
        leaving |= self._run.left
        if self._members:
            leaving |= ~self._members.at(bars, self._instruments())
            self._report.members_at(int(bars.open_time[-1]), self._run.symbols, ~leaving[-1])
        return replace(bars, leaving=leaving, settlement_price=price)

    async def _price(self, symbol: str, known: Instrument, now_ms: int, last: float) -> float:
        """Return what a symbol that has ended settles at, NaN where that is to be awaited.

        Bybit settles a perpetual that it delists at the index, averaged over the half hour before; where
        it tells no such price within the hour, the last mark price, which is made from the index, stands in.
        """
        if not is_contract(self._run.config.market.venue):
            return np.nan  # a coin that is delisted here is still a coin
        told = None
        try:
            async with asyncio.timeout(self._patience_s):
                told = await self._exchange.delivery(symbol)
        except FAILURES as error:
            self._report.not_told(f"{symbol}: {str(error) or 'no answer in time'}")
        announced = known.delivery_ms or now_ms
        if told is not None and abs(told.time_ms - announced) <= _SAME_DELIVERY_MS:
            return told.price
        awaited = not known.delivery_ms or now_ms < known.delivery_ms + PRICE_AWAITED_MS
        return np.nan if awaited else last

    def _instruments(self) -> dict[str, Instrument]:
        return {symbol: self._run.instruments[symbol] for symbol in self._run.symbols}

    def _believed(self, told: Mapping[str, Instrument]) -> dict[str, Instrument]:
        """Return what is believed of an answer, and note what is believed only if it is said again."""
        believed: dict[str, Instrument] = {}
        doubted: set[str] = set()
        for symbol, known in self._instruments().items():
            said = replace(told.get(symbol, replace(known, status=UNLISTED)), tiers=known.tiers)
            if said.status == UNLISTED and symbol in self._traded:
                said = known  # its candles come
            is_new = said.status not in TRADED and said.status != known.status
            if is_new and symbol not in self._doubted:
                doubted.add(symbol)
                said = replace(said, status=known.status)
            believed[symbol] = said
        self._doubted = frozenset(doubted)
        return believed


def _last_mark(bars: BarBlock, i: int, s: int, quote: Quote | None, before: float) -> float:
    """Return the newest price of bar i: the mark as it was heard, else the last close."""
    if quote is not None and quote.mark > 0.0:
        return quote.mark
    closes = bars.close[: i + 1, s]
    known = closes[np.isfinite(closes)]
    return float(known[-1]) if len(known) else before

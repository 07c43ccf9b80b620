"""The realised variance of a bar, live: its pieces are asked for while the last of them is forming.

All closes that it takes but the bar's own are known a piece before the bar's end, so that no decision
waits for them. Rules: one request a symbol and bar; what is not answered by the end is not known, never
made up; an answer counts only where it shows that the pieces are over. Must not judge what was answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.adapters.exchange import Exchange
from bot.adapters.files.bar_realised import inner_closes, with_realised
from bot.adapters.files.candles import Candles
from bot.app.live.exchange_time import ExchangeTime
from bot.blocks import BarBlock
from bot.errors import DataError, ExchangeError, UnlistedError
from bot.timegrid import INTERVAL_MS

TRIES = 60
"""How often a piece is asked for at most, evenly over the last one's length."""


class FinerCandles:
    """Ask for shorter candles, and lay what they say on the bars that close.

    Args:
        symbols: in the ledger's order.
        interval: of the shorter candles; "": none are asked for.
        interval_ms: length of a bar.
        patience_s: how long an answer is waited for at a bar's close.
    """

    def __init__(
        self, exchange: Exchange, clock: ExchangeTime, symbols: Sequence[str], interval: str,
        interval_ms: int, patience_s: float,
    ) -> None:  # fmt: skip
        self._exchange, self._clock, self._symbols = exchange, clock, tuple(symbols)
        self._interval, self._interval_ms = interval, interval_ms
        self._step_ms = INTERVAL_MS[interval] if interval else interval_ms
        self._patience_s = patience_s
        self._heard: dict[str, tuple[int, Candles]] = {}
        self._open_time = -1
        self.tasks: tuple[asyncio.Task[None], ...] = ()

    def want(self, open_time: int) -> None:
        """Have the pieces of a bar asked for in time, once; those of the one before no more."""
        if not self._interval or open_time == self._open_time:
            return
        for task in self.tasks:
            task.result() if task.done() else task.cancel()
        self._open_time = open_time
        self.tasks = tuple(asyncio.create_task(self._ask(s, open_time)) for s in self._symbols)

    async def lay_on(self, bars: BarBlock) -> BarBlock:
        """Return the one bar of a block with its realised variance, where its pieces were answered.

        Only after a restart beyond a bar's end is there an answer to wait for, and for a moment.
        """
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=self._patience_s)
        mine = [self._heard.get(symbol, (-1, Candles.empty())) for symbol in self._symbols]
        inner = [
            inner_closes(bars.open_time, candles, self._step_ms, self._interval_ms)
            if of == bars.open_time[0]
            else None
            for of, candles in mine
        ]
        return with_realised(bars, inner)

    async def _ask(self, symbol: str, open_time: int) -> None:
        last = open_time + self._interval_ms - 2 * self._step_ms
        await self._clock.sleep_until(last + self._step_ms)
        while True:
            try:
                answer = await self._exchange.klines(symbol, self._interval, open_time, last)
            except UnlistedError:
                return
            except (ExchangeError, DataError):
                answer = None
            if answer is not None and answer.over_ms >= last + self._step_ms:
                self._heard[symbol] = open_time, answer.candles
                return
            now_ms, end_ms = self._clock.now_ms(), open_time + self._interval_ms
            if now_ms >= end_ms:
                return
            await self._clock.sleep_until(min(now_ms + self._step_ms // TRIES, end_ms))
            if self._clock.now_ms() >= end_ms:
                return

"""Live bars without a stream: ask for quotes now and then, and for candles after each bar's end.

Rules: the same events as a stream's. Each question stands alone: a symbol that fails is reported as
disconnected and asked again, the others go on. A candle is asked for a second after its end, and closed
where the answer shows that it is over. Clock, sleep and dice are handed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Protocol

from bot.adapters.bybit.clock import ASK_AGAIN_S, ServerClock
from bot.adapters.bybit.retry import Backoff
from bot.adapters.exchange import Candle, Connected, Disconnected, Event, Klines, Quote
from bot.errors import DataError, ExchangeError
from bot.timegrid import INTERVAL_MS, floor_to_interval

SETTLE_MS = 1000
"""Bybit may still change a candle just after its end."""


class PolledExchange(Protocol):
    """What is asked."""

    clock: ServerClock

    async def server_time_ms(self) -> int:
        """Ask the exchange's time."""
        ...

    async def quote_all(self, symbols: Sequence[str]) -> list[Quote]:
        """Ask for quotes; a symbol that is not listed has none."""
        ...

    async def klines(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Klines:
        """Ask for the candles from start on, the last of which is still open."""
        ...


class Polling:
    """The events of these symbols."""

    def __init__(
        self,
        source: PolledExchange,
        symbols: Sequence[str],
        interval: str,
        *,
        poll_s: float,
        clock_check_s: float,
        backoff: Backoff,
        sleep: Callable[[float], Awaitable[None]],
        dice: Callable[[], float],
    ) -> None:
        self._source, self._symbols, self._interval = source, tuple(symbols), interval
        self._step = INTERVAL_MS[interval]
        self._poll_s, self._clock_check_s = poll_s, clock_check_s
        self._backoff, self._sleep, self._dice = backoff, sleep, dice
        self._unclosed: dict[str, int] = {}
        self._checked_s: float | None = None
        self._sessions = 0

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield events until it is closed."""
        up: set[str] = set()
        failures = 0
        while True:
            events, failed = await self._round()
            fine = tuple(s for s in self._symbols if s not in failed)
            new = tuple(s for s in fine if s not in up)
            if new:
                self._sessions += 1
                yield Connected(self._sessions, new)
            up = set(fine)
            for event in events:
                yield event
            for reason in dict.fromkeys(failed.values()):
                yield Disconnected(
                    reason, tuple(s for s in self._symbols if failed.get(s) == reason)
                )
            failures = 0 if fine else failures + 1
            await self._sleep(
                self._backoff.wait_s(failures, self._dice) if failures else self._until_next_s()
            )

    async def _round(self) -> tuple[list[Event], dict[str, str]]:
        """Ask all that can have changed; return the events, and why by symbol that failed."""
        try:
            await self._check_clock()
            quotes = await self._source.quote_all(self._symbols)
        except (ExchangeError, DataError) as error:
            return [], dict.fromkeys(self._symbols, str(error))
        now_ms = self._source.clock.now_ms()
        quoted = {quote.symbol for quote in quotes}
        failed = {s: f"the exchange has no ticker of {s}" for s in self._symbols if s not in quoted}
        forming = floor_to_interval(now_ms, self._step)
        for symbol in self._symbols:  # the clock may have been ahead, and be right again
            self._unclosed[symbol] = min(self._unclosed.get(symbol, forming), forming)
        asked = [s for s in self._symbols if self._may_have_closed(s, now_ms) and s not in failed]
        answers = await asyncio.gather(*(self._candles(s) for s in asked), return_exceptions=True)
        events: list[Event] = []
        for symbol, answer in zip(asked, answers, strict=True):
            if isinstance(answer, ExchangeError | DataError):
                failed[symbol] = str(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                events.extend(answer)
        return [*events, *quotes], failed

    def _may_have_closed(self, symbol: str, now_ms: int) -> bool:
        return self._unclosed[symbol] + self._step + SETTLE_MS <= now_ms

    async def _check_clock(self) -> None:
        now_s = self._source.clock.monotonic()
        patience_s = ASK_AGAIN_S if self._source.clock.doubted else self._clock_check_s
        if self._checked_s is None or now_s - self._checked_s >= patience_s:
            await self._source.server_time_ms()
            self._checked_s = now_s

    async def _candles(self, symbol: str) -> list[Event]:
        now_ms = self._source.clock.now_ms()
        answer = await self._source.klines(
            symbol, self._interval, self._unclosed[symbol], now_ms + self._step
        )
        now_ms = max(self._source.clock.now_ms(), answer.over_ms)
        events: list[Event] = []
        for candles, closed in ((answer.candles, True), (answer.forming, False)):
            for open_time, row in zip(candles.time.tolist(), candles.values.tolist(), strict=True):
                o, h, low, c, v, t = row
                events.append(
                    Candle(
                        symbol,
                        open_time,
                        o,
                        high=h,
                        low=low,
                        close=c,
                        volume=v,
                        turnover=t,
                        confirm=closed,
                        received_ms=now_ms,
                    )
                )
                if closed:
                    self._unclosed[symbol] = open_time + self._step
        return events

    def _until_next_s(self) -> float:
        """Return the seconds to the next question: soon after a bar's end, else poll_s."""
        now_ms = self._source.clock.now_ms()
        end_ms = floor_to_interval(now_ms - SETTLE_MS, self._step) + self._step + SETTLE_MS
        return min(self._poll_s, max(0.0, self._source.clock.seconds_until(end_ms)))

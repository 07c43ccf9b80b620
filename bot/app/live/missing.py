"""Asking for the candles that nobody pushed, and giving up a symbol that would hold up the others.

Rules: while the exchange does not answer, the bar waits until it is too late for it, and is caught up
with whole; where answers of one symbol come and cannot be used, while those of another can, the bar
is closed without it before that. Must not close bars.
"""

from __future__ import annotations

import asyncio

from bot.adapters.exchange import Exchange, Klines
from bot.adapters.files.candles import Candles
from bot.app.live.bar_assembly import Awaited, BarAssembler, CandleSpan
from bot.app.live.exchange_time import ExchangeTime
from bot.app.live.reporter import LiveReport
from bot.errors import ExchangeError, UnlistedError, UnreachableError

RETRY_S = 1.0
_GIVEN_UP_AT = 0.75
"""Share of the time to decide after which a symbol is given up for the bar."""


class MissingCandles:
    """Ask for what is missing.

    Args:
        tradable_ms: from a bar's end until it can no longer be decided on.
        speed: exchange seconds a wall second.
    """

    def __init__(
        self, exchange: Exchange, clock: ExchangeTime, report: LiveReport, *, interval: str,
        tradable_ms: int, speed: float,
    ) -> None:  # fmt: skip
        self._exchange, self._clock, self._report = exchange, clock, report
        self._interval, self._speed = interval, speed
        self._given_up_ms = int(tradable_ms * _GIVEN_UP_AT)

    async def fetch(self, assembler: BarAssembler, awaited: Awaited) -> None:
        """Ask for candles and give the assembler what comes; wait a moment where nothing new does."""
        last_ms = awaited.open_time + assembler.interval_ms + self._given_up_ms
        answers = await asyncio.gather(*(self._ask(span, last_ms) for span in awaited.missing))
        refused: dict[CandleSpan, ExchangeError] = {}
        learned = False
        for span, answer in zip(awaited.missing, answers, strict=True):
            if isinstance(answer, UnlistedError):  # it was delisted: no candle will come
                self._report.unlisted(span.symbol, answer)
                learned |= assembler.accept(span, _none_until(self._now), self._now)
            elif isinstance(answer, Klines):
                learned |= assembler.accept(span, answer, self._now)
            else:
                refused[span] = answer
        if refused:
            self._report.unreachable(next(iter(refused.values())), RETRY_S)
            odd = [s for s, error in refused.items() if not isinstance(error, UnreachableError)]
            if odd and self._now >= last_ms and await self._of_others(assembler, awaited, refused):
                for span in odd:
                    one = CandleSpan(span.symbol, awaited.open_time, awaited.open_time)
                    end_ms = awaited.open_time + assembler.interval_ms
                    assembler.accept(one, _none_until(end_ms), self._now)
                return
        if refused or not learned:  # by the exchange's own time the bars may not be over yet
            await asyncio.sleep(RETRY_S)

    @property
    def _now(self) -> int:
        return self._clock.now_ms()

    async def _ask(self, span: CandleSpan, last_ms: int) -> Klines | ExchangeError:
        """Ask for a symbol; until it is given up, or for a moment, an answer is waited for."""
        patience_s = max((last_ms - self._now) / 1000.0 / self._speed, RETRY_S)
        try:
            async with asyncio.timeout(patience_s):
                return await self._exchange.klines(
                    span.symbol, self._interval, span.first, span.last
                )
        except ExchangeError as error:
            return error
        except TimeoutError:
            return UnreachableError(f"{span.symbol}: no answer in time")

    async def _of_others(
        self, assembler: BarAssembler, awaited: Awaited, refused: dict[CandleSpan, ExchangeError]
    ) -> bool:
        """Return whether the exchange shows another symbol's bar, so that it is not its network."""
        failing = {span.symbol for span in refused}
        for symbol in assembler.symbols:
            if symbol not in failing:
                span = CandleSpan(symbol, awaited.open_time, awaited.open_time)
                answer = await self._ask(span, self._now)
                end_ms = awaited.open_time + assembler.interval_ms
                return isinstance(answer, Klines) and answer.over_ms >= end_ms
        return False


def _none_until(over_ms: int) -> Klines:
    return Klines(Candles.empty(), over_ms, Candles.empty())

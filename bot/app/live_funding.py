"""The funding that is due at a bar's open, live: what was announced, and what was settled.

Rules: where a position is held the settled rate is asked for, and what was announced stands in for an
answer that does not come in time (an address that is barred waits ten minutes); a rate that is due
and not known is NaN, never none.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from bot.adapters.exchange import Exchange, Quote
from bot.app.funding_watch import FundingWatch
from bot.blocks import F64
from bot.errors import DataError, ExchangeError
from bot.timegrid import HOUR_MS
from bot.venues import is_contract

USUAL_STEP_MS = 8 * HOUR_MS


class LiveFunding:
    """Tell which rates a bar opens with.

    Args:
        patience_s: how long an answer is waited for.
    """

    def __init__(
        self, exchange: Exchange, symbols: Sequence[str], venue: str, patience_s: float
    ) -> None:
        self._exchange, self._symbols, self._patience_s = exchange, symbols, patience_s
        self._charged = is_contract(venue)
        self._watch = FundingWatch()

    def feed(self, quote: Quote) -> None:
        """Take a quote of the stream."""
        self._watch.feed(quote)

    async def due(self, open_time: int, held: F64) -> dict[str, float]:
        """Return the rates due at this open, NaN where due and not known; absent where none is.

        Args:
            held: float64[S], the positions that would pay.
        """
        if not self._charged or open_time % HOUR_MS:
            return {}
        rates = await asyncio.gather(
            *(
                self._rate(symbol, open_time, held=quantity != 0.0)
                for symbol, quantity in zip(self._symbols, held.tolist(), strict=True)
            )
        )
        return {s: rate for s, rate in zip(self._symbols, rates, strict=True) if rate != 0.0}

    async def _rate(self, symbol: str, open_time: int, *, held: bool) -> float:
        rate = self._watch.rate_at(symbol, open_time)
        if held and rate != 0.0:
            try:
                async with asyncio.timeout(self._patience_s):
                    settled = await self._exchange.funding(symbol, open_time, open_time)
            except (ExchangeError, DataError, TimeoutError):
                return rate
            if len(settled.rate):
                return float(settled.rate[0])
        # what nobody announced is due at the usual times only
        return 0.0 if math.isnan(rate) and open_time % USUAL_STEP_MS else rate

"""The mark prices of a bar as the stream told them: the highest and the lowest inside it.

Rules: a bar's extremes are known where a symbol was heard from before its open to its end without a
break, and every mark price could be true. The last one heard holds until the next; one that comes with
the bar's open is what the bar opened with. Polled quotes are samples, so their extremes are not the
bar's. Must not ask anybody: a bar whose extremes are not known is judged by its candle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bot.adapters.exchange import Connected, Disconnected, Event, Quote
from bot.blocks import BarBlock


@dataclass
class _Heard:
    """A symbol's mark prices since a time without a break; `bars` has lowest and highest by bar."""

    since_ms: int
    last: float
    bar: int
    bars: dict[int, tuple[float, float]] = field(default_factory=dict)


class HeardMarks:
    """Listen to mark prices, and lay their extremes on closed bars.

    Args:
        symbols: in the ledger's order.
        interval_ms: length of a bar.
        streamed: every change of a mark price is pushed.
        slack_ms: for so long after a bar's open a mark price counts as told with it.
    """

    def __init__(
        self, symbols: Sequence[str], interval_ms: int, *, streamed: bool, slack_ms: int
    ) -> None:
        self._symbols, self._interval_ms, self._streamed = tuple(symbols), interval_ms, streamed
        self._slack_ms = min(slack_ms, interval_ms // 4)
        self._heard: dict[str, _Heard] = {}

    def feed(self, event: Event) -> None:
        """Take an event of the stream."""
        match event:
            case Quote() if self._streamed:
                self._quote(event)
            case Connected() | Disconnected():
                for symbol in event.symbols:
                    self._heard.pop(symbol, None)

    def lay_on(self, bars: BarBlock) -> BarBlock:
        """Return the one bar of a block with its extremes; what came before it is forgotten."""
        open_time = int(bars.open_time[0])
        extremes = np.array([self._of(symbol, open_time) for symbol in self._symbols])
        return replace(bars, mark_low=extremes[None, :, 0], mark_high=extremes[None, :, 1])

    def _quote(self, quote: Quote) -> None:
        symbol, price = quote.symbol, quote.mark
        if math.isnan(price):
            self._heard.pop(symbol, None)
            return
        bar = quote.received_ms // self._interval_ms * self._interval_ms
        heard = self._heard.get(symbol)
        if heard is None or bar < heard.bar:
            self._heard[symbol] = _Heard(quote.received_ms, price, bar, {bar: (price, price)})
            return
        for silent in range(heard.bar + self._interval_ms, bar + 1, self._interval_ms):
            heard.bars[silent] = (heard.last, heard.last)
        if bar > heard.bar and quote.received_ms - bar <= self._slack_ms:
            heard.bars[bar] = (price, price)
        low, high = heard.bars.get(bar, (price, price))
        heard.bars[bar] = (min(low, price), max(high, price))
        heard.bar, heard.last = bar, price

    def _of(self, symbol: str, open_time: int) -> tuple[float, float]:
        """Return the lowest and the highest of a bar that is over."""
        heard = self._heard.get(symbol)
        if heard is None:
            return math.nan, math.nan
        known = heard.bars.get(open_time, (heard.last, heard.last))
        for bar in [each for each in heard.bars if each < open_time]:
            del heard.bars[bar]
        return known if heard.since_ms <= open_time else (math.nan, math.nan)

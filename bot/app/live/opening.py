"""The open of a bar, live: from quotes and first prices to the row that the engine books.

Rules: an order is filled at the first usable quote received after the decision was committed; what
was used is written into the row (fill_bid, fill_ask and their sizes, mark, funding_rate), so that a
replay uses the same. A symbol without it in time is not fillable, and its order follows the late policy. Where there
is no order the newest quote is written down, not fillable: what the next trade would cost is judged by it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bot.adapters.exchange import Candle, Quote
from bot.blocks import BarBlock, Bool
from bot.portfolio.book import Book

Sides = tuple[float, float, float, float]
"""Bid, ask, and how much there is of each."""
_NOTHING: Sides = (math.nan,) * 4


@dataclass
class Opening:
    """What is known of a bar's open so far.

    Attributes:
        open_time, end_ms: of the bar; a quote that came after it fills nothing in it.
        symbols: S names.
        half_spread: used where fills are at the bar's open (`execution.price = "open"`).
        at_quote: fills are at quotes.
        after_ms: quotes received earlier do not count.
        until_ms: neither quotes nor first prices that came later count: an order is filled as the
            bar opens, or follows the late policy.
    """

    open_time: int
    end_ms: int
    symbols: Sequence[str]
    half_spread: float
    at_quote: bool
    after_ms: int
    until_ms: int
    quotes: dict[str, Quote] = field(default_factory=dict)
    first_price: dict[str, float] = field(default_factory=dict)

    def see_quote(self, quote: Quote) -> None:
        """Take a quote, if it is the first usable one of the bar after the decision."""
        since, until = max(self.after_ms, self.open_time), min(self.until_ms, self.end_ms - 1)
        fresh = since <= quote.received_ms <= until
        if fresh and quote.usable and quote.symbol not in self.quotes:
            self.quotes[quote.symbol] = quote

    def see_candle(self, candle: Candle) -> None:
        """Take the bar's first price from a candle of the bar."""
        if candle.open_time == self.open_time and candle.received_ms <= self.until_ms:
            self.first_price.setdefault(candle.symbol, candle.open)

    def complete(self, pending: Bool) -> bool:
        """Return whether every order can be filled with what was seen."""
        seen = self.quotes if self.at_quote else self.first_price
        return all(self.symbols[s] in seen for s in np.flatnonzero(pending).tolist())

    def row(
        self, book: Book, last_quotes: Mapping[str, Quote], funding: Mapping[str, float]
    ) -> BarBlock:
        """Return the bar as it opens; its high, low, close and volume are not known yet.

        Args:
            book: for the price that funding falls back on.
            last_quotes: the newest quote of each symbol, for the mark price, and where no order waits
                for its spread.
            funding: rates due at this open; NaN where due and not known, absent where none is due.
        """
        S = len(self.symbols)
        nan = np.full((1, S), np.nan)
        quoted, mark, first, rate = np.full((4, 1, S), np.nan), nan.copy(), nan.copy(), nan.copy()
        fillable = np.zeros((1, S), dtype=np.bool_)
        for s, symbol in enumerate(self.symbols):
            first[0, s] = self.first_price.get(symbol, math.nan)
            quoted[:, 0, s] = self._met(symbol)
            fillable[0, s] = math.isfinite(quoted[0, 0, s])
            if book.pending[s] == 0.0 and not fillable[0, s]:
                quoted[:, 0, s] = self._spread_of(last_quotes.get(symbol))
            mark[0, s] = _mark(last_quotes.get(symbol), float(book.mark[s]))
            rate[0, s] = funding.get(symbol, 0.0)
        bars = BarBlock.of_candles(
            np.array([self.open_time], dtype=np.int64), first, high=nan, low=nan, close=nan, volume=nan,
            valid=np.zeros((1, S), dtype=np.bool_), funding_rate=rate, mark=mark,
        )  # fmt: skip
        return replace(
            bars, fillable=fillable, fill_bid=quoted[0], fill_ask=quoted[1],
            bid_size=quoted[2], ask_size=quoted[3],
        )  # fmt: skip

    def _met(self, symbol: str) -> Sides:
        """Return what an order for a symbol meets."""
        if self.at_quote:
            quote = self.quotes.get(symbol)
            return _sides(quote) if quote else _NOTHING
        price = self.first_price.get(symbol, math.nan)
        bid, ask = price * (1.0 - self.half_spread), price * (1.0 + self.half_spread)
        return bid, ask, math.nan, math.nan

    def _spread_of(self, quote: Quote | None) -> Sides:
        """Return the newest quote, if it is of this bar or the one before."""
        since = self.open_time - (self.end_ms - self.open_time)
        if not self.at_quote or quote is None or not quote.usable or quote.received_ms < since:
            return _NOTHING
        return _sides(quote)


def _sides(quote: Quote) -> Sides:
    return quote.bid, quote.ask, quote.bid_size, quote.ask_size


def _mark(quote: Quote | None, last_close: float) -> float:
    if quote is not None and math.isfinite(quote.mark):
        return quote.mark
    return last_close


def closed_row(opened: BarBlock, candles: BarBlock, *, tradable: bool) -> BarBlock:
    """Return the bar as it closed: its candles, and what its open was booked with.

    Args:
        opened: the row that the open was booked with.
        candles: the closed candles of the same bar, and all else that happened inside it.
    """
    return replace(
        candles,
        in_session=opened.in_session, tradable=np.array([tradable]),
        fillable=opened.fillable, fill_bid=opened.fill_bid, fill_ask=opened.fill_ask,
        bid_size=opened.bid_size, ask_size=opened.ask_size,
        funding_rate=opened.funding_rate, mark=opened.mark,
    )  # fmt: skip

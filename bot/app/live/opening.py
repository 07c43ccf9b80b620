"""The open of a bar, live: from quotes and first prices to the row that the engine books.

Rules: an order is filled at the first usable quote received after the decision was committed; what
was used is written into the row (fill_bid, fill_ask, mark, funding_rate), so that a replay uses the
same. A symbol without it in time is not fillable, and its order follows the late policy. Where there
is no order the newest quote is written down, not fillable: what the next trade would cost is judged by it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bot.adapters.exchange import Candle, Quote
from bot.blocks import BarBlock, Bool
from bot.portfolio.book import Book


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
        bid, ask, mark, first, rate = (nan.copy() for _ in range(5))
        fillable = np.zeros((1, S), dtype=np.bool_)
        for s, symbol in enumerate(self.symbols):
            first[0, s] = self.first_price.get(symbol, math.nan)
            bid[0, s], ask[0, s] = self._prices(symbol)
            fillable[0, s] = math.isfinite(bid[0, s])
            if book.pending[s] == 0.0 and not fillable[0, s]:
                bid[0, s], ask[0, s] = self._spread_of(last_quotes.get(symbol))
            mark[0, s] = _mark(last_quotes.get(symbol), float(book.mark[s]))
            rate[0, s] = funding.get(symbol, 0.0)
        return BarBlock(
            open_time=np.array([self.open_time], dtype=np.int64),
            open=first, high=nan, low=nan, close=nan, volume=nan, turnover=nan,
            valid=np.zeros((1, S), dtype=np.bool_),
            in_session=np.ones((1, S), dtype=np.bool_),
            tradable=np.ones(1, dtype=np.bool_),
            fillable=fillable, fill_bid=bid, fill_ask=ask, funding_rate=rate, mark=mark,
            funding_inside=np.zeros((1, S)), funding_inside_unknown=np.zeros((1, S)), refused=nan,
        )  # fmt: skip

    def _prices(self, symbol: str) -> tuple[float, float]:
        if self.at_quote:
            quote = self.quotes.get(symbol)
            return (quote.bid, quote.ask) if quote else (math.nan, math.nan)
        price = self.first_price.get(symbol, math.nan)
        return price * (1.0 - self.half_spread), price * (1.0 + self.half_spread)

    def _spread_of(self, quote: Quote | None) -> tuple[float, float]:
        """Return bid and ask of the newest quote, if it is of this bar or the one before."""
        since = self.open_time - (self.end_ms - self.open_time)
        if not self.at_quote or quote is None or not quote.usable or quote.received_ms < since:
            return math.nan, math.nan
        return quote.bid, quote.ask


def _mark(quote: Quote | None, last_close: float) -> float:
    if quote is not None and math.isfinite(quote.mark):
        return quote.mark
    return last_close


def closed_row(opened: BarBlock, candles: BarBlock, *, tradable: bool) -> BarBlock:
    """Return the bar as it closed: its candles, and what its open was booked with.

    Args:
        opened: the row that the open was booked with.
        candles: the closed candles of the same bar, and the funding that was settled inside it.
    """
    return BarBlock(
        open_time=opened.open_time,
        open=candles.open, high=candles.high, low=candles.low, close=candles.close,
        volume=candles.volume, turnover=candles.turnover, valid=candles.valid,
        in_session=opened.in_session,
        tradable=np.array([tradable]),
        fillable=opened.fillable, fill_bid=opened.fill_bid, fill_ask=opened.fill_ask,
        funding_rate=opened.funding_rate, mark=opened.mark,
        funding_inside=candles.funding_inside,
        funding_inside_unknown=candles.funding_inside_unknown, refused=candles.refused,
    )  # fmt: skip

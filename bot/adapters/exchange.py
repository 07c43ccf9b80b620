"""What the daemon asks of an exchange: a narrow Protocol, and the events of its stream.

Rules: all times are ms UTC by the exchange's clock; `received_ms` is when a frame reached us, by
that clock. NaN means "not known". Symbols are named as in market.symbols. A stream never ends by
itself: it reports a lost connection and goes on. Must not know pybit.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from bot.adapters.files.candles import Candles
from bot.adapters.files.funding import Funding
from bot.portfolio.instruments import Instrument


@dataclass(frozen=True, slots=True)
class Candle:
    """A candle as pushed: still forming, or closed where `confirm` says so."""

    symbol: str
    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    turnover: float
    confirm: bool
    received_ms: int

    @property
    def values(self) -> tuple[float, float, float, float, float, float]:
        """Return open, high, low, close, volume and turnover."""
        return (self.open, self.high, self.low, self.close, self.volume, self.turnover)


@dataclass(frozen=True, slots=True)
class Quote:
    """The top of the book and, for contracts, the mark price and the next funding.

    `funding_rate` is the one that will be charged at `next_funding_ms`; that is None where unknown.
    Sizes are of the best bid and ask, in what a candle's volume is in.
    """

    symbol: str
    bid: float
    ask: float
    mark: float
    funding_rate: float
    next_funding_ms: int | None
    received_ms: int
    bid_size: float = math.nan
    ask_size: float = math.nan

    @property
    def usable(self) -> bool:
        """Return whether an order can be filled at this quote: both sides, not crossed.

        >>> nan = float("nan")
        >>> [Quote("X", b, a, nan, nan, None, 0).usable for b, a in ((9, 10), (10, 9), (nan, 9))]
        [True, False, False]
        """
        return 0.0 < self.bid <= self.ask < math.inf


@dataclass(frozen=True, slots=True)
class Connected:
    """These symbols are subscribed to; what was pushed before is lost and must be asked for."""

    session: int
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disconnected:
    """These symbols are no longer heard, or could not be subscribed to; a new try follows."""

    reason: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A frame that made no sense was left out; `count` is how many there were in this session."""

    count: int
    sample: str


Event = Candle | Quote | Connected | Disconnected | BadFrame


@dataclass(frozen=True, slots=True)
class Klines:
    """An answer about candles.

    Attributes:
        candles: closed, oldest first.
        over_ms: what ended by then is closed, and is absent where it is not here; an exchange that
            does not show that a candle is over says nothing about it.
        forming: those that are still open.
    """

    candles: Candles
    over_ms: int
    forming: Candles


class Delivery(NamedTuple):
    """When a contract was delivered, and the price at which it was settled."""

    time_ms: int
    price: float


class Exchange(Protocol):
    """Public market data.

    Every request raises ExchangeError where the exchange does not answer, and the one about a symbol
    UnlistedError where there is no such symbol, or no longer.
    """

    def now_ms(self) -> int:
        """Return the exchange's time by our clock, corrected by what was last measured."""
        ...

    async def server_time_ms(self) -> int:
        """Ask the exchange's time, and correct `now_ms` by it."""
        ...

    async def klines(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Klines:
        """Return the candles that open in start..end, inclusive, oldest first.

        A candle that cannot be true is left out.
        """
        ...

    async def marks(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Candles:
        """Return closed candles of a contract's mark price, as `klines` does."""
        ...

    async def funding(self, symbol: str, start_ms: int, end_ms: int) -> Funding:
        """Return a contract's funding rates of start..end, inclusive, oldest first."""
        ...

    async def instruments(self, symbols: Sequence[str]) -> dict[str, Instrument]:
        """Return the instruments of these symbols.

        Raises:
            ConfigError: a symbol is not listed, or not traded now.
            DataError: what the exchange says of one of them makes no sense.
        """
        ...

    async def listed(self, symbols: Sequence[str], *, tiers: bool = True) -> dict[str, Instrument]:
        """Return the instruments of those of these symbols that are listed, whatever their status.

        Args:
            tiers: with the margin tiers, which are as many requests again as there are symbols.

        Raises:
            DataError: what the exchange says of one of them makes no sense.
        """
        ...

    async def delivery(self, symbol: str) -> Delivery | None:
        """Return at what a contract was settled when it ended; None where that is not told (yet)."""
        ...

    def stream(self, symbols: Sequence[str], interval: str) -> AsyncGenerator[Event, None]:
        """Yield candles, quotes and what becomes of the connection, until it is closed."""
        ...

"""What can be true of a price or a rate, given what was seen before it.

Bounds. A candle: each of its prices lies within a factor, `market.max_jump`, of the symbol's last
accepted close; the first candle's within that of its own open. A quote: both sides above zero, not
crossed, neither more than the factor from the other nor from that close. A mark price: within the
factor of that close. A funding rate: at most MAX_FUNDING_RATE either way.

Rules: a candle that lies beyond is refused and remembered; whatever comes after it and lies within
the factor of its close confirms it, and the next such candle is accepted. Quotes confirm no quotes:
a feed that is wrong is wrong in all of a bar. A rate is never confirmed, for no exchange charges so
much. All that is carried stands in `Prices`; nothing here knows a clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot.blocks import F64, BarBlock, Bool
from bot.timegrid import last_closes

MAX_FUNDING_RATE = 0.1
"""Of one settlement. Bybit caps its rates at a few per cent, and so does every large exchange."""

_CANDLE = ("open", "high", "low", "close", "volume", "turnover")


@dataclass(frozen=True, slots=True)
class Prices:
    """What candles are held against, float64[S] each.

    Attributes:
        last: the last accepted close, NaN before the first.
        refused: the close of the candle that was refused last since then, NaN without one.
    """

    last: F64
    refused: F64

    @classmethod
    def unknown(cls, n_symbols: int) -> Prices:
        """Return the state before the first candle."""
        return cls(np.full(n_symbols, np.nan), np.full(n_symbols, np.nan))

    def of(self, symbol: int) -> list[float]:
        """Return the prices of which a symbol's next may be either: the last, and the refused."""
        refused = float(self.refused[symbol])
        return [float(self.last[symbol]), *([] if math.isnan(refused) else [refused])]


@dataclass(frozen=True, slots=True)
class Implausible:
    """Something that was refused: of which symbol and time, what it said, and after which price."""

    symbol: int
    time_ms: int
    what: str
    value: float
    last: float


def jumps(bars: Sequence[F64], before: F64, max_jump: float) -> Bool:
    """Tell which candles are too far from the price before them.

    Args:
        bars: open, high, low and close, of one shape.
        before: the price before each candle; NaN holds it against its own open.
        max_jump: the factor, above 1.
    """
    reference = np.where(np.isfinite(before), before, bars[0])
    beyond: Bool = np.zeros(reference.shape, dtype=np.bool_)
    with np.errstate(over="ignore"):
        for price in bars:
            beyond |= (price > reference * max_jump) | (price < reference / max_jump)
    return beyond


def screen_bars(
    bars: BarBlock, prices: Prices, max_jump: float
) -> tuple[BarBlock, Prices, list[Implausible]]:
    """Take the candles that cannot be true out of a block.

    One that is refused makes its symbol not valid in that bar and leaves its close in `refused`, and
    mark prices that go with it are not known. All else of the bar stays, its funding and its quotes
    among it.

    Returns:
        the bars, what the next ones are held against, and what was refused, in order.
    """
    doubtful = _may_be_refused(bars, prices, max_jump)
    if not doubtful.any():
        return bars, replace(prices, last=last_closes(bars, prices.last)[-1]), []
    last, suspect = prices.last.copy(), prices.refused.copy()
    valid, refused = bars.valid.copy(), bars.refused.copy()
    found: list[Implausible] = []
    for s in np.flatnonzero(doubtful).tolist():
        for i in range(len(bars)):
            if not valid[i, s]:
                continue
            candle = [getattr(bars, name)[i : i + 1, s] for name in _CANDLE[:4]]
            close = float(candle[3][0])
            if _follows(candle, last[s], max_jump) or (
                np.isfinite(suspect[s]) and _follows(candle, suspect[s], max_jump)
            ):
                last[s], suspect[s] = close, np.nan
            else:
                at = int(bars.open_time[i])
                found.append(Implausible(s, at, "candle", close, float(last[s])))
                valid[i, s], refused[i, s], suspect[s] = False, close, close
    known = last_closes(replace(bars, valid=valid), prices.last)[-1]
    last = np.where(doubtful, last, known)
    gone = bars.valid & ~valid
    columns = {name: np.where(gone, np.nan, getattr(bars, name)) for name in _CANDLE}
    before = last_closes(replace(bars, close=columns["close"], valid=valid), prices.last)[:-1]
    columns["realised_variance"] = np.where(gone, np.nan, bars.realised_variance)
    for name in ("mark", "mark_high", "mark_low"):
        price = getattr(bars, name)
        columns[name] = np.where(gone & jumps([price], before, max_jump), np.nan, price)
    screened = replace(bars, **columns, valid=valid, refused=refused)
    found.sort(key=lambda one: (one.time_ms, one.symbol))
    return screened, Prices(last, suspect), found


def _may_be_refused(bars: BarBlock, prices: Prices, max_jump: float) -> Bool:
    """Return bool[S]: symbols of which something may lie beyond, to be looked at bar by bar."""
    before = last_closes(bars, prices.last)[:-1]
    candles = bars.open, bars.high, bars.low, bars.close
    beyond = bars.valid & jumps(candles, before, max_jump)
    doubtful: Bool = beyond.any(axis=0) | np.isfinite(prices.refused)
    return doubtful


def _follows(candle: Sequence[F64], before: float, max_jump: float) -> bool:
    return not jumps(candle, np.array([before]), max_jump)[0]


def plausible(price: float, last: float, max_jump: float) -> bool:
    """Tell whether a price can follow another; what is not known contradicts nothing.

    >>> [plausible(p, 100.0, 20.0) for p in (1999.0, 2001.0, 5.1, 4.9, float("nan"), 0.0)]
    [True, False, True, False, True, False]
    """
    if math.isnan(price):
        return True
    if not 0.0 < price < math.inf:
        return False
    return math.isnan(last) or last / max_jump <= price <= last * max_jump


def plausible_quote(bid: float, ask: float, last: Sequence[float], max_jump: float) -> bool:
    """Tell whether both sides of a quote can follow one of some prices.

    >>> [plausible_quote(b, a, [100.0], 20.0) for b, a in ((99, 101), (101, 99), (99, 1e9), (0, 9))]
    [True, False, False, False]
    """
    if not (0.0 < bid <= ask < math.inf and ask <= bid * max_jump):
        return False
    return any(plausible(bid, p, max_jump) and plausible(ask, p, max_jump) for p in last)


def plausible_rate(rate: float) -> bool:
    """Tell whether a funding rate can be charged; what is not known contradicts nothing."""
    return math.isnan(rate) or abs(rate) <= MAX_FUNDING_RATE

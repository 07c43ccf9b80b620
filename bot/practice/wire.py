"""How Bybit writes things: numbers as text, candles, tickers, books.

Rules: field names and texts are Bybit's, the same for REST and stream. Of an inverse contract volume is
in the quote currency and turnover in coin (https://bybit-exchange.github.io/docs/v5/market/kline), as its
source has them; a turnover that the source lacks is worked out from the volume.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from bot.blocks import BarBlock
from bot.practice.market import Moment, PracticeMarket
from bot.practice.synthetic import FUNDING_MS
from bot.timegrid import DAY_MS, MINUTE_MS

CATEGORIES = ("linear", "inverse", "spot")

PERIODS = ("1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D", "W", "M")
"""Bybit's names of intervals: minutes, a day, a week, a month."""

Fields = dict[str, str]

_BOOK_FIELDS = ("bid1Price", "bid1Size", "ask1Price", "ask1Size")


def period_of(interval_ms: int) -> str:
    """Return Bybit's name of an interval.

    >>> period_of(3_600_000), period_of(86_400_000)
    ('60', 'D')
    """
    return "D" if interval_ms == DAY_MS else str(interval_ms // MINUTE_MS)


def plain(number: float) -> str:
    """Return the shortest text that reads back as the same number, without an exponent.

    >>> plain(17071.0), plain(0.00001), plain(17055.5)
    ('17071', '0.00001', '17055.5')
    """
    text = repr(float(number))
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


@dataclass(frozen=True, slots=True)
class WireCandle:
    """One candle as it is written; `start` in ms, the others text."""

    start: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    turnover: str

    def row(self) -> list[str]:
        """Return the seven texts of a REST row."""
        prices = [self.open, self.high, self.low, self.close]
        return [str(self.start), *prices, self.volume, self.turnover]


def closed_candle(
    bars: BarBlock, i: int, s: int, category: str, *, mark: bool = False
) -> WireCandle | None:
    """Return bar i of a block as it closed, None where the symbol misses it.

    With `mark` it is a candle of the mark price; what the source does not know of it is as traded.
    """
    if not bars.valid[i, s]:
        return None
    volume, close = float(bars.volume[i, s]), float(bars.close[i, s])
    turnover = _turnover(category, volume, float(bars.turnover[i, s]), close)
    opened, high, low = (
        _known(getattr(bars, of_mark)[i, s] if mark else math.nan, getattr(bars, traded)[i, s])
        for of_mark, traded in (("mark", "open"), ("mark_high", "high"), ("mark_low", "low"))
    )
    high, low = max(high, opened), min(low, opened)
    close = min(max(close, low), high)
    first, top, bottom, newest = map(plain, (opened, high, low, close))
    return WireCandle(
        int(bars.open_time[i]),
        first,
        top,
        low=bottom,
        close=newest,
        volume=plain(volume),
        turnover=turnover,
    )


def forming_candle(
    moment: Moment, s: int, category: str, *, mark: bool = False
) -> WireCandle | None:
    """Return the candle that is not closed yet, of the mark price with `mark`; None as above."""
    if not moment.live[s]:
        return None
    volume, last = float(moment.volume[s]), float(moment.last[s])
    turnover = _turnover(category, volume, float(moment.turnover[s]), last)
    opened = moment.mark[s] if mark and not math.isnan(moment.mark[s]) else moment.open[s]
    high, low = max(moment.high[s], opened), min(moment.low[s], opened)
    first, top, bottom, newest = map(plain, (opened, high, low, last))
    return WireCandle(
        moment.open_time,
        first,
        top,
        low=bottom,
        close=newest,
        volume=plain(volume),
        turnover=turnover,
    )


def ticker(market: PracticeMarket, moment: Moment, s: int, category: str) -> Fields | None:
    """Return a symbol's ticker as REST has it; None where it has not traded of late."""
    last = float(moment.last[s])
    if math.isnan(last):
        return None
    day = moment.day
    live = bool(moment.live[s])
    volume = _day_volume(moment, s)
    turnover = float(day.turnover[s]) + (float(moment.turnover[s]) if live else 0.0)
    previous = _known(day.prev_price[s], last)
    high = max(_known(day.high[s], last), _known(moment.high[s], last))
    low = min(_known(day.low[s], last), _known(moment.low[s], last))
    common = {
        "symbol": market.symbols[s],
        "lastPrice": plain(last),
        "prevPrice24h": plain(previous),
        "price24hPcnt": plain(round(last / previous - 1.0, 6)),
        "highPrice24h": plain(high),
        "lowPrice24h": plain(low),
        "volume24h": plain(round(volume, 6)),
        "turnover24h": plain(round(turnover, 4)),
        **_top_of_book(market, moment, s),
    }
    if category == "spot":
        return {**common, "usdIndexPrice": plain(last)}
    return {
        **common,
        "indexPrice": plain(last),
        "markPrice": plain(last),
        "prevPrice1h": plain(_known(day.prev_hour[s], last)),
        "openInterest": plain(round(volume, 3)),
        "openInterestValue": plain(round(turnover, 2)),
        "fundingRate": plain(day.funding_rate[s]),
        "nextFundingTime": str((moment.time_ms // FUNDING_MS + 1) * FUNDING_MS),
        "predictedDeliveryPrice": "",
        "basisRate": "",
        "deliveryFeeRate": "",
        "deliveryTime": "0",
    }


def stream_ticker(market: PracticeMarket, moment: Moment, s: int, category: str) -> Fields | None:
    """Return a ticker as the stream has it: that of spot carries no bid and no ask."""
    full = ticker(market, moment, s, category)
    if full is None or category != "spot":
        return full
    return {name: text for name, text in full.items() if name not in _BOOK_FIELDS}


def book_size(market: PracticeMarket, moment: Moment, s: int) -> str:
    """Return how much the best bid and the best ask have: a thousandth of the day's volume."""
    digits = 0 if market.inverse else 3  # contracts are whole
    return plain(max(round(_day_volume(moment, s) / 1000.0, digits), 10.0**-digits))


def _day_volume(moment: Moment, s: int) -> float:
    forming = float(moment.volume[s]) if moment.live[s] else 0.0
    return float(moment.day.volume[s]) + forming


def _top_of_book(market: PracticeMarket, moment: Moment, s: int) -> Fields:
    size = book_size(market, moment, s)
    return {
        "bid1Price": plain(moment.bid[s]),
        "bid1Size": size,
        "ask1Price": plain(moment.ask[s]),
        "ask1Size": size,
    }


def _turnover(category: str, volume: float, turnover: float, price: float) -> str:
    worked_out = round(volume / price if category == "inverse" else volume * price, 8)
    return plain(worked_out if math.isnan(turnover) else turnover)


def _known(number: float, otherwise: float) -> float:
    return otherwise if math.isnan(number) else float(number)

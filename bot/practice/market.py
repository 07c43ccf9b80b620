"""What the practice exchange serves at a moment: closed candles, the forming one, and quotes.

Rules: everything is a pure function of the source and the exchange's time. A forming candle walks
from its open over one extreme and the other to its close (low first where the bar rises), and its
highs and lows never contradict those it ends with. Must not know of HTTP, categories, or faults of the
exchange itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bot.blocks import F64, I64, BarBlock, Bool
from bot.practice.events import befallen, delisting_ms, launch_ms
from bot.practice.faults import Faults, FaultSwitch
from bot.practice.path import pieces_of, walk
from bot.timegrid import DAY_MS, HOUR_MS


class MarketSource(Protocol):
    """Candles by number: the synthetic market or a recording; of inverse contracts all or none."""

    interval_ms: int
    start_ms: int
    symbols: tuple[str, ...]
    inverse: bool

    @property
    def n_bars(self) -> int | None:
        """Return how many bars there are; None: without end."""
        ...

    def block(self, first_bar: int, n: int, symbol: int | None = None) -> BarBlock:
        """Return n bars from `first_bar` on, of all symbols or of the one at an index."""
        ...


@dataclass(frozen=True, slots=True)
class Day:
    """Float64[S] over the 24 hours before a bar, NaN where a symbol had no candle in them.

    `funding_rate` is the newest that has settled: the next one is nobody's to know.
    """

    prev_price: F64
    prev_hour: F64
    high: F64
    low: F64
    volume: F64
    turnover: F64
    last: F64
    funding_rate: F64


@dataclass(frozen=True, slots=True)
class Moment:
    """All symbols at a time, float64[S]; NaN prices where a symbol has not traded of late.

    `bar` is the number of the bar that is forming, `live` whether a symbol has it; `last` is the
    last price, `bid` and `ask` the top of the book, `mark` the mark price at the bar's open where the
    source knows it, and the others are the forming candle's so far.
    """

    time_ms: int
    bar: int
    open_time: int
    live: Bool
    open: F64
    high: F64
    low: F64
    last: F64
    volume: F64
    turnover: F64
    bid: F64
    ask: F64
    mark: F64
    day: Day


class PracticeMarket:
    """A source seen through the exchange's time.

    Args:
        source: the candles.
        half_spread_bps: of the quotes around the last price.
        ticks_per_bar: how often a forming candle and the quotes are pushed.

    Attributes:
        switch: of what befalls single symbols; whoever serves the market puts its own here.
    """

    def __init__(
        self, source: MarketSource, *, half_spread_bps: float = 1.0, ticks_per_bar: int = 6
    ) -> None:
        self.source = source
        self.symbols, self.inverse = source.symbols, source.inverse
        self.index = {name: s for s, name in enumerate(source.symbols)}
        self.interval_ms = source.interval_ms
        self.half_spread = half_spread_bps * 1e-4
        self.ticks_per_bar = ticks_per_bar
        n = 1000 if source.n_bars is None else source.n_bars
        first = source.block(0, n)
        self.decimals = _decimals(first)
        self.tick = 10.0 ** -self.decimals.astype(np.float64)
        self.first_price = _first_known(first.close)
        self.launch_bar = np.where(first.valid.any(axis=0), first.valid.argmax(axis=0), 0)
        self.switch = FaultSwitch(Faults())
        self._forming: tuple[int, Faults, BarBlock, Day] | None = None
        self._moment: tuple[Moment, Faults] | None = None

    @property
    def end_ms(self) -> int | None:
        """Return when the last bar closes; None: never."""
        n = self.source.n_bars
        return None if n is None else self.source.start_ms + n * self.interval_ms

    def bar_at(self, time_ms: int) -> int:
        """Return the number of the bar that is forming then; the last one after the end."""
        bar = (time_ms - self.source.start_ms) // self.interval_ms
        n = self.source.n_bars
        return bar if n is None else min(bar, n - 1)

    def open_time(self, bar: int) -> int:
        """Return the open time of a bar in ms."""
        return self.source.start_ms + bar * self.interval_ms

    def at(self, time_ms: int) -> Moment:
        """Return the moment; times before the first bar are taken as its open."""
        known, faults = self._moment, self.switch.faults
        if known is None or known[0].time_ms != time_ms or known[1] is not faults:
            known = self._moment = self._look(time_ms), faults
        return known[0]

    def block(self, first_bar: int, n: int, symbol: int | None = None) -> BarBlock:
        """Return n bars from `first_bar` on as they are traded here, of all symbols or of one."""
        bars = self.source.block(first_bar, n, symbol)
        width = len(self.symbols)
        places = tuple(range(width)) if symbol is None else (symbol,)
        return befallen(bars, places, width, self.switch.faults, self.tick[list(places)])

    def launch_ms(self, symbol: int) -> int:
        """Return when a symbol is launched."""
        first = self.open_time(int(self.launch_bar[symbol]))
        return max(first, launch_ms(symbol, len(self.symbols), self.switch.faults))

    def delisting_ms(self, symbol: int) -> int:
        """Return when a symbol is delisted, as far as that is announced; 0 where it is not."""
        return delisting_ms(symbol, len(self.symbols), self.switch.faults)

    def delivery_price(self, symbol: int) -> float:
        """Return what a symbol that was delisted is settled at: the middle of its last bar's path.

        It stands for the index, averaged over the last half hour; NaN where that bar has no candle.
        """
        last = self.block(self.bar_at(self.delisting_ms(symbol) - 1), 1, symbol)
        middle = (last.open[0, 0] + last.high[0, 0] + last.low[0, 0] + last.close[0, 0]) / 4.0
        return round(float(middle), 10)

    def closed(self, first_bar: int, last_bar: int, symbol: int, time_ms: int) -> BarBlock | None:
        """Return a symbol's bars between two numbers, inclusive, that have closed by then."""
        now = self.bar_at(time_ms)
        done = now if time_ms < self.open_time(now + 1) else now + 1
        first, end = max(first_bar, 0), min(last_bar + 1, done)
        return self.block(first, end - first, symbol) if first < end else None

    def pieces(self, bar: int, symbol: int, step_ms: int, time_ms: int) -> BarBlock:
        """Return a symbol's candles of `step_ms` inside a bar that have begun by a time, S = 1."""
        return pieces_of(
            self.block(bar, 1, symbol), self.interval_ms, step_ms, time_ms,
            decimals=int(self.decimals[symbol]), volume_decimals=0 if self.inverse else 8,
        )  # fmt: skip

    def _look(self, time_ms: int) -> Moment:
        bar = max(self.bar_at(time_ms), 0)
        block, day = self._bar(bar)
        opened, high, low, close = (a[0] for a in (block.open, block.high, block.low, block.close))
        passed = min(max((time_ms - self.open_time(bar)) / self.interval_ms, 0.0), 1.0)
        live = block.valid[0]
        price, top, bottom = walk(opened, high, low, close, passed)
        price = np.where(passed < 1.0, self._rounded(price), close)
        last = np.where(live, price, day.last)
        volume = np.round(block.volume[0] * passed, 0 if self.inverse else 8)
        typical = (opened + high + low + close) / 4.0
        turnover = self._turnover(block.turnover[0], block.volume[0], typical)
        bid = np.floor(last * (1.0 - self.half_spread) / self.tick) * self.tick
        ask = np.ceil(last * (1.0 + self.half_spread) / self.tick) * self.tick
        return Moment(
            time_ms=time_ms,
            bar=bar,
            open_time=self.open_time(bar),
            live=live,
            open=opened,
            high=np.fmax(top, price),
            low=np.fmin(bottom, price),
            last=last,
            volume=volume,
            turnover=np.round(turnover * passed, 8),
            bid=self._rounded(np.maximum(bid, self.tick)),
            ask=self._rounded(ask),
            mark=block.mark[0],
            day=day,
        )

    def _bar(self, bar: int) -> tuple[BarBlock, Day]:
        """Return the forming bar and the day before it; the newest is kept."""
        known, faults = self._forming, self.switch.faults
        if known is None or known[0] != bar or known[1] is not faults:
            block = self.block(bar, 1)
            known = self._forming = (bar, faults, block, self._day(bar, block))
        return known[2], known[3]

    def _day(self, bar: int, block: BarBlock) -> Day:
        length = max(DAY_MS // self.interval_ms, 1)
        first = max(bar - length, 0)
        past = self.block(first, bar - first) if bar > first else block.rows(0, 0)
        nan = np.full(block.n_symbols, np.nan)
        hour = past.rows(max(len(past) - max(HOUR_MS // self.interval_ms, 1), 0), len(past))
        empty = len(past) == 0
        return Day(
            prev_price=nan if empty else _first_known(past.open),
            prev_hour=nan if empty else _first_known(hour.open),
            high=nan if empty else np.fmax.reduce(past.high, axis=0),
            low=nan if empty else np.fmin.reduce(past.low, axis=0),
            volume=np.nansum(past.volume, axis=0),
            turnover=np.nansum(self._turnover(past.turnover, past.volume, past.close), axis=0),
            last=nan if empty else _first_known(past.close[::-1]),
            funding_rate=self._last_funding(past, block),
        )

    @staticmethod
    def _last_funding(past: BarBlock, block: BarBlock) -> F64:
        """Return float64[S], the newest rate that has settled; 0 where none is known."""
        rates = np.nan_to_num(np.concatenate([past.funding_rate, block.funding_rate]))[::-1]
        newest: F64 = rates[(rates != 0.0).argmax(axis=0), np.arange(rates.shape[1])]
        return newest

    def _turnover(self, known: F64, volume: F64, price: F64) -> F64:
        """Return turnovers, in quote currency or of inverse contracts in coin, where not known by the price."""
        modelled = volume / price if self.inverse else volume * price
        return np.where(np.isnan(known), modelled, known)

    def _rounded(self, price: F64) -> F64:
        scale = 10.0 ** self.decimals.astype(np.float64)
        rounded: F64 = np.rint(price * scale) / scale
        return rounded


def _first_known(values: F64) -> F64:
    """Return float64[S], each column's first number that is not NaN; NaN where there is none."""
    known = ~np.isnan(values)
    first: F64 = values[known.argmax(axis=0), np.arange(values.shape[1])]
    return first


def _decimals(bars: BarBlock) -> I64:
    """Return int64[S], the decimals that write every price of a symbol exactly, at most 10."""
    prices = np.concatenate([bars.open, bars.high, bars.low, bars.close])
    decimals = np.zeros(prices.shape[1], dtype=np.int64)
    for s in range(prices.shape[1]):
        known = prices[~np.isnan(prices[:, s]), s][:10_000]
        while decimals[s] < 10 and np.any(np.round(known, decimals[s]) != known):
            decimals[s] += 1
    return decimals

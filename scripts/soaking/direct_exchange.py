"""The practice exchange as the daemon's `Exchange`, without sockets: for a clock that jumps.

Rules: market, publisher, connections and faults are the practice exchange's own, frames are read by
the adapter's reader; only what carries them is left out, and with it the retries of requests. A
client that is cut off or hears nothing connects again, as the adapter does.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from aiohttp import web

from bot.adapters.bybit.frames import FrameReader, Reading
from bot.adapters.bybit.instruments import instrument_of, tiers_of_rows
from bot.adapters.exchange import BadFrame, Connected, Delivery, Disconnected, Event, Klines
from bot.adapters.files.candles import COLUMNS, Candles
from bot.adapters.files.funding import Funding
from bot.blocks import F64, I64, BarBlock
from bot.errors import ConfigError, DataError, ExchangeError, UnlistedError, UnreachableError
from bot.portfolio.instruments import Instrument, untraded
from bot.practice.clock import Clock
from bot.practice.connection import Connection, Topic
from bot.practice.faults import Faults, FaultSwitch
from bot.practice.instruments import delivery_of, instrument, risk_limits
from bot.practice.market import PracticeMarket
from bot.practice.publisher import Publisher
from bot.practice.settlements import settlements
from bot.practice.wire import period_of
from bot.timegrid import INTERVAL_MS

CONNECT_MS = 100
ANSWER_MS = 20
RECONNECT_MS = 2_000
LONGEST_RECONNECT_MS = 60_000
STALE_MS = 120_000
_REST_FAULTS = ("unavailable", "forbidden", "rate_limited")


class DirectExchange:
    """Serve one daemon; everything that waits, waits on the clock.

    Attributes:
        requests: answered or refused so far.
        down: it refuses every request and every connection.
        delisted: symbols that it does not know any more.
        odd: symbols of which its answers to requests cannot be used.
    """

    def __init__(
        self,
        market: PracticeMarket,
        clock: Clock,
        faults: Faults | None = None,
        category: str = "linear",
    ) -> None:
        self.market, self.clock = market, clock
        self.switch = market.switch = FaultSwitch(faults or Faults())
        self.requests = 0
        self.down = False
        self.delisted: set[str] = set()
        self.odd: set[str] = set()
        self._category = category
        self._publisher = Publisher(market, clock, self.switch)
        self._sessions = 0

    @property
    def refused(self) -> int:
        """Return how many times were not believed: none, they are not checked here."""
        return 0

    @property
    def doubted(self) -> bool:
        """Return whether its time is in doubt."""
        return False

    def now_ms(self) -> int:
        """Return the exchange's time, as it tells it."""
        return self.clock.now_ms() + self.switch.faults.clock_skew_ms

    async def sleep_until(self, time_ms: int) -> None:
        """Return once the exchange tells a time of `time_ms`; the daemon's clock is its own."""
        await self.clock.sleep_until(time_ms - self.switch.faults.clock_skew_ms)

    async def server_time_ms(self) -> int:
        """Return the exchange's time."""
        await self._asked()
        return self.now_ms()

    async def klines(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Klines:
        """Return the closed candles that open in start..end; its own time is never in doubt."""
        await self._asked(symbol)
        step = INTERVAL_MS[interval]
        if step < self.market.interval_ms:
            return self._pieces(symbol, step, (start_ms, end_ms))
        bars = self._closed(symbol, interval, start_ms, end_ms)
        candles = Candles.empty()
        if bars is not None:
            candles = _candles(bars, [getattr(bars, name)[:, 0] for name in COLUMNS])
        return Klines(candles, self.clock.now_ms(), Candles.empty())

    def _pieces(self, symbol: str, step: int, span_ms: tuple[int, int]) -> Klines:
        """Return candles shorter than the bars that are over."""
        market, now_ms = self.market, self.clock.now_ms()
        first, last = market.bar_at(span_ms[0]), market.bar_at(min(span_ms[1], now_ms))
        place = market.index[symbol]
        blocks = [market.pieces(bar, place, step, now_ms) for bar in range(max(first, 0), last + 1)]
        if not blocks:
            return Klines(Candles.empty(), now_ms, Candles.empty())
        bars = BarBlock.concat(blocks)
        candles = _candles(bars, [getattr(bars, name)[:, 0] for name in COLUMNS])
        times = candles.time
        kept = (times >= span_ms[0]) & (times <= span_ms[1]) & (times + step <= now_ms)
        return Klines(candles.only(kept), now_ms, Candles.empty())

    async def marks(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Candles:
        """Return closed candles of the mark price: as traded, but for its open."""
        await self._asked(symbol)
        step = INTERVAL_MS[interval]
        last = self.clock.now_ms() // step * step - step
        longer = self.market.interval_ms - step  # a longer bar's mark stands for all of it
        bars = self._bars(symbol, start_ms - longer, min(end_ms, last))
        if bars is None:
            return Candles.empty()
        mark = np.where(np.isnan(bars.mark), bars.open, bars.mark)[:, 0]
        extremes = np.fmax(bars.high[:, 0], mark), np.fmin(bars.low[:, 0], mark)
        if longer > 0:
            times = np.arange(-(-start_ms // step) * step, min(end_ms, last) + 1, step)
            return _finer(bars, mark, extremes, times)
        untraded = np.zeros(len(bars)), np.full(len(bars), math.nan)
        return _candles(bars, [mark, *extremes, mark, *untraded])

    async def funding(self, symbol: str, start_ms: int, end_ms: int) -> Funding:
        """Return the rates of start..end that have been charged."""
        await self._asked(symbol)
        step, end_ms = self.market.interval_ms, min(end_ms, self.clock.now_ms())
        bars = self._bars(symbol, start_ms - step + 1, end_ms)
        if bars is None:
            return Funding(np.empty(0, np.int64), np.empty(0))
        times, rates = settlements(bars, step)
        asked = (times >= start_ms) & (times <= end_ms)
        return Funding(times[asked], rates[asked])

    async def instruments(self, symbols: Sequence[str]) -> dict[str, Instrument]:
        """Return the instruments of these symbols."""
        found = await self.listed(symbols)
        if len(found) < len(symbols):
            raise ConfigError(f"market.symbols: not listed: {', '.join(sorted(self.delisted))}")
        if faults := untraded(found):
            raise ConfigError("\n".join(faults))
        return found

    async def listed(self, symbols: Sequence[str], *, tiers: bool = True) -> dict[str, Instrument]:
        """Return the instruments of those of these symbols that are listed."""
        await self._asked()
        index, category = self.market.index, self._category
        there = [s for s in symbols if s not in self.delisted]
        now_ms = self.clock.now_ms()
        found = {
            s: instrument_of(instrument(self.market, index[s], category, now_ms)) for s in there
        }
        if category == "spot" or not tiers:
            return found
        return {
            s: replace(known, tiers=tiers_of_rows(s, risk_limits(self.market, index[s], category)))
            for s, known in found.items()
        }

    async def delivery(self, symbol: str) -> Delivery | None:
        """Return at what a contract was settled; None where that is not told."""
        await self._asked()
        told = delivery_of(self.market, self.market.index[symbol], self.clock.now_ms())
        if told is None or symbol in self.odd:
            return None
        return Delivery(int(told["deliveryTime"]), float(told["deliveryPrice"]))

    async def stream(self, symbols: Sequence[str], interval: str) -> AsyncGenerator[Event, None]:
        """Yield events; when the connection is cut, say so and connect again."""
        assert INTERVAL_MS[interval] == self.market.interval_ms
        wait_ms = RECONNECT_MS
        while True:
            await self.clock.pause(CONNECT_MS)
            if not self.down:
                async with Line(self, symbols) as line:
                    async for event in line.events():
                        yield event
                wait_ms = RECONNECT_MS
            yield Disconnected("the connection was cut", tuple(symbols))
            await self.clock.pause(wait_ms)
            wait_ms = min(2 * wait_ms, LONGEST_RECONNECT_MS)

    def new_connection(self, symbols: Sequence[str], frames: list[str]) -> Connection:
        """Return a connection subscribed to these symbols; its frames go into the list."""
        self._sessions += 1
        socket = cast(web.WebSocketResponse, _Socket(frames))
        connection = Connection(self._sessions, self._category, socket, self.switch)
        quotes = "orderbook.1" if self._category == "spot" else "tickers"
        moment = self.market.at(self.clock.now_ms())
        for symbol in sorted(set(symbols) - self.delisted, key=symbols.index):
            s = self.market.index[symbol]
            for kind in (f"kline.{period_of(self.market.interval_ms)}", quotes):
                topic = Topic(f"{kind}.{symbol}", kind.partition(".")[0], s)
                connection.topics[topic.text] = topic
                self._publisher.update(connection, topic, moment)
        return connection

    def push(self, connection: Connection, tick_ms: int) -> bool:
        """Tell a connection all of a tick; return False where it is cut instead."""
        if self.down or self.switch.strikes_now("drop", connection.number, tick_ms):
            return False
        for text, topic in list(connection.topics.items()):
            if self.market.symbols[topic.symbol] in self.delisted:
                del connection.topics[text]
        self._publisher.push([connection], tick_ms)
        return True

    async def _asked(self, symbol: str | None = None) -> None:
        self.requests += 1
        number, switch = self.requests, self.switch
        await self.clock.pause(ANSWER_MS)
        if switch.strikes_now("slow", number):
            await self.clock.pause(switch.faults.slow_ms)
        if self.down:
            raise UnreachableError("the exchange is out of reach: it is down")
        for name in _REST_FAULTS:
            if switch.strikes_now(name, number):
                raise UnreachableError(f"the exchange refuses: {name}")
        if symbol in self.odd:
            raise ExchangeError(f"{symbol}: an answer that cannot be used")
        if symbol in self.delisted:
            raise UnlistedError(f"{symbol}: not supported")

    def _closed(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> BarBlock | None:
        step = INTERVAL_MS[interval]
        last = self.clock.now_ms() // step * step - step
        return self._bars(symbol, start_ms, min(end_ms, last))

    def _bars(self, symbol: str, start_ms: int, end_ms: int) -> BarBlock | None:
        source, step = self.market.source, self.market.interval_ms
        first = max(-((source.start_ms - start_ms) // step), 0)
        last = (end_ms - source.start_ms) // step
        if last < first:
            return None
        return self.market.block(first, last - first + 1, self.market.index[symbol])


class _Socket:
    """Take frames at once."""

    def __init__(self, frames: list[str]) -> None:
        self._frames = frames

    async def send_str(self, text: str) -> None:
        self._frames.append(text)


class Line:
    """One connection: its ticks, as the practice exchange's stream has them, and its reader."""

    def __init__(self, exchange: DirectExchange, symbols: Sequence[str]) -> None:
        self._exchange, self._symbols = exchange, tuple(symbols)
        self._frames: list[str] = []
        market = exchange.market
        code = period_of(market.interval_ms)
        self._reader = FrameReader({s: s for s in symbols}, code, market.interval_ms)
        self._bad = 0

    async def __aenter__(self) -> Line:
        self.connection = self._exchange.new_connection(self._symbols, self._frames)
        self._writing = asyncio.create_task(self.connection.write())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._writing.cancel()
        await asyncio.wait([self._writing])

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield what comes, until the connection is cut or silent for too long."""
        exchange = self._exchange
        yield Connected(self.connection.number, self._symbols)
        heard_ms = exchange.clock.now_ms()
        while exchange.clock.now_ms() - heard_ms <= STALE_MS + self._step:
            await self.written()
            for event in self.read():
                heard_ms = exchange.clock.now_ms()
                yield event
            tick_ms = self._next_tick()
            await exchange.clock.sleep_until(tick_ms)
            if not exchange.push(self.connection, tick_ms):
                return

    async def written(self) -> None:
        """Return when all that was pushed has come."""
        for _ in range(3):  # the writer takes its turns
            await asyncio.sleep(0)

    @property
    def _step(self) -> int:
        market = self._exchange.market
        return market.interval_ms // market.ticks_per_bar

    def _next_tick(self) -> int:
        market, now = self._exchange.market, self._exchange.clock.now_ms()
        into = (now - market.source.start_ms) % market.interval_ms
        next_into = (into // self._step + 1) * self._step
        if next_into > self._step * (market.ticks_per_bar - 1):
            next_into = market.interval_ms
        return now - into + next_into

    def read(self) -> list[Event]:
        """Return what has come since the last look."""
        events: list[Event] = []
        for text in self._frames:
            try:
                reading = self._reader.read(text, self._exchange.now_ms())
            except DataError as error:
                self._bad += 1
                events.append(BadFrame(self._bad, str(error)))
                continue
            assert isinstance(reading, Reading)
            events.extend(reading.events)
        self._frames.clear()
        return events


def _candles(bars: BarBlock, columns: Sequence[Any]) -> Candles:
    there = bars.valid[:, 0]
    return Candles(bars.open_time[there], np.column_stack(columns)[there])


def _finer(bars: BarBlock, mark: F64, extremes: tuple[F64, F64], times: I64) -> Candles:
    """Return candles at the times: a bar's first has its extremes, all have its mark."""
    of = np.searchsorted(bars.open_time, times, side="right") - 1
    times, of = times[of >= 0], of[of >= 0]
    first = times == bars.open_time[of]
    high, low = (np.where(first, extreme[of], mark[of]) for extreme in extremes)
    untraded = np.zeros(len(of)), np.full(len(of), math.nan)
    prices = np.column_stack([mark[of], high, low, mark[of], *untraded])
    return Candles(times[bars.valid[of, 0]], prices[bars.valid[of, 0]])

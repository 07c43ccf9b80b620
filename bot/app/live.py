"""The live loop: events in, one open and one close a bar, each committed before anything else.

The order of a bar: its open is booked at the first quotes after the decision's commit; its close
when every candle is confirmed or the deadline has passed; then a training may be due. Rules: a bar
is closed once, in order; bars that were missed are stepped as seen too late; nothing is traded on a
guess; the loop stops between transactions. Must not compute what the engine computes.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine
from typing import Any, Protocol

import numpy as np

from bot.adapters.candles import Candles
from bot.adapters.exchange import Candle, Event, Exchange, Quote
from bot.app.backfill import fetch_bars, late
from bot.app.bar_assembly import BarAssembler, ClosedBar, Due
from bot.app.funding_watch import FundingWatch
from bot.app.live_opening import Opening, closed_row
from bot.app.live_report import LiveReport
from bot.app.live_setup import LiveParts
from bot.blocks import BarBlock
from bot.engine import NEVER
from bot.errors import DataError, ExchangeError
from bot.timegrid import HOUR_MS, floor_to_interval
from bot.venues import is_contract

CHUNK_BARS = 1000
FUNDING_STEP_MS = 8 * HOUR_MS
LONGEST_RETRY_S = 60.0
MOST_WAITING = 100_000
"""Events that may wait for the loop before the stream waits too."""


class Clock(Protocol):
    """The exchange's time, and waiting for it."""

    def now_ms(self) -> int:
        """Return the exchange's time."""
        ...

    async def sleep_until(self, time_ms: int) -> None:
        """Return once the exchange's time has reached `time_ms`."""
        ...


class LiveRun:
    """Take a run from its last committed state through bar after bar until it is stopped.

    Args:
        speed: exchange seconds a wall second; the settings' waits are wall seconds.
        max_bars: stop after so many bars closed live; None runs on.
    """

    def __init__(
        self, parts: LiveParts, exchange: Exchange, clock: Clock, report: LiveReport,
        stop: asyncio.Event, speed: float = 1.0, max_bars: int | None = None,
    ) -> None:  # fmt: skip
        self._parts, self._exchange, self._clock = parts, exchange, clock
        self._report, self._stop, self._max_bars = report, stop, max_bars
        settings = parts.config.exchange
        self._venue = parts.config.market.venue
        self._deadline_ms = int(settings.close_deadline_s * 1000 * speed)
        self._tradable_ms = int(settings.decide_within_s * 1000 * speed)
        self._quote_ms = int(settings.quote_timeout_s * 1000 * speed)
        self._beat_ms = int(parts.config.log.heartbeat_s * 1000 * speed)
        self._events: asyncio.Queue[Event] = asyncio.Queue(MOST_WAITING)
        self._arrived = asyncio.Event()
        self._funding = FundingWatch()
        self._opened_row = parts.opened_row
        self._opening: Opening | None = None
        self._bars_live = 0
        self._next_beat_ms = 0

    async def run(self) -> str:
        """Run until stopped; return why.

        To stop is to cancel: the loop waits only between transactions, never inside one.
        """
        life = asyncio.create_task(self._live())
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([life, stop], return_when=asyncio.FIRST_COMPLETED)
            if not life.done():
                return "asked to stop"
            life.result()
            return "bars reached"
        finally:
            await _end(life, stop)
            self._parts.training.shutdown()

    async def _live(self) -> None:
        """Catch up with the exchange, then take bar after bar, as many as are wanted."""
        await self._catch_up()
        await self._first_model()
        await self._catch_up()
        assembler = self._new_assembler()
        pump = asyncio.create_task(self._pump())
        self._report.ready()
        try:
            while self._max_bars is None or self._bars_live < self._max_bars:
                assembler = await self._turn(assembler)
                if pump.done():
                    pump.result()
        finally:
            await _end(pump)

    async def _turn(self, assembler: BarAssembler) -> BarAssembler:
        """Do the one thing that is to be done now, or wait for an event."""
        now = self._clock.now_ms()
        opening = self._opening_of(assembler)
        due = assembler.due(now)
        if self._opened_row is None and (due.complete or self._may_open(opening, now)):
            await self._open(assembler, opening)
        elif due.complete:
            self._close(assembler.close(now))
            self._opening = None
        elif now > due.open_time + self._parts.interval_ms + self._tradable_ms:
            await self._catch_up()
            return self._new_assembler()
        elif due.missing:
            await self._fetch_missing(assembler, due)
        else:
            wake = due.wake_ms if due.wake_ms is not None else now
            if self._opened_row is None:
                wake = min(wake, max(opening.after_ms, opening.open_time) + self._quote_ms)
            await self._wait(assembler, wake)
        if now >= self._next_beat_ms:
            self._next_beat_ms = now + self._beat_ms
            self._report.heartbeat(assembler.counters.as_dict(), now)
        return assembler

    async def _wait(self, assembler: BarAssembler, wake_ms: int) -> None:
        """Feed the events there are; without one, wait for it or for the time."""
        wake_ms = min(wake_ms, self._next_beat_ms)
        if self._events.empty():
            self._arrived.clear()
            await _first_of(self._arrived.wait(), self._clock.sleep_until(wake_ms))
        while not self._events.empty():
            self._feed(assembler, self._events.get_nowait())

    def _feed(self, assembler: BarAssembler, event: Event) -> None:
        assembler.feed(event)
        self._report.seen(event)
        if isinstance(event, Quote):
            self._funding.feed(event)
            if self._opening is not None:
                self._opening.see_quote(event)
        elif isinstance(event, Candle) and self._opening is not None:
            self._opening.see_candle(event)

    def _opening_of(self, assembler: BarAssembler) -> Opening:
        if self._opening is None:
            config = self._parts.config
            self._opening = Opening(
                assembler.next_open, self._parts.symbols, config.costs.half_spread_bps * 1e-4,
                config.execution.price == "quote", self._clock.now_ms(),
            )  # fmt: skip
            for symbol in self._parts.symbols:
                first = assembler.first_open_seen(symbol, assembler.next_open)
                if first is not None:
                    self._opening.see_price(symbol, first.open)
        return self._opening

    def _may_open(self, opening: Opening, now: int) -> bool:
        begun = max(opening.open_time, opening.after_ms)
        pending = np.asarray(self._parts.runner.state.book.pending != 0.0)
        return now >= begun and (opening.complete(pending) or now >= begun + self._quote_ms)

    async def _open(self, assembler: BarAssembler, opening: Opening) -> None:
        """Book the open of the bar, and commit it."""
        funding = await self._funding_due(opening.open_time)
        book = self._parts.runner.state.book
        row = opening.row(book, assembler.quotes, funding)
        self._mark_start(opening.open_time)
        trace = self._parts.runner.open(row)
        self._opened_row = row
        self._report.opened(row, trace, self._clock.now_ms())

    async def _funding_due(self, open_time: int) -> dict[str, float]:
        """Return the rates due at this open: as settled where a position is held, else announced."""
        rates: dict[str, float] = {}
        if not is_contract(self._venue) or open_time % HOUR_MS:
            return rates
        held = self._parts.runner.state.book.quantity
        for s, symbol in enumerate(self._parts.symbols):
            rate = self._funding.rate_at(symbol, open_time)
            if held[s] != 0.0 and rate != 0.0:
                rate = await self._settled(symbol, open_time, rate)
            elif math.isnan(rate) and open_time % FUNDING_STEP_MS:
                rate = 0.0
            if rate != 0.0:
                rates[symbol] = rate
        return rates

    async def _settled(self, symbol: str, open_time: int, announced: float) -> float:
        try:
            known = await self._exchange.funding(symbol, open_time, open_time)
        except (ExchangeError, DataError):
            return announced
        if len(known.rate):
            return float(known.rate[0])
        usual = open_time % FUNDING_STEP_MS == 0
        return 0.0 if math.isnan(announced) and not usual else announced

    def _close(self, bar: ClosedBar) -> None:
        """Close the bar that is open, and commit; then look whether a training is due."""
        assert self._opened_row is not None
        began = time.perf_counter()
        row = closed_row(self._opened_row, candles_of(bar), tradable=bar.tradable)
        self._activate(bar.open_time)
        results = self._parts.runner.step(row)
        self._opened_row = None
        self._bars_live += 1
        self._parts.training.closed(row.open_time)
        self._report.closed(
            results[-1], bar.confirmed_ms, self._clock.now_ms(), time.perf_counter() - began
        )

    def _activate(self, open_time: int) -> None:
        taken = self._parts.training.take(open_time)
        if taken is None:
            return
        done, activation, due, is_late = taken
        self._parts.load_model(done.model_id)
        self._parts.runner.activate(activation, due, late=is_late)
        self._report.activated(done, activation, due, late=is_late)

    async def _fetch_missing(self, assembler: BarAssembler, due: Due) -> None:
        interval = self._parts.config.market.interval
        for span in due.missing:
            try:
                found = await self._exchange.klines(span.symbol, interval, span.first, span.last)
            except (ExchangeError, DataError) as error:
                self._report.unreachable(error, 0.0)
                found = Candles.empty()
            assembler.accept(span, found, self._clock.now_ms())

    async def _catch_up(self) -> None:
        """Take in every closed bar that is not yet in the journal."""
        parts, wait_s = self._parts, 1.0
        while True:
            try:
                await self._exchange.server_time_ms()
                first, last = self._missed()
                if first > last:
                    return
                bars = await fetch_bars(
                    self._exchange, parts.symbols, self._venue, parts.config.market.interval,
                    parts.interval_ms, first, last,
                )  # fmt: skip
                wait_s = 1.0
            except (ExchangeError, DataError) as error:
                self._report.unreachable(error, wait_s)
                await asyncio.sleep(wait_s)
                wait_s = min(2.0 * wait_s, LONGEST_RETRY_S)
                continue
            self._take_missed(bars)

    def _missed(self) -> tuple[int, int]:
        parts, state = self._parts, self._parts.runner.state
        step = parts.interval_ms
        last = floor_to_interval(self._clock.now_ms(), step) - step
        if state.opened:
            first = state.last_open
        elif state.last_open > NEVER:
            first = state.last_open + step
        else:
            first = last + step - parts.config.data.history_bars * step
        return first, min(last, first + (CHUNK_BARS - 1) * step)

    def _take_missed(self, bars: BarBlock) -> None:
        parts = self._parts
        if parts.start is None:
            parts.runner.warm(bars)
            parts.first_bar = parts.first_bar or int(bars.open_time[0])
            self._report.backfilled(bars)
            return
        rows = late(bars)
        if self._opened_row is not None:
            row = closed_row(self._opened_row, bars.rows(0, 1), tradable=False)
            rows = BarBlock.concat([row, rows.rows(1, len(rows))])
            self._opened_row = None
        parts.runner.step(rows)
        parts.training.closed(bars.open_time)
        self._opening = None
        self._report.gap_filled(rows)

    async def _first_model(self) -> None:
        """Train what was due before now and is in no schedule; wait for it at the first start."""
        parts = self._parts
        state = parts.runner.state
        if parts.first_bar is None:
            return
        due = parts.training.last_due(parts.first_bar, state.last_open)
        if due is None or due in parts.known_dues:
            return
        parts.training.start(due)
        if not state.schedule:
            await parts.training.wait()

    def _new_assembler(self) -> BarAssembler:
        parts = self._parts
        state = parts.runner.state
        next_open = state.last_open if state.opened else state.last_open + parts.interval_ms
        self._opening = None
        return BarAssembler(
            parts.symbols, parts.interval_ms, self._deadline_ms, self._tradable_ms, next_open
        )

    def _mark_start(self, open_time: int) -> None:
        """Write down the first bar that is traded; its open is committed right after."""
        if self._parts.start is None:
            with self._parts.journal.transaction():
                self._parts.journal.write_meta("start", str(open_time))
            self._parts.start = open_time

    async def _pump(self) -> None:
        async for event in self._exchange.stream(
            self._parts.symbols, self._parts.config.market.interval
        ):
            await self._events.put(event)
            self._arrived.set()


async def _first_of(*work: Coroutine[Any, Any, Any]) -> None:
    """Return when one of these is done, and raise what it raised; the others are given up."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await _end(*tasks)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def candles_of(bar: ClosedBar) -> BarBlock:
    """Return the candles of a closed bar as a block of one bar; a missing one is not valid."""
    nan = (math.nan,) * 6
    rows = [candle.values if candle is not None else nan for candle in bar.candles]
    columns = np.array(rows, dtype=np.float64).T[:, None, :]
    return BarBlock.of_candles(
        np.array([bar.open_time], dtype=np.int64), *columns[:5], turnover=columns[5]
    )

"""The live loop: events in, one open and one close a bar, each committed before anything else.

The order of a bar: its open is booked at the first quotes after the decision's commit; its close
when every candle is confirmed or the deadline has passed; then a training may be due. Rules: a bar
is closed once, in order; bars that were missed are stepped as seen too late; nothing is traded on a
guess; the loop stops between transactions. Must not compute what the engine computes.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import numpy as np

from bot.adapters.bybit.clock import LIMIT_S
from bot.adapters.exchange import Candle, Event, Exchange, Quote
from bot.app.live.bar_assembly import BarAssembler, ClosedBar, candles_of
from bot.app.live.catch_up import CatchUp, Clock
from bot.app.live.feed_counters import Counters
from bot.app.live.funding import LiveFunding
from bot.app.live.missing import MissingCandles
from bot.app.live.opening import Opening, closed_row
from bot.app.live.reporter import LiveReport
from bot.app.live.screening import ScreenedExchange
from bot.app.live.setup import LiveParts
from bot.app.live.waiting import end, first_of
from bot.engine import Activation
from bot.errors import ConfigError
from bot.timestamps import format_utc

MOST_WAITING = 100_000
"""Events that may wait for the loop before the stream waits too."""


class LiveRun:
    """Take a run from its last committed state through bar after bar.

    To stop it is to cancel it: it waits only between transactions, never inside one.

    Args:
        speed: exchange seconds a wall second; the settings' waits are wall seconds.
        max_bars: stop after so many bars closed live; None runs on.
    """

    def __init__(
        self, parts: LiveParts, exchange: Exchange, clock: Clock, report: LiveReport,
        speed: float = 1.0, max_bars: int | None = None,
    ) -> None:  # fmt: skip
        self._parts, self._clock = parts, clock
        self._counters = Counters()
        self._exchange = ScreenedExchange(
            exchange, parts.symbols, parts.prices, parts.config.market.max_jump, report.implausible
        )
        self._report, self._max_bars = report, max_bars
        settings = parts.config.exchange
        self._deadline_ms = int(settings.close_deadline_s * 1000 * speed)
        self._tradable_ms = min(int(settings.decide_within_s * 1000 * speed), parts.interval_ms)
        self._quote_ms = int(settings.quote_timeout_s * 1000 * speed)
        self._slack_ms = int(LIMIT_S * 1000 * speed)
        self._events: asyncio.Queue[Event] = asyncio.Queue(MOST_WAITING)
        self._arrived = asyncio.Event()
        self._funding = LiveFunding(
            self._exchange, parts.symbols, parts.config.market.venue, settings.request_timeout_s,
            charged=parts.config.costs.funding,
        )  # fmt: skip
        self._catch_up = CatchUp(parts, self._exchange, clock, report, self._tradable_ms)
        self._missing = MissingCandles(
            self._exchange, clock, report, parts.config.market.interval, self._tradable_ms, speed
        )
        self._opening: Opening | None = None
        self._taken_up = self._keeps_up = True
        self._bars_live = 0

    async def run(self) -> None:
        """Catch up with the exchange, then take bar after bar, as many as are wanted."""
        pump: asyncio.Task[None] | None = None
        beats = asyncio.create_task(self._beat())
        try:
            await self._catch_up.run()
            await self._first_model()
            await self._catch_up.run()
            assembler = self._new_assembler()
            pump = asyncio.create_task(self._pump())
            self._report.ready()
            while self._max_bars is None or self._bars_live < self._max_bars:
                assembler = await self._turn(assembler)
                for task in (pump, beats):
                    if task.done():
                        task.result()
        finally:
            self._parts.training.shutdown()
            await end(beats, *([] if pump is None else [pump]))

    async def _turn(self, assembler: BarAssembler) -> BarAssembler:
        """Do the one thing that is to be done now, or wait for an event."""
        while not self._events.empty():
            self._feed(assembler, self._events.get_nowait())
        self._counters.clock_refused = self._clock.refused
        self._counters.implausible = self._report.refused
        self._report.odd(self._counters)
        now = self._clock.now_ms()
        opening = self._opening_of(assembler)
        due = assembler.due(now)
        too_late = now > due.open_time + self._parts.interval_ms + self._tradable_ms
        # before the start it is history like what came before, if that can be caught up with
        history = self._parts.start is None and self._keeps_up
        if too_late and (history or not due.complete):
            self._keeps_up = await self._catch_up.run()
            return self._new_assembler()
        if self._parts.opened_row is None and (due.complete or self._may_open(opening, now)):
            await self._open(assembler, opening)
        elif due.complete:
            await self._close(assembler.close(now))
            self._opening = None
        elif due.missing:
            await self._missing.fetch(assembler, due)
        else:
            wake = due.wake_ms if due.wake_ms is not None else now
            if self._parts.opened_row is None and opening.until_ms > now:
                wake = min(wake, opening.until_ms)
            await self._wait(wake)
        return assembler

    async def _wait(self, wake_ms: int) -> None:
        """Return when there is an event, or at this time."""
        if self._events.empty():
            self._arrived.clear()
            await first_of(self._arrived.wait(), self._clock.sleep_until(wake_ms))

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
            open_time, now = assembler.next_open, self._clock.now_ms()
            # who takes a run up within a bar does not know when its orders were decided
            since = open_time if self._taken_up else max(open_time, now)
            self._opening = Opening(
                open_time, open_time + self._parts.interval_ms,
                self._parts.symbols, config.costs.half_spread_bps * 1e-4,
                config.execution.price == "quote", now, since + self._quote_ms,
            )  # fmt: skip
            for symbol in self._parts.symbols:
                first = assembler.first_open_seen(symbol, assembler.next_open)
                if first is not None:
                    self._opening.see_candle(first)
        return self._opening

    def _may_open(self, opening: Opening, now: int) -> bool:
        if self._parts.start is None and now >= opening.end_ms:
            return False  # a first bar that is over is opened once it can be closed in time
        begun = max(opening.open_time, opening.after_ms)
        pending = np.asarray(self._parts.runner.state.book.pending != 0.0)
        return now >= begun and (opening.complete(pending) or now >= opening.until_ms)

    async def _open(self, assembler: BarAssembler, opening: Opening) -> None:
        """Book the open of the bar, and commit it."""
        held = self._parts.runner.state.book.quantity
        funding = await self._funding.at_open(opening.open_time, held)
        book = self._parts.runner.state.book
        row = opening.row(book, assembler.quotes, funding)
        self._mark_start(opening.open_time)
        self._parts.stages.start()
        trace = self._parts.runner.open(row)
        self._parts.stages.ended("open")
        self._parts.opened_row = row
        self._report.opened(row, trace, self._clock.now_ms())

    async def _close(self, bar: ClosedBar) -> None:
        """Close the bar that is open, and commit; then look whether a training is due."""
        assert self._parts.opened_row is not None
        candles = self._exchange.bars(candles_of(bar))
        row = closed_row(self._parts.opened_row, candles, tradable=bar.tradable)
        book = self._parts.runner.state.book
        row = await self._funding.inside(row, self._parts.interval_ms, book.quantity, book.mark)
        self._activate(bar.open_time)
        self._parts.stages.start()
        results = self._parts.runner.step(row)
        self._parts.stages.ended("commit")
        self._parts.opened_row = None
        self._taken_up = False
        self._bars_live += 1
        self._parts.training.closed(row.open_time)
        stages_ms = self._parts.stages.taken_ms()
        self._report.closed(results[-1], bar.confirmed_ms, self._clock.now_ms(), stages_ms)

    def _activate(self, open_time: int) -> None:
        parts = self._parts
        if parts.given is not None:
            (model_id, due), parts.given = parts.given, None
            activation = Activation(open_time, model_id)
            is_late = open_time > parts.training.planned(due)
        else:
            taken = parts.training.take(open_time)
            if taken is None:
                return
            activation, due, is_late = taken
            parts.load_model(activation.model_id)
        parts.runner.activate(activation, due, late=is_late)
        self._report.activated(activation, late=is_late)

    async def _first_model(self) -> None:
        """Train what was due before now and is in no schedule; wait for it at the first start."""
        parts = self._parts
        state = parts.runner.state
        if parts.first_bar is None:
            return
        if parts.given is not None:
            self._check_given(*parts.given)
        else:
            for due in parts.training.unmade(parts.first_bar, state.last_open, parts.trained_until):
                parts.training.want(due)
            if state.schedule:
                parts.training.go_on(state.last_open)
                return
            start = state.last_open + parts.interval_ms if parts.start is None else parts.start
            parts.training.begin(start, parts.first_bar)
            await parts.training.first_model(state.last_open)
            if not parts.training.expected:
                self._report.no_model(self._clock.now_ms())

    def _check_given(self, model_id: str, due: int) -> None:
        """Refuse a model that has seen bars which this run has not.

        Raises:
            ConfigError: it would know the future.
        """
        last = self._parts.runner.state.last_open
        if due > last:
            raise ConfigError(
                f"--model: model {model_id} was trained on bars up to {format_utc(due)}, this run has "
                f"reached {format_utc(last)}: it would know the future; begin with an older one"
            )

    def _new_assembler(self) -> BarAssembler:
        parts = self._parts
        state = parts.runner.state
        next_open = state.last_open if state.opened else state.last_open + parts.interval_ms
        self._opening, self._taken_up = None, True
        return BarAssembler(
            parts.symbols, parts.interval_ms, self._deadline_ms, self._tradable_ms, next_open,
            self._counters, self._slack_ms,
        )  # fmt: skip

    def _mark_start(self, open_time: int) -> None:
        """Write down the first bar that is traded; its open is committed right after."""
        if self._parts.start is None:
            with self._parts.journal.transaction():
                self._parts.journal.write_meta("start", str(open_time))
            self._parts.start = open_time

    async def _beat(self) -> None:
        """Say now and then that the daemon lives, whatever the exchange and its clock do."""
        while True:
            self._counters.clock_refused = self._clock.refused
            self._counters.implausible = self._report.refused
            self._report.heartbeat(
                self._counters, self._clock.now_ms(), doubted=self._clock.doubted
            )
            await asyncio.sleep(self._parts.config.log.heartbeat_s)

    async def _pump(self) -> None:
        interval = self._parts.config.market.interval
        async with aclosing(self._exchange.stream(self._parts.symbols, interval)) as events:
            async for event in events:
                await self._events.put(event)
                self._arrived.set()

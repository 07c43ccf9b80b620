"""The live loop: events in, one open and one close a bar, each committed before anything else.

Each state of `states` has a method here that does what is to be done in it and returns what
happened. The order of a bar: its open is booked at the first quotes after the decision's commit; its
close when every candle is confirmed or the deadline has passed; then a training may be awaited. Rules: a
bar is closed once, in order; bars that were missed are stepped as seen too late; nothing is traded
on a guess; the loop stops between transactions. Must not compute what the engine computes.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import numpy as np

from bot.adapters.bybit.clock import LIMIT_S
from bot.adapters.exchange import Candle, Event, Exchange, Quote
from bot.adapters.files.commands import Asked
from bot.app.live.bar_assembly import Awaited, BarAssembler
from bot.app.live.catch_up import CatchUp
from bot.app.live.closed_bar import candles_of
from bot.app.live.committed import CommittedRun
from bot.app.live.decidable import decidable_ms
from bot.app.live.exchange_time import ExchangeTime
from bot.app.live.feed_counters import Counters
from bot.app.live.finer import FinerCandles
from bot.app.live.funding import LiveFunding
from bot.app.live.hand import Hand
from bot.app.live.heard_marks import HeardMarks
from bot.app.live.life import SymbolLife
from bot.app.live.missing import MissingCandles
from bot.app.live.models import LiveModels
from bot.app.live.opening import Opening
from bot.app.live.reporter import LiveReport
from bot.app.live.screening import ScreenedExchange
from bot.app.live.states import LoopEvent, LoopState, next_state
from bot.app.live.waiting import end, first_of
from bot.config.needed_heads import needs_model

MOST_WAITING = 100_000
"""Events that may wait for the loop before the stream waits too."""

DECIDING = (LoopState.WAITING_OPEN, LoopState.OPENED, LoopState.CLOSING)
"""The states in which commands are taken: in the others nothing is decided."""


class LiveLoop:
    """Take a run from its last committed state through bar after bar.

    To stop it is to cancel it: it waits only between transactions, never inside one.

    Args:
        speed: exchange seconds a wall second; the settings' waits are wall seconds.
        max_bars: stop after so many bars closed live; None runs on.
        joins_after_ms: before which no symbol is let join.
    """

    def __init__(
        self, run: CommittedRun, models: LiveModels, exchange: Exchange, clock: ExchangeTime, *,
        report: LiveReport, speed: float = 1.0, max_bars: int | None = None, joins_after_ms: int = 0,
    ) -> None:  # fmt: skip
        self._run, self._models, self._clock, self._report = run, models, clock, report
        self.left = max_bars  # how many bars are still wanted
        config, settings = run.config, run.config.exchange
        self._exchange = ScreenedExchange(
            exchange, run.symbols, run.prices, config.market.max_jump, report.implausible
        )
        self._deadline_ms = int(settings.close_deadline_s * 1000 * speed)
        self._tradable_ms = decidable_ms(config)
        self._quote_ms = int(settings.quote_timeout_s * 1000 * speed)
        self._slack_ms = int(LIMIT_S * 1000 * speed)
        self._events: asyncio.Queue[Event] = asyncio.Queue(MOST_WAITING)
        self._arrived, self._counters = asyncio.Event(), Counters()
        self._funding = LiveFunding(
            self._exchange, run.symbols, config.market.venue, settings.request_timeout_s,
            charged=config.costs.funding, max_jump=config.market.max_jump,
        )  # fmt: skip
        self._marks = HeardMarks(
            run.symbols, run.interval_ms, streamed=config.market.feed == "stream",
            slack_ms=self._slack_ms,
        )  # fmt: skip
        self._finer = FinerCandles(
            self._exchange, clock, run.symbols, config.market.finer_interval, run.interval_ms,
            patience_s=settings.quote_timeout_s)  # fmt: skip
        self._life = SymbolLife(run, self._exchange, clock, report.life)
        jobs = models.training
        self._catch_up = CatchUp(run, jobs, self._exchange, clock, report, life=self._life)
        self._hand = Hand(run, jobs, report, clock.now_ms, joins_after_ms=joins_after_ms)
        self._missing = MissingCandles(
            self._exchange, clock, report,
            interval=config.market.interval, tradable_ms=self._tradable_ms, speed=speed,
        )  # fmt: skip
        self._state = LoopState.STARTING
        self._work = {
            LoopState.STARTING: self._start,
            LoopState.CATCHING_UP: self._take_missed,
            LoopState.WAITING_OPEN: self._wait_open,
            LoopState.OPENED: self._wait_candles,
            LoopState.CLOSING: self._close,
        }
        self._bars, self._resumed = self._next_bars(), True
        self._opening: Opening | None = None
        self._pump: asyncio.Task[None] | None = None

    async def run(self) -> Asked | None:
        """Catch up with the exchange, then take bar after bar, as many as are wanted.

        It ends early, between two bars, for a command by which symbols are to join, and returns that.
        """
        looks = self._hand.look(self._run.config.run.commands_every_s, self._arrived.set)
        beside = [asyncio.create_task(watch) for watch in (self.beat(), looks, self._life.watch())]
        try:
            while self._state is not LoopState.DONE:
                if self._state in DECIDING:
                    self._hand.take()
                    self._life.learn()
                if self._hand.joining is not None and not self._run.opened:
                    break
                event = await self._work[self._state]()
                for task in (self._pump, *beside):
                    if task is not None and task.done():
                        task.result()
                if event is not None:
                    self._go(event)
        finally:
            self._models.training.shutdown()
            await end(*beside, *self._finer.tasks, *([] if self._pump is None else [self._pump]))
        return self._hand.joining

    def _go(self, event: LoopEvent) -> None:
        was, self._state = self._state, next_state(self._state, event)
        self._report.went(was, event, self._state)

    async def _start(self) -> LoopEvent:
        """Fetch the history, and have a first model trained."""
        await self._catch_up.run()
        expected = await self._models.first(
            lambda where: self._report.rehearsing(where, self._clock.now_ms())
        )
        self._report.rehearsing(None, self._clock.now_ms())
        if not expected and needs_model(self._run.config):
            self._report.no_model(self._clock.now_ms())
        return LoopEvent.STARTED

    async def _take_missed(self) -> LoopEvent:
        """Take in the bars that are too late to decide on; then listen, if nobody does yet."""
        await self._catch_up.run()
        self._bars, self._opening, self._resumed = self._next_bars(), None, True
        if self._pump is None:
            self._pump = asyncio.create_task(self._listen())
            self._report.ready()
        return LoopEvent.CAUGHT_UP_INSIDE if self._run.opened else LoopEvent.CAUGHT_UP

    async def _wait_open(self) -> LoopEvent | None:
        """Open the next bar once its orders can be filled, or need not wait any longer."""
        self._read()
        now = self._clock.now_ms()
        opening, awaited = self._next_opening(now), self._bars.awaited(now)
        if self._too_late(awaited, now):
            return LoopEvent.FELL_BEHIND
        if awaited.complete or self._may_open(opening, now):
            await self._open(opening)
            return LoopEvent.OPEN_COMMITTED
        await self._await_candles(awaited, now, opening.until_ms)
        return None

    async def _wait_candles(self) -> LoopEvent | None:
        """Wait until the candles of the bar that is open are complete; ask for those missing."""
        self._read()
        now = self._clock.now_ms()
        awaited = self._bars.awaited(now)
        self._finer.want(awaited.open_time)
        if self._too_late(awaited, now):
            return LoopEvent.FELL_BEHIND
        if awaited.complete:
            return LoopEvent.CANDLES_COMPLETE
        await self._await_candles(awaited, now)
        return None

    async def _open(self, opening: Opening) -> None:
        """Book the open of the bar, and commit it."""
        funding = await self._funding.at_open(opening.open_time, self._run.book.quantity)
        if self._run.start is None:
            self._run.begin(opening.open_time)
            self._hand.take()
        row = opening.row(self._run.book, self._bars.quotes, funding)
        trace = self._run.open(row)
        self._report.opened(row, trace, self._clock.now_ms())

    async def _close(self) -> LoopEvent:
        """Close the bar that is open, and commit; then look whether a training is awaited."""
        run, bar = self._run, self._bars.close(self._clock.now_ms())
        candles = self._exchange.bars(self._marks.lay_on(candles_of(bar)))
        row = await self._finer.lay_on(run.row_of(candles, tradable=bar.tradable))
        row = await self._funding.inside(row, run.interval_ms, run.book.quantity, run.book.mark)
        row = await self._life.lay_on(row, self._bars.quotes)
        activated = self._models.take_effect(bar.open_time)
        if activated is not None:
            self._report.activated(activated[0], late=activated[1])
        result = run.close(row)
        self._opening, self._resumed = None, False
        self._models.training.closed(row.open_time)
        self._report.closed(result, bar.confirmed_ms, self._clock.now_ms(), run.stages_ms())
        if self.left is not None:
            self.left -= 1
        return LoopEvent.LAST_CLOSE_COMMITTED if self.left == 0 else LoopEvent.CLOSE_COMMITTED

    def _too_late(self, awaited: Awaited, now: int) -> bool:
        """Return whether the next bar is one to catch up with."""
        ended_ms = awaited.open_time + self._run.interval_ms
        # before the start it is history like what came before, if that can be caught up with
        history = self._run.start is None and self._catch_up.keeps_up
        return now > ended_ms + self._tradable_ms and (history or not awaited.complete)

    async def _await_candles(self, awaited: Awaited, now: int, until_ms: int = 0) -> None:
        """Ask for the candles that are missing, or wait for an event; no longer than `until_ms`."""
        if awaited.missing:
            await self._missing.fetch(self._bars, awaited)
            return
        wake_ms = now if awaited.wake_ms is None else awaited.wake_ms
        await self._wait(min(wake_ms, until_ms) if until_ms > now else wake_ms)

    def _read(self) -> None:
        """Take what the stream has brought."""
        while not self._events.empty():
            self._feed(self._events.get_nowait())
        self._count_refused()
        self._report.odd(self._counters)

    def _feed(self, event: Event) -> None:
        self._bars.feed(event)
        self._marks.feed(event)
        self._report.seen(event)
        if isinstance(event, Quote):
            self._funding.feed(event)
            if self._opening is not None:
                self._opening.see_quote(event)
        elif isinstance(event, Candle) and self._opening is not None:
            self._opening.see_candle(event)

    async def _wait(self, wake_ms: int) -> None:
        """Return when there is an event, or at this time."""
        if self._events.empty():
            self._arrived.clear()
            await first_of(self._arrived.wait(), self._clock.sleep_until(wake_ms))

    def _next_opening(self, now: int) -> Opening:
        """Return what is known of the next bar's open; made once what came before it is read."""
        if self._opening is None:
            run, config = self._run, self._run.config
            open_time = self._bars.next_open
            # after a resume inside a bar the decision time is unknown
            since = open_time if self._resumed else max(open_time, now)
            self._opening = Opening(
                open_time, open_time + run.interval_ms, run.symbols,
                half_spread=config.costs.half_spread_bps * 1e-4,
                at_quote=config.execution.price == "quote",
                after_ms=now, until_ms=since + self._quote_ms,
            )  # fmt: skip
            for symbol in run.symbols:
                first = self._bars.first_open_seen(symbol, open_time)
                if first is not None:
                    self._opening.see_candle(first)
        return self._opening

    def _may_open(self, opening: Opening, now: int) -> bool:
        if self._run.start is None and now >= opening.end_ms:
            return False  # a first bar that is over is opened once it can be closed in time
        begun = max(opening.open_time, opening.after_ms)
        pending = np.asarray(self._run.book.pending != 0.0)
        return now >= begun and (opening.complete(pending) or now >= opening.until_ms)

    def _next_bars(self) -> BarAssembler:
        run = self._run
        return BarAssembler(
            run.symbols, run.interval_ms, deadline_ms=self._deadline_ms,
            tradable_ms=self._tradable_ms, first_open=run.next_open, counters=self._counters,
            slack_ms=self._slack_ms, ended=self._life.ended,
        )  # fmt: skip

    def _count_refused(self) -> None:
        self._counters.clock_refused = self._clock.refused
        self._counters.implausible = self._report.refused

    async def beat(self) -> None:
        """Say now and then that the daemon lives, whatever the exchange and its clock do."""
        while True:
            self._count_refused()
            now_ms = self._clock.now_ms()
            self._report.heartbeat(self._counters, now_ms, doubted=self._clock.doubted)
            await asyncio.sleep(self._run.config.log.heartbeat_s)

    async def _listen(self) -> None:
        """Take the events of the stream to the loop."""
        asked = self._run.symbols, self._run.config.market.interval
        async with aclosing(self._exchange.stream(*asked)) as events:
            async for event in events:
                await self._events.put(event)
                self._arrived.set()

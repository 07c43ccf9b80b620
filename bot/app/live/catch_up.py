"""Catching up: bars that nobody can decide on any more are fetched and taken in.

Rules: before the start such bars are history; after it they are bars that were missed, stepped as
seen too late: nothing is decided or filled on them. While the exchange does not answer, it is asked
again, ever more rarely; a symbol of which it does not answer, while it does of others, is given up
for these bars in the end. Must not decide what is late: the loop does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from bot.app.live.backfill import Column, PartlyError, fetch_bars
from bot.app.live.committed import CommittedRun
from bot.app.live.decidable import newest_undecidable
from bot.app.live.exchange_time import ExchangeTime
from bot.app.live.life import SymbolLife
from bot.app.live.reporter import LiveReport
from bot.app.live.retraining import LiveTraining
from bot.app.live.screening import ScreenedExchange
from bot.app.start.history_need import history_need
from bot.blocks import BarBlock
from bot.errors import ExchangeError

T = TypeVar("T")

CHUNK_BARS = 1000
LONGEST_RETRY_S = 60.0
GIVEN_UP_AFTER = 8
"""Tries, over two minutes: then a symbol does not hold up the others any more."""


class CatchUp:
    """Take a run's journal up to the newest bar that is too late to decide on.

    Attributes:
        keeps_up: whether the last run came to its end, and not only so far as answers allow.
    """

    def __init__(
        self, run: CommittedRun, training: LiveTraining, exchange: ScreenedExchange, clock: ExchangeTime,
        report: LiveReport, life: SymbolLife,
    ) -> None:  # fmt: skip
        self._run, self._training, self._exchange = run, training, exchange
        self._clock, self._report, self._life = clock, report, life
        self._need = history_need(run.config)
        self.keeps_up = True
        self._failures: Counter[str] = Counter()
        self._kept: tuple[tuple[int, int], dict[str, Column]] = ((0, 0), {})

    async def run(self) -> None:
        """Take in these bars, until none is left or the exchange is slower than the bars.

        Time goes on meanwhile, so it is done in rounds, each up to an end that is looked at once.
        Where a round is no shorter than the one before, answers take longer than bars, and it ends:
        what the stream has brought meanwhile is nearer to the present than it would ever come.
        """
        if self._run.state.newest is None:
            self._report.history(self._need)
        self.keeps_up, before = True, None
        while True:
            await self._asked(self._exchange.server_time_ms)
            last = self._last_missed()
            bars = (last - self._first_missed(last)) // self._run.interval_ms + 1
            if bars <= 0:
                return
            if before is not None and bars >= before:
                self.keeps_up = False
                return
            while self._first_missed(last) <= last:
                found = await self._asked(lambda last=last: self._fetch(last))  # type: ignore[misc]
                if found is None:
                    break
                await self._take(found)
            before = bars

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer, ever more rarely."""
        wait_s = 1.0
        self._failures.clear()
        while True:
            try:
                return await ask()
            except ExchangeError as error:
                self._failures.update(error.symbols if isinstance(error, PartlyError) else ())
                self._report.unreachable(error, wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(2.0 * wait_s, LONGEST_RETRY_S)
            with suppress(ExchangeError):  # our time may be what is wrong
                await self._exchange.server_time_ms()

    async def _fetch(self, last: int) -> BarBlock | None:
        """Return the oldest bars that are missed up to this one; None where none is over after all."""
        last = min(last, self._last_missed())  # the clock was ahead, and has been set right
        run, first = self._run, self._first_missed(last)
        if first > last:
            return None
        market, step = run.config.market, run.interval_ms
        span = (first, min(last, first + (CHUNK_BARS - 1) * step))
        if self._kept[0] != span:
            self._kept = (span, {})
        return await fetch_bars(
            self._exchange,
            run.symbols,
            market.venue,
            interval=market.interval,
            interval_ms=step,
            first_ms=span[0],
            last_ms=span[1],
            unlisted=self._report.unlisted,
            closes=None if run.start is None else run.book.mark,
            screen=self._exchange.bars,
            max_jump=market.max_jump,
            without=self._given_up() | self._life.ended(span[0]),
            kept=self._kept[1],
            finer=market.finer_interval,
        )

    def _given_up(self) -> frozenset[str]:
        """Return who is not waited for; history from before the start is worth waiting for."""
        if self._run.start is None:
            return frozenset()
        return frozenset(s for s, count in self._failures.items() if count >= GIVEN_UP_AFTER)

    def _last_missed(self) -> int:
        """Return the newest bar that was over too long ago to decide on."""
        return newest_undecidable(self._run.config, self._clock.now_ms())

    def _first_missed(self, last: int) -> int:
        """Return the oldest bar that the journal lacks; of a new run's history, which ends at `last`."""
        if self._run.state.newest is not None:
            return self._run.next_open
        return last - (self._need.bars - 1) * self._run.interval_ms

    async def _take(self, bars: BarBlock) -> None:
        if self._run.start is None:
            self._run.warm(bars)
            self._report.backfilled(bars)
            if self._run.state.schedule:  # it has rehearsed: what was due before has been looked at
                self._training.closed(bars.open_time)
            return
        rows = self._run.catch_up(await self._life.lay_on(bars, {}))
        self._training.closed(bars.open_time)
        self._report.gap_filled(rows)

"""Catching up: bars that nobody can decide on any more are fetched and taken in.

Rules: before the start such bars are history; after it they are bars that were missed, stepped as
seen too late: nothing is decided or filled on them. While the exchange does not answer, it is asked
again, ever more rarely. Must not decide what is late: the loop does.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from bot.adapters.exchange import Exchange
from bot.app.backfill import fetch_bars, late
from bot.app.live_opening import closed_row
from bot.app.live_report import LiveReport
from bot.app.live_setup import LiveParts
from bot.blocks import BarBlock
from bot.engine import NEVER
from bot.errors import ExchangeError
from bot.timegrid import floor_to_interval

CHUNK_BARS = 1000
LONGEST_RETRY_S = 60.0


class Clock(Protocol):
    """The exchange's time, and waiting for it.

    `refused` counts the times that it told and that were not believed; `doubted`: it still tells one.
    """

    @property
    def refused(self) -> int:
        """Return how many times that the exchange told were not believed."""
        ...

    @property
    def doubted(self) -> bool:
        """Return whether the exchange tells another time than is believed."""
        ...

    def now_ms(self) -> int:
        """Return the exchange's time."""
        ...

    async def sleep_until(self, time_ms: int) -> None:
        """Return once the exchange's time has reached `time_ms`."""
        ...


class CatchUp:
    """Take a run's journal up to the newest bar that is too late to decide on.

    Args:
        tradable_ms: how long after its end a bar can be decided on; so long it is left to the loop.
    """

    def __init__(
        self, parts: LiveParts, exchange: Exchange, clock: Clock, report: LiveReport,
        tradable_ms: int,
    ) -> None:  # fmt: skip
        self._parts, self._exchange = parts, exchange
        self._clock, self._report = clock, report
        self._tradable_ms = tradable_ms

    async def run(self) -> None:
        """Return once the journal has all these bars."""
        wait_s = 1.0
        while True:
            try:
                bars = await self._fetch()
            except ExchangeError as error:
                self._report.unreachable(error, wait_s)
                await asyncio.sleep(wait_s)
                wait_s = min(2.0 * wait_s, LONGEST_RETRY_S)
                continue
            if bars is None:
                return
            self._take(bars)
            wait_s = 1.0

    async def _fetch(self) -> BarBlock | None:
        """Return the oldest bars that are missed; None where none is."""
        await self._exchange.server_time_ms()
        parts = self._parts
        first, last = self._missed()
        if first > last:
            return None
        market = parts.config.market
        return await fetch_bars(
            self._exchange, parts.symbols, market.venue, market.interval, parts.interval_ms,
            first, last, lambda error: self._report.unreachable(error, 0.0),
            None if parts.start is None else parts.runner.state.book.mark,
        )  # fmt: skip

    def _missed(self) -> tuple[int, int]:
        parts, state = self._parts, self._parts.runner.state
        step = parts.interval_ms
        # of the bars that were over so long ago
        last = floor_to_interval(self._clock.now_ms() - self._tradable_ms - 1, step) - step
        if state.opened:
            first = state.last_open
        elif state.last_open > NEVER:
            first = state.last_open + step
        else:
            first = last + step - parts.config.data.history_bars * step
        return first, min(last, first + (CHUNK_BARS - 1) * step)

    def _take(self, bars: BarBlock) -> None:
        parts = self._parts
        if parts.start is None:
            parts.runner.warm(bars)
            parts.first_bar = parts.first_bar or int(bars.open_time[0])
            self._report.backfilled(bars)
            return
        rows = late(bars)
        if parts.opened_row is not None:
            row = closed_row(parts.opened_row, bars.rows(0, 1), tradable=False)
            rows = BarBlock.concat([row, rows.rows(1, len(rows))])
            parts.opened_row = None
        parts.runner.step(rows)
        parts.training.closed(bars.open_time)
        self._report.gap_filled(rows)

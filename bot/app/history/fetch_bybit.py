"""Grow the files of a Bybit symbol at both ends: candles, mark prices, funding; and instruments.

Rules: a file is contiguous in what was asked for at every instant: later bars are added in order of
time, earlier ones backwards from the first, so that whatever interrupts, the next fetch goes on. An
answer may be cut short without a word, so what lacks at an end, and every hole in between, is asked
for again as long as that brings something; what the exchange does not have is noted and reported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bot.adapters.bybit.rest import BybitRest
from bot.adapters.files.candle_files import read_candles, write_candles
from bot.adapters.files.candles import Candles, faults_of
from bot.adapters.files.data_root import DataRoot, Series
from bot.adapters.files.funding import Funding, read_funding, write_funding
from bot.adapters.files.instruments import load_instruments, write_instruments
from bot.app.history.holes import PAGE_ROWS, funding_holes, holes, requests_for
from bot.app.history.progress import (
    ABSENT,
    ASKED_FROM,
    Fetched,
    FetchProgress,
    OnProgress,
    TimeSpan,
    asked_from,
    noted_absent,
)
from bot.timegrid import HOUR_MS, INTERVAL_MS
from bot.venues import is_contract

SAVE_ROWS = 20_000

Pages = Callable[[int, int], Iterator[Candles]]
"""(first open time, last open time) to pages of candles, oldest first."""


def fetch_symbol(
    where: DataRoot,
    series: Series,
    span_ms: tuple[int, int],
    rest: BybitRest,
    progress: OnProgress,
    finer: str = "",
) -> Iterator[Fetched]:
    """Fetch what a symbol's files lack of the bars that open in first..last of `span_ms`.

    Args:
        finer: interval of the shorter candles inside the bars, which are fetched too; "" for none.
    """
    start_ms, now_ms = span_ms[0], rest.server_time_ms()
    last_closed_ms = min(span_ms[1], now_ms - INTERVAL_MS[series.interval])
    asked = (series.venue, series.symbol, series.interval)
    jobs: list[tuple[str, Path, Pages]] = [
        ("candles", where.candles_to_write(series), lambda a, b: rest.kline_pages(*asked, a, b))
    ]
    if is_contract(series.venue):
        mark = where.mark_to_write(series)
        jobs.append(("mark", mark, lambda a, b: rest.mark_pages(*asked, a, b)))
    for what, path, pages in jobs:
        yield _Extension(path, series, what, pages, progress).run(start_ms, last_closed_ms)
    if finer:
        inside, end_ms = replace(series, interval=finer), span_ms[1] + INTERVAL_MS[series.interval]
        last_ms = min(end_ms, now_ms) - INTERVAL_MS[finer]
        own = (series.venue, series.symbol, finer)
        yield _Extension(
            where.candles_to_write(inside), inside, "candles",
            lambda a, b: rest.kline_pages(*own, a, b), progress,
        ).run(start_ms, last_ms)  # fmt: skip
    if is_contract(series.venue):
        path = where.funding_to_write(series.venue, series.symbol)
        yield _extend_funding(path, series, start_ms, min(span_ms[1], now_ms), rest)
        progress(FetchProgress(series.symbol, "funding", 1, 1))


class _Extension:
    """A candle file that grows at both ends, a page at a time."""

    def __init__(
        self, path: Path, series: Series, what: str, pages: Pages, progress: OnProgress
    ) -> None:
        self._path, self._series, self._what = path, series, what
        self._asked, self._progress = pages, progress
        self._untrue: set[int] = set()
        self._step = INTERVAL_MS[series.interval]
        self._asked_ms = 0
        self._candles = Candles.empty()
        if path.is_file():
            self._candles = read_candles(path, series.interval)
            self._asked_ms = asked_from(path, int(self._candles.time[0]))
        self._present = len(self._candles)
        self._absent: tuple[TimeSpan, ...] = noted_absent(path)
        self._done = self._total = 0

    def run(self, start_ms: int, end_ms: int) -> Fetched:
        """Fetch what is missing of start..end and keep it."""
        step = self._step
        start_ms, end_ms = -(-start_ms // step) * step, end_ms // step * step
        if self._present == 0:
            self._asked_ms = start_ms
            later_ms, earlier_ms = start_ms, start_ms - step
        else:
            later_ms = int(self._candles.time[-1]) + step
            earlier_ms = self._asked_ms - step
        later = max(0, (end_ms - later_ms) // step + 1)
        self._total = later + max(0, (earlier_ms - start_ms) // step + 1)
        if later:
            self._append(later_ms, end_ms)
            self._ask_end_again(end_ms)
        if earlier_ms >= start_ms:
            self._prepend(start_ms, earlier_ms)
        if self._present == 0 or earlier_ms >= start_ms:
            self._ask_start_again(start_ms)
        self._fill_holes()
        rows = len(self._candles)
        return Fetched(
            self._series.symbol,
            self._what,
            self._path,
            rows=rows,
            new_rows=rows - self._present,
            absent=self._absent,
            untrue=tuple(sorted(self._untrue)),
        )

    def _pages(self, start_ms: int, end_ms: int) -> Iterator[Candles]:
        """Ask for candles; those that cannot be true stay outside, as if the exchange had none."""
        for page in self._asked(start_ms, end_ms):
            faulty, _ = faults_of(page, self._series.interval, self._what, str)
            self._untrue.update(page.time[faulty].tolist())
            yield page.only(~faulty)

    def _ask_end_again(self, end_ms: int) -> None:
        """Ask once more what follows the last candle; an answer that was cut goes on there."""
        while len(self._candles):
            first = int(self._candles.time[-1]) + self._step
            last = min(end_ms, first + (PAGE_ROWS - 1) * self._step)
            if first > last or not any(len(page) for page in self._add(first, last)):
                return

    def _ask_start_again(self, start_ms: int) -> None:
        """Ask once more what comes before the first candle: is the symbol no older, or was it cut?"""
        while len(self._candles):
            last = int(self._candles.time[0]) - self._step
            first = max(start_ms, last - (PAGE_ROWS - 1) * self._step)
            if first > last or not any(len(page) for page in self._add(first, last)):
                return

    def _fill_holes(self) -> None:
        """Ask for every hole between two candles, as long as that brings some; note those that stay."""
        before = -1
        while len(self._candles) > before:
            before = len(self._candles)
            for first, last in requests_for(holes(self._candles.time, self._step), self._step):
                self._add(first, last)
        absent = tuple(holes(self._candles.time, self._step))
        if absent != self._absent:
            self._absent = absent
            self._keep([self._candles])

    def _add(self, first: int, last: int) -> list[Candles]:
        """Ask for these bars, and keep those that are new."""
        known = self._candles
        pages = [page.only(~np.isin(page.time, known.time)) for page in self._pages(first, last)]
        parts = [known, *(page for page in pages if len(page))]
        if len(parts) > 1:
            joined = Candles(
                np.concatenate([part.time for part in parts]),
                np.concatenate([part.values for part in parts]),
            )
            order = np.argsort(joined.time, kind="stable")
            self._keep([Candles(joined.time[order], joined.values[order])])
        return pages

    def _append(self, start_ms: int, end_ms: int) -> None:
        """Add pages after the last candle; keep them now and then, and whatever happens."""
        pending: list[Candles] = []
        unsaved = 0
        try:
            for page in self._pages(start_ms, end_ms):
                pending.append(page)
                unsaved += len(page)
                reached = int(page.time[-1]) if len(page) else start_ms
                self._report(max(self._done, (reached - start_ms) // self._step + 1))
                if unsaved >= max(SAVE_ROWS, len(self._candles) // 10):
                    self._keep([self._candles, *pending])
                    pending, unsaved = [], 0
        finally:
            if unsaved:
                self._keep([self._candles, *pending])

    def _prepend(self, start_ms: int, end_ms: int) -> None:
        """Add stretches before the first candle, the latest first, so that no hole is left."""
        before = self._done
        while end_ms >= start_ms:
            low = max(start_ms, end_ms - (SAVE_ROWS - 1) * self._step)
            pages = list(self._pages(low, end_ms))
            self._asked_ms = low
            self._keep([*pages, self._candles])
            end_ms = low - self._step
            before += sum(len(page) for page in pages)
            self._report(before)

    def _keep(self, parts: list[Candles]) -> None:
        self._candles = Candles.concat([part for part in parts if len(part)])
        noted = {ASKED_FROM: str(self._asked_ms), ABSENT: json.dumps(self._absent)}
        write_candles(self._path, self._candles.frame(), noted)

    def _report(self, done: int) -> None:
        self._done = min(done, self._total)
        self._progress(FetchProgress(self._series.symbol, self._what, self._done, self._total))


def _extend_funding(
    path: Path, series: Series, start_ms: int, end_ms: int, rest: BybitRest
) -> Fetched:
    known = Funding(np.empty(0, np.int64), np.empty(0))
    ranges, asked_ms = [(start_ms, end_ms)], None
    if path.is_file():
        known = read_funding(path)
        asked_ms = asked_from(path, int(known.time[0]))
        ranges = [(start_ms, asked_ms - 1), (int(known.time[-1]) + 1, end_ms)]
    funding = known

    def ask(low: int, high: int) -> int:
        """Add the rates of these times; return how many there are."""
        nonlocal funding
        if low > high:
            return 0
        found = rest.funding_history(series.venue, series.symbol, low, high)
        rates = dict(zip(found.time.tolist(), found.rate.tolist(), strict=True))
        rates |= dict(zip(funding.time.tolist(), funding.rate.tolist(), strict=True))
        times = sorted(rates)
        funding = Funding(np.array(times, np.int64), np.array([rates[t] for t in times], float))
        return len(found.time)

    for low, high in ranges:
        ask(low, high)
    while len(funding.time) and (asked_ms is None or start_ms < asked_ms):
        first = int(funding.time[0])  # is the symbol no older, or was the answer cut?
        if not ask(max(start_ms, first - PAGE_ROWS * HOUR_MS), first - 1):
            break
    for low, high in requests_for(funding_holes(funding.time), HOUR_MS):
        ask(low, high)
    absent = tuple(funding_holes(funding.time))
    new_rows = len(funding.time) - len(known.time)
    oldest_ms = start_ms if asked_ms is None else min(start_ms, asked_ms)
    if len(funding.time) and (new_rows or oldest_ms != asked_ms or absent != noted_absent(path)):
        noted = {ASKED_FROM: str(oldest_ms), ABSENT: json.dumps(absent)}
        write_funding(path, funding, noted)
    return Fetched(
        series.symbol, "funding", path, rows=len(funding.time), new_rows=new_rows, absent=absent
    )


def fetch_instruments(
    where: DataRoot, venue: str, symbols: Collection[str], rest: BybitRest
) -> Fetched:
    """Fetch the instruments of these symbols of a venue; the file keeps those it had of others."""
    path = where.instruments(venue)
    before = load_instruments(where.path, venue)
    now = before | rest.instruments(venue, symbols)
    changed = sum(before.get(symbol) != instrument for symbol, instrument in now.items())
    if changed:
        write_instruments(path, now)
    return Fetched(venue, "instruments", path, len(now), changed)

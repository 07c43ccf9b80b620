"""Grow the candle files of a Bybit symbol at both ends: candles and mark prices; and instruments.

Rules: a file is contiguous in what was asked for at every instant: later bars are added in order of
time, earlier ones backwards from the first, so that whatever interrupts, the next fetch goes on. An
answer may be cut short without a word, so what lacks at an end, and every hole in between, is asked
for again as long as that brings something; what the exchange does not give of the symbol's lifetime
is noted and reported, at the ends as well as between.
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
from bot.adapters.files.instruments import load_instruments, write_instruments
from bot.app.history.fetch_funding import extend_funding
from bot.app.history.holes import PAGE_ROWS, holes, requests_for
from bot.app.history.lifetime import Lifetime, missing_ends
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
from bot.portfolio.instruments import Instrument
from bot.timegrid import INTERVAL_MS
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
    *,
    instrument: Instrument | None,
) -> Iterator[Fetched]:
    """Fetch what a symbol's files lack of the bars that open in first..last of `span_ms`.

    Args:
        instrument: what the exchange says of the symbol; None where it does not list it.
        finer: interval of the shorter candles inside the bars, which are fetched too; "" for none.
    """
    start_ms, now_ms = span_ms[0], rest.server_time_ms()
    last_closed_ms = min(span_ms[1], now_ms - INTERVAL_MS[series.interval])
    lifetime = Lifetime(series, instrument, rest, now_ms)
    asked = (series.venue, series.symbol, series.interval)
    jobs: list[tuple[str, Path, Pages]] = [
        ("candles", where.candles_to_write(series), lambda a, b: rest.kline_pages(*asked, a, b))
    ]
    if is_contract(series.venue):
        mark = where.mark_to_write(series)
        jobs.append(("mark", mark, lambda a, b: rest.mark_pages(*asked, a, b)))
    for what, path, pages in jobs:
        yield _Extension(path, series, what, pages, progress, lifetime=lifetime).run(
            start_ms, last_closed_ms
        )
    if finer:
        inside, end_ms = replace(series, interval=finer), span_ms[1] + INTERVAL_MS[series.interval]
        last_ms = min(end_ms, now_ms) - INTERVAL_MS[finer]
        own = (series.venue, series.symbol, finer)
        yield _Extension(
            where.candles_to_write(inside), inside, "candles",
            lambda a, b: rest.kline_pages(*own, a, b), progress, lifetime=lifetime,
        ).run(start_ms, last_ms)  # fmt: skip
    if is_contract(series.venue):
        path = where.funding_to_write(series.venue, series.symbol)
        yield extend_funding(path, series, (start_ms, min(span_ms[1], now_ms)), rest, lifetime)
        progress(FetchProgress(series.symbol, "funding", 1, 1))


class _Extension:
    """A candle file that grows at both ends, a page at a time."""

    def __init__(
        self, path: Path, series: Series, what: str, pages: Pages, progress: OnProgress,
        lifetime: Lifetime,
    ) -> None:  # fmt: skip
        self._lifetime = lifetime
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
        anew = self._present == 0 or earlier_ms >= start_ms
        first_ms = int(self._candles.time[0]) if len(self._candles) else start_ms
        again = anew or any(first < first_ms for first, _ in self._absent)
        if again:
            self._ask_start_again(self._asked_ms)
        self._fill_holes()
        rows = len(self._candles)
        return Fetched(
            self._series.symbol,
            self._what,
            self._path,
            rows=rows,
            new_rows=rows - self._present,
            absent=self._missing(end_ms, again),
            untrue=tuple(sorted(self._untrue)),
        )

    def _missing(self, end_ms: int, again: bool) -> tuple[TimeSpan, ...]:
        """Return what the exchange does not give, and note what of it a later fetch would not see.

        What lacks before the first candle was judged by an earlier fetch where it is not asked `again`.
        """
        step, rows = self._step, len(self._candles)
        first_ms = int(self._candles.time[0]) if rows else None
        next_ms = int(self._candles.time[-1]) + step if rows else self._asked_ms
        due_ms = first_ms if first_ms is not None else self._asked_ms
        if first_ms != self._asked_ms and (again or self._lifetime.launch_known):
            due_ms = self._lifetime.due_from(self._asked_ms)
        due = due_ms, self._lifetime.due_until(end_ms + step)
        before, after = missing_ends(first_ms, next_ms, due, step)
        absent = ([before] if before else []) + holes(self._candles.time, step)
        if rows and tuple(absent) != self._absent:
            self._absent = tuple(absent)
            self._keep([self._candles])
        return (*absent, after) if after else tuple(absent)

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
        """Ask for every hole between two candles, as long as that brings some."""
        before = -1
        while len(self._candles) > before:
            before = len(self._candles)
            for first, last in requests_for(holes(self._candles.time, self._step), self._step):
                self._add(first, last)

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

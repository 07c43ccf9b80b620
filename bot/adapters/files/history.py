"""History from files: the candles of all symbols on one grid of bars, with funding and mark prices.

Owns the grid. Venues that trade round the clock: every interval from the earliest symbol's first
bar to the latest's last. As soon as one venue keeps sessions: the union of all symbols' bars, and a
symbol is out of session in a bar that no symbol of its venue has. Only bars within
[data.history_start, data.end] count. What is streamed is bit for bit what is loaded: loading is
streaming in one batch. Must not decide anything about what a symbol's missing bar means.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from pathlib import Path

import numpy as np

from bot.adapters.files.bar_funding import Marks, lay_funding
from bot.adapters.files.bar_marks import lay_marks
from bot.adapters.files.bar_realised import check_stamps, inner_closes, with_realised
from bot.adapters.files.candle_files import BATCH_ROWS, CandleCursor
from bot.adapters.files.candles import COLUMNS, Candles
from bot.adapters.files.data_root import DataRoot, Series
from bot.adapters.files.ended import settles_at, with_settlements
from bot.adapters.files.jumps import jumps_of
from bot.adapters.files.symbol_files import SymbolFiles, cursor_of
from bot.blocks import F64, I64, BarBlock, Bool
from bot.config import Config
from bot.errors import ConfigError, DataError
from bot.timegrid import INTERVAL_MS, last_closes
from bot.timestamps import format_utc, parse_utc
from bot.venues import has_sessions, is_inverse, split_symbol

LEAST_BATCH_ROWS = 2048
"""Of a file that are read at a time, however few bars are wanted."""


@dataclass(frozen=True, slots=True)
class SymbolNotes:
    """What a reader of a result should know about a symbol's history.

    Attributes:
        bars: number of its bars.
        first_ms, last_ms: open times of its first and last bar; 0 without any.
        missing: bars in session between the two that it lacks.
        funding_unknown: settlements at its bars whose rate is not known.
    """

    bars: int
    first_ms: int
    last_ms: int
    missing: int
    funding_unknown: int


@dataclass(frozen=True, slots=True)
class History:
    """All bars of a run.

    `start_ms` is data.start, None where it is empty; `end_ms` the last instant at which a bar may
    open, None where data.end is empty; `symbols` are the names of the settings, in their order;
    `repairs` are (file, what reading it put in order).
    """

    bars: BarBlock
    start_ms: int | None
    end_ms: int | None
    symbols: tuple[str, ...]
    notes: dict[str, SymbolNotes]
    repairs: tuple[tuple[Path, str], ...] = ()


def load_history(config: Config) -> History:
    """Read all bars of the run's symbols.

    Args:
        config: market.venue, interval, symbols, data.root, start, end, history_start and
            risk.max_stale_bars are read.

    Raises:
        ConfigError: a time in the settings is none, or they leave no room for a bar.
        DataError: a file is missing, unreadable or has a faulty row.
    """
    source = OpenHistory(config)
    bars = BarBlock.concat(list(source.blocks(source.n_bars)))
    return History(
        bars=bars,
        start_ms=source.start_ms,
        end_ms=source.end_ms,
        symbols=config.market.symbols,
        notes={name: _notes(bars, i) for i, name in enumerate(config.market.symbols)},
        repairs=source.repairs,
    )


def stream_history(config: Config, rows_per_batch: int) -> Iterator[BarBlock]:
    """Yield the bars that `load_history` loads, `rows_per_batch` at a time, in bounded memory.

    (CSV files, and the times of venues that keep sessions, are held whole.)

    Raises:
        ConfigError, DataError: as `load_history`; a faulty row is refused when it is reached.
    """
    yield from OpenHistory(config).blocks(rows_per_batch)


class OpenHistory:
    """The opened files of a run and the grid that they make.

    Raises:
        ConfigError, DataError: as `load_history`.
    """

    def __init__(self, config: Config) -> None:
        data, market = config.data, config.market
        self.start_ms = parse_utc(data.start, "data.start")
        self.end_ms = parse_utc(data.end, "data.end", inclusive_end=True)
        low = parse_utc(data.history_start, "data.history_start")
        self._check_times(low)
        self._interval_ms = INTERVAL_MS[market.interval]
        self._finer_ms = INTERVAL_MS[market.finer_interval] if market.finer_interval else 0
        root = DataRoot.at(data.root)
        jumps = jumps_of(market.max_jump, market.accept_jumps, market.symbols)
        self._symbols = [
            SymbolFiles(
                root,
                Series(*split_symbol(name, market.venue), market.interval),
                finer=market.finer_interval,
                low=low,
                high=self.end_ms,
                jumps=jumps[name],
            )
            for name in market.symbols
        ]
        spans = [s.span for s in self._symbols if s.span is not None]
        if not spans:
            raise DataError(
                f"{data.root}: no bar of {', '.join(market.symbols)} lies between "
                f"data.history_start = '{data.history_start}' and data.end = '{data.end}'"
            )
        self._first_ms = min(s.first_ms for s in spans)
        self._stop_ms = max(s.last_ms for s in spans) + self._interval_ms
        self._session_times: dict[str, I64] = {}
        self._union: I64 | None = None
        if any(has_sessions(s.series.venue) for s in self._symbols):
            self._read_sessions()
        self._settle_ms = [self._settles(s, config.risk.max_stale_bars) for s in self._symbols]

    @property
    def n_bars(self) -> int:
        """Return the number of bars of the grid."""
        if self._union is not None:
            return len(self._union)
        return -(-(self._stop_ms - self._first_ms) // self._interval_ms)

    @property
    def repairs(self) -> tuple[tuple[Path, str], ...]:
        """Return what reading the files put in order."""
        return tuple(repair for symbol in self._symbols for repair in symbol.repairs)

    def blocks(self, rows: int) -> Iterator[BarBlock]:
        """Yield the bars, at most `rows` at a time."""
        batch = min(max(rows, LEAST_BATCH_ROWS), BATCH_ROWS)
        candles = [CandleCursor(s.candles.batches(batch), self._first_ms) for s in self._symbols]
        marks = [cursor_of(s.mark, self._first_ms, batch) for s in self._symbols]
        finer = [cursor_of(s.finer, self._first_ms, batch) for s in self._symbols]
        since_ms, closes = self._first_ms, np.full(len(self._symbols), np.nan)
        for start in range(0, self.n_bars, rows):
            grid = self._grid(start, min(start + rows, self.n_bars))
            bars, known = self._block(grid, candles, marks)
            settlements = [symbol.funding for symbol in self._symbols]
            bars = lay_funding(
                bars,
                settlements,
                known,
                interval_ms=self._interval_ms,
                since_ms=since_ms,
                before=closes,
                inverse=np.array([is_inverse(symbol.series.venue) for symbol in self._symbols]),
            )
            if self._finer_ms:
                bars = with_realised(bars, self._inner(bars, finer))
            yield with_settlements(bars, self._settle_ms, closes)
            since_ms = int(grid[-1]) + self._interval_ms
            closes = last_closes(bars, closes)[-1]

    def _inner(self, bars: BarBlock, finer: list[CandleCursor | None]) -> list[F64 | None]:
        """Return what shorter candles say of each symbol's bars; their times are looked at as well."""
        steps, found = (self._finer_ms, self._interval_ms), list[F64 | None]()
        for s, (symbol, cursor) in enumerate(zip(self._symbols, finer, strict=True)):
            if cursor is None or symbol.finer is None:
                found.append(None)
                continue
            inside = cursor.take(int(bars.open_time[-1]) + self._interval_ms)
            check_stamps(bars, s, inside, *steps, where=str(symbol.finer.path))
            found.append(inner_closes(bars.open_time, inside, *steps))
        return found

    def _grid(self, start: int, stop: int) -> I64:
        if self._union is not None:
            return self._union[start:stop]
        step = self._interval_ms
        return np.arange(start, stop, dtype=np.int64) * step + self._first_ms

    def _block(
        self, grid: I64, candles: list[CandleCursor], marks: list[CandleCursor | None]
    ) -> tuple[BarBlock, list[Marks]]:
        """Return the bars without their funding, and the mark prices known at and inside them."""
        stop_ms = int(grid[-1]) + 1
        shape = (len(grid), len(self._symbols))
        values = {name: np.full(shape, np.nan) for name in COLUMNS}
        marked = {name: np.full(shape, np.nan) for name in ("mark", "mark_high", "mark_low")}
        known: list[Marks] = []
        in_session: Bool = np.ones(shape, dtype=np.bool_)
        for i, symbol in enumerate(self._symbols):
            taken = candles[i].take(stop_ms)
            place, inside = _places(grid, taken.time)
            for name in COLUMNS:
                values[name][place, i] = taken.column(name)[inside]
            cursor, end_ms = marks[i], int(grid[-1]) + self._interval_ms
            prices = Candles.empty() if cursor is None else cursor.take(end_ms)
            known.append((prices.time, prices.column("open")))
            step = INTERVAL_MS[symbol.mark.interval] if symbol.mark else self._interval_ms
            laid = lay_marks(grid, prices, step, self._interval_ms)
            if symbol.mark:
                symbol.jumps.check_marks(symbol.mark.path, grid, laid[0], values["open"][:, i])
            for column, values_of_symbol in zip(marked.values(), laid, strict=True):
                column[:, i] = values_of_symbol
            if symbol.series.venue in self._session_times:
                in_session[:, i] = np.isin(grid, self._session_times[symbol.series.venue])
        return BarBlock.of_candles(grid, **values, in_session=in_session, **marked), known

    def _read_sessions(self) -> None:
        """Read every open time: their union is the grid, a venue's own union its sessions."""
        of_venue: dict[str, list[I64]] = {}
        for symbol in self._symbols:
            times = np.concatenate(list(symbol.candles.times()))
            inside = times[(times >= self._first_ms) & (times < self._stop_ms)]
            of_venue.setdefault(symbol.series.venue, []).append(inside)
        unions = {venue: reduce(np.union1d, times) for venue, times in of_venue.items()}
        self._session_times = {v: t for v, t in unions.items() if has_sessions(v)}
        self._union = reduce(np.union1d, unions.values())

    def _settles(self, symbol: SymbolFiles, stale_bars: int) -> int | None:
        if symbol.span is None:
            return None
        sessions = self._session_times.get(symbol.series.venue, self._union)
        return settles_at(
            symbol.span.last_ms, self._stop_ms, stale_bars, self._interval_ms, sessions
        )

    def _check_times(self, low: int | None) -> None:
        bounds = [
            ("data.history_start", low),
            ("data.start", self.start_ms),
            ("data.end", self.end_ms),
        ]
        given = [(key, ms) for key, ms in bounds if ms is not None]
        for (key, ms), (later_key, later_ms) in pairwise(given):
            if ms > later_ms:
                raise ConfigError(
                    f"{key} ({format_utc(ms)}) is after {later_key} ({format_utc(later_ms)}); "
                    "move one of them"
                )


def _places(grid: I64, times: I64) -> tuple[I64, Bool]:
    """Return the bars that times open, and which of the times open a bar at all."""
    place = np.searchsorted(grid, times)
    inside: Bool = place < len(grid)
    inside[inside] = grid[place[inside]] == times[inside]
    return place[inside], inside


def _notes(bars: BarBlock, i: int) -> SymbolNotes:
    valid: Bool = bars.valid[:, i]
    present = np.flatnonzero(valid)
    if len(present) == 0:
        return SymbolNotes(0, 0, 0, 0, 0)
    first, last = int(present[0]), int(present[-1])
    missing = bars.in_session[first : last + 1, i] & ~valid[first : last + 1]
    unknown = np.isnan(bars.funding_rate[:, i]) + bars.funding_inside_unknown[:, i]
    return SymbolNotes(
        bars=len(present),
        first_ms=int(bars.open_time[first]),
        last_ms=int(bars.open_time[last]),
        missing=int(missing.sum()),
        funding_unknown=int(unknown[valid].sum()),
    )

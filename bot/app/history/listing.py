"""What history there is under a root: each file with its span, its gaps, its size and its faults.

Rules: a file is read whole, by the very checks of a backtest. A data file that is not read is
listed too, with the reason, and with the command that imports it where there is one. For venues
with sessions a bar is missing where another symbol of the venue has it; for funding a settlement
without a rate is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from bot.adapters.files.candle_files import CandleFile
from bot.adapters.files.data_root import DataRoot, Series
from bot.adapters.files.funding import read_funding_table, settlements_between
from bot.adapters.files.jumps import Jumps, jumps_of
from bot.adapters.files.tables import read_table
from bot.app.history.unread import Unread, import_hint, unread_files
from bot.blocks import F64, I64
from bot.config.schema import MarketSection
from bot.errors import ConfigError, DataError
from bot.timegrid import INTERVAL_MS, gaps
from bot.timestamps import format_utc
from bot.venues import has_sessions, split_symbol, venue_row


@dataclass(frozen=True, slots=True)
class Listing:
    """A file of history.

    Attributes:
        kind: candles, mark or funding; unread where it is none under its name.
        interval: of its bars; empty for funding.
        rows: number of its rows.
        first_ms, last_ms: its first and last time, ms UTC; 0 where it cannot be read.
        gaps: number of stretches without rows between the two.
        missing: number of rows that these lack.
        size_bytes: of the file.
        fault: why it cannot be read, empty where it can.
        notes: what reading it put in order, or why nobody reads it, a sentence each.
        fix: the command that imports it, empty where there is none.
    """

    kind: Literal["candles", "mark", "funding", "unread"]
    venue: str
    symbol: str
    interval: str
    path: Path
    rows: int = 0
    first_ms: int = 0
    last_ms: int = 0
    gaps: int = 0
    missing: int = 0
    size_bytes: int = 0
    fault: str = ""
    notes: tuple[str, ...] = ()
    fix: str = ""


def list_data(root: str | Path, market: MarketSection | None = None) -> list[Listing]:
    """Return every file of candles, mark prices and funding rates under a root, and what is not read.

    Args:
        market: how far prices may jump, and the venue of a file that does not tell its own; the
            defaults where it is None.

    Raises:
        ConfigError: market.accept_jumps has an entry that is none.
        DataError: the root is no folder.
    """
    market = MarketSection() if market is None else market
    venue, where = market.venue, DataRoot.at(root)
    files, marks = where.all_candle_files(), where.mark_files()
    jumps = _jumps(market, {(s.venue, s.symbol) for s, _ in [*files, *marks]})
    sessions: dict[tuple[str, str], list[I64]] = {}
    marked: dict[tuple[str, str], list[tuple[I64, F64]]] = {
        (s.venue, s.symbol): [] for s, _ in marks
    }
    listed = []
    held = Counter(series for series, _ in files)
    for series, path in files:
        entry, times, opens = _bars("candles", series, path, jumps[series.venue, series.symbol])
        if (series.venue, series.symbol) in marked:
            marked[series.venue, series.symbol].append((times, opens))
        if held[series] > 1:
            both = " and ".join(str(p) for s, p in files if s == series)
            entry = replace(entry, fault=f"{both} hold the same candles; remove one of them")
        listed.append(entry)
        if has_sessions(series.venue) and len(times):
            sessions.setdefault((series.venue, series.interval), []).append(times)
    unions = {key: reduce(np.union1d, times) for key, times in sessions.items()}
    listed = [_in_sessions(entry, unions.get((entry.venue, entry.interval))) for entry in listed]
    for s, path in marks:
        listed.append(_marks(s, path, jumps[s.venue, s.symbol], marked[s.venue, s.symbol]))
    listed += [_funding(*named, path) for named, path in where.funding_files()]
    listed = [
        replace(e, fix=import_hint(e.path, root, venue)) if "bot import" in e.fault else e
        for e in listed
    ]
    return listed + [_unread(entry) for entry in unread_files(where, venue)]


def listing_rows(root: str | Path, market: MarketSection | None = None) -> list[dict[str, Any]]:
    """Return `list_data` as plain values, times as text, for JSON.

    Raises:
        ConfigError, DataError: as `list_data`.
    """
    rows = []
    for entry in list_data(root, market):
        row = asdict(entry) | {"path": str(entry.path)}
        times = {"first": entry.first_ms, "last": entry.last_ms}
        row |= {k: format_utc(ms) if entry.rows else None for k, ms in times.items()}
        rows.append(row)
    return rows


def listing_text(rows: Sequence[dict[str, Any]]) -> Group:
    """Return the rows to print: a table of what is read, and below it what is wrong or to be known."""
    table = Table()
    for name in ("file", "venue", "symbol", "interval", "first", "last"):
        table.add_column(name)
    for name in ("rows", "gaps", "missing", "MB"):
        table.add_column(name, justify="right")
    said: list[Text] = []
    for row in rows:
        if row["fault"]:
            said.append(_line(f"not read: {row['fault']}", "red"))
            said += [_line(f"  {row['fix']}")] if row["fix"] else []
            continue
        said += [_line(f"{row['path']}: {note}") for note in row["notes"]]
        if row["kind"] == "unread":
            continue
        cells = [row["kind"], row["venue"], row["symbol"], row["interval"]]
        counts = [f"{row[k]:,}" for k in ("rows", "gaps", "missing")]
        table.add_row(*cells, row["first"], row["last"], *counts, f"{row['size_bytes'] / 1e6:.2f}")
    return Group(*([table] if table.rows else []), *said)


def _size(path: Path) -> int:
    """Return a file's size, 0 of a link that leads nowhere."""
    return path.stat().st_size if path.exists() else 0


def _line(text: str, style: str = "") -> Text:
    """Return a line that is never broken, so that a command in it can be copied."""
    return Text(text, style, no_wrap=True, overflow="ignore")


def _unread(entry: Unread) -> Listing:
    size = _size(entry.path)
    if entry.wrong:
        fault = f"{entry.path}: {entry.reason}"
        return Listing(
            "unread", "", "", "", entry.path, size_bytes=size, fault=fault, fix=entry.fix
        )
    return Listing("unread", "", "", "", entry.path, size_bytes=size, notes=(entry.reason,))


def _jumps(
    market: MarketSection, found: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Jumps]:
    """Return the jumps that the files of each (venue, symbol) may have, as a backtest takes them."""
    names = {split_symbol(name, market.venue): name for name in market.symbols}
    for venue, symbol in found:
        names.setdefault((venue, symbol), symbol if venue == market.venue else f"{venue}:{symbol}")
    allowed = jumps_of(market.max_jump, market.accept_jumps, tuple(names.values()))
    return {series: allowed[name] for series, name in names.items()}


def _bars(
    kind: Literal["candles", "mark"], series: Series, path: Path, jumps: Jumps
) -> tuple[Listing, I64, F64]:
    size = _size(path)
    entry = Listing(kind, series.venue, series.symbol, series.interval, path, size_bytes=size)
    file = CandleFile(path, series.interval, jumps)
    try:
        venue_row(series.venue, f"{path}: the name's venue")
        read = [(batch.time, batch.column("open")) for batch in file.batches()]
    except (ConfigError, DataError) as error:
        return replace(entry, fault=str(error)), np.empty(0, np.int64), np.empty(0)
    times = np.concatenate([time for time, _ in read])
    step = INTERVAL_MS[series.interval]
    holes = gaps(times, step)
    entry = replace(entry, notes=file.notes)
    entry = _spanning(entry, times, len(holes), sum(count for _, count in holes))
    return entry, times, np.concatenate([opens for _, opens in read])


def _marks(series: Series, path: Path, jumps: Jumps, candles: Sequence[tuple[I64, F64]]) -> Listing:
    """Return a file of mark prices, held against the candles (their times and opens) beside it."""
    entry, times, marks = _bars("mark", series, path, jumps)
    for open_time, opens in candles:
        both, of_mark, of_candle = np.intersect1d(times, open_time, True, return_indices=True)
        try:
            jumps.check_marks(path, both, marks[of_mark], opens[of_candle])
        except DataError as error:
            return replace(entry, fault=entry.fault or str(error))
    return entry


def _in_sessions(entry: Listing, sessions: I64 | None) -> Listing:
    """Count a session symbol's gaps again, against the days of its venue."""
    if sessions is None or entry.rows == 0:
        return entry
    inside = sessions[(sessions >= entry.first_ms) & (sessions <= entry.last_ms)]
    times = np.concatenate(list(CandleFile(entry.path, entry.interval).times()))
    absent = ~np.isin(inside, times)
    starts = np.flatnonzero(absent & ~np.concatenate([[False], absent[:-1]]))
    return replace(entry, gaps=len(starts), missing=int(absent.sum()))


def _funding(venue: str, symbol: str, path: Path) -> Listing:
    entry = Listing("funding", venue, symbol, "", path, size_bytes=_size(path))
    try:
        known, notes = read_funding_table(read_table(path))
    except DataError as error:
        return replace(entry, fault=str(error))
    found = settlements_between(known, int(known.time[0]), int(known.time[-1]) + 1)
    absent = np.isnan(found.rate)
    starts = np.flatnonzero(absent & ~np.concatenate([[False], absent[:-1]]))
    entry = replace(entry, notes=notes)
    return _spanning(entry, known.time, len(starts), int(absent.sum()))


def _spanning(entry: Listing, times: I64, holes: int, missing: int) -> Listing:
    return replace(
        entry,
        rows=len(times),
        first_ms=int(times[0]),
        last_ms=int(times[-1]),
        gaps=holes,
        missing=missing,
    )

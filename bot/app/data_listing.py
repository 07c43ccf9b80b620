"""What history there is under a root: each file with its span, its gaps and its size.

Rules: only times are read; a file that cannot be read is listed with its fault. For venues with
sessions a bar is missing where another symbol of the venue has it; for funding where a rate was
due.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.markup import escape
from rich.table import Table

from bot.adapters.candle_files import CandleFile
from bot.adapters.data_root import DataRoot, Series
from bot.adapters.funding_files import due_between, read_funding
from bot.adapters.timestamps import format_utc
from bot.blocks import I64
from bot.errors import DataError
from bot.timegrid import INTERVAL_MS, gaps
from bot.venues import has_sessions


@dataclass(frozen=True, slots=True)
class Listing:
    """A file of history.

    Attributes:
        kind: candles, mark or funding.
        interval: of its bars; empty for funding.
        rows: number of its rows.
        first_ms, last_ms: its first and last time, ms UTC; 0 where it cannot be read.
        gaps: number of stretches without rows between the two.
        missing: number of rows that these lack.
        size_bytes: of the file.
        fault: why it cannot be read, empty where it can.
    """

    kind: Literal["candles", "mark", "funding"]
    venue: str
    symbol: str
    interval: str
    path: Path
    rows: int
    first_ms: int
    last_ms: int
    gaps: int
    missing: int
    size_bytes: int
    fault: str = ""


def list_data(root: str | Path) -> list[Listing]:
    """Return every file of candles, mark prices and funding rates under a root.

    Raises:
        DataError: the root is no folder, or two files hold the same candles.
    """
    where = DataRoot.at(root)
    candles = where.candle_files()
    sessions: dict[tuple[str, str], list[I64]] = {}
    listed = []
    for series, path in candles.items():
        entry, times = _bars("candles", series, path)
        listed.append(entry)
        if has_sessions(series.venue) and len(times):
            sessions.setdefault((series.venue, series.interval), []).append(times)
    unions = {key: reduce(np.union1d, times) for key, times in sessions.items()}
    listed = [_in_sessions(entry, unions.get((entry.venue, entry.interval))) for entry in listed]
    for path in _files(where.home / "mark", "_mark"):
        marked = Series.parse(path.stem.removesuffix("_mark"))
        if marked is not None:
            listed.append(_bars("mark", marked, path)[0])
    for path in _files(where.home / "funding", "_funding"):
        venue, _, symbol = path.stem.removesuffix("_funding").rpartition("_")
        listed.append(_funding(venue, symbol, path))
    return listed


def listing_rows(root: str | Path) -> list[dict[str, Any]]:
    """Return `list_data` as plain values, times as text, for JSON.

    Raises:
        DataError: as `list_data`.
    """
    rows = []
    for entry in list_data(root):
        row = asdict(entry) | {"path": str(entry.path)}
        times = {"first": entry.first_ms, "last": entry.last_ms}
        row |= {k: format_utc(ms) if entry.rows else None for k, ms in times.items()}
        rows.append(row)
    return rows


def listing_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the rows as a table to print."""
    table = Table()
    for name in ("file", "venue", "symbol", "interval", "first", "last"):
        table.add_column(name)
    for name in ("rows", "gaps", "missing", "MB"):
        table.add_column(name, justify="right")
    for row in rows:
        cells = [row["kind"], row["venue"], row["symbol"], row["interval"]]
        if row["fault"]:
            table.add_row(*cells, f"[red]{escape(row['fault'])}[/red]")
            continue
        counts = [f"{row[k]:,}" for k in ("rows", "gaps", "missing")]
        table.add_row(*cells, row["first"], row["last"], *counts, f"{row['size_bytes'] / 1e6:.2f}")
    return table


def _files(folder: Path, ending: str) -> list[Path]:
    if not folder.is_dir():
        return []
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in {".parquet", ".csv"} and path.stem.endswith(ending)
    ]


def _bars(kind: Literal["candles", "mark"], series: Series, path: Path) -> tuple[Listing, I64]:
    entry = Listing(
        kind, series.venue, series.symbol, series.interval, path, 0, 0, 0, 0, 0, path.stat().st_size
    )
    try:
        times = np.unique(np.concatenate(list(CandleFile(path, series.interval).times())))
    except DataError as error:
        return replace(entry, fault=str(error)), np.empty(0, np.int64)
    step = INTERVAL_MS[series.interval]
    holes = gaps(times, step)
    return _spanning(entry, times, len(holes), sum(count for _, count in holes)), times


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
    entry = Listing("funding", venue, symbol, "", path, 0, 0, 0, 0, 0, path.stat().st_size)
    try:
        known = read_funding(path)
    except DataError as error:
        return replace(entry, fault=str(error))
    due = due_between(known, int(known.time[0]), int(known.time[-1]) + 1)
    absent = np.isnan(due.rate)
    starts = np.flatnonzero(absent & ~np.concatenate([[False], absent[:-1]]))
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

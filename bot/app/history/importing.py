"""Import files of other layouts into our own: `bot import`.

Rules: all files are read and checked before one is written. Rows that are there already are merged:
equal ones once, others in order of time; a row that differs from the one that is there is refused,
by file and place. Importing twice changes nothing. What is written is Parquet under our own names;
a file that it takes the place of is kept beside it, with the ending `.imported`.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from bot.adapters.files.candle_files import read_candles, write_candles
from bot.adapters.files.candles import COLUMNS, Candles
from bot.adapters.files.data_root import DataRoot, Series
from bot.adapters.files.funding import Funding, read_funding, settlements_between, write_funding
from bot.adapters.files.layouts import Identity
from bot.app.history.import_merging import SeriesRows, merge
from bot.app.history.import_reading import ImportSource, Wanted, read_sources
from bot.app.history.progress import ASKED_FROM
from bot.blocks import F64, I64
from bot.errors import ConfigError, DataError
from bot.timegrid import INTERVAL_MS, gaps
from bot.timestamps import format_utc
from bot.venues import has_sessions
from bot.wording import counted

KEPT = ".imported"
"""The ending of a file that was taken into another."""

_OURS = frozenset({"timestamp", *COLUMNS, "funding_rate"})


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the files of one series.

    Attributes:
        files: that were read, and `layouts` of each.
        kind: candles, mark or funding.
        rows: read from the files; `new_rows` of them were not there before.
        total_rows: in `path` now.
        first_ms, last_ms: of the rows that were read.
        missing: bars, or rates at settlements, missing between them; None for venues with sessions.
        notes: what else there is to say, a sentence each.
    """

    files: tuple[Path, ...]
    layouts: tuple[str, ...]
    kind: str
    venue: str
    symbol: str
    interval: str
    path: Path
    rows: int
    new_rows: int
    total_rows: int
    first_ms: int
    last_ms: int
    missing: int | None
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """Return what to print."""
        missing = "" if self.missing is None else f", {self.missing:,} missing between them"
        what = " ".join(
            word for word in (self.venue, self.symbol, self.interval, self.kind) if word
        )
        files = self.files[0].name if len(self.files) == 1 else f"{len(self.files)} files"
        lines = [
            f"{what}: read as {' and '.join(dict.fromkeys(self.layouts))} from {files}",
            f"  {counted(self.rows, 'row')}, {format_utc(self.first_ms)} to {format_utc(self.last_ms)}{missing}",
            f"  {self.new_rows:,} new; {self.total_rows:,} in {self.path}",
            *(f"  {note}" for note in self.notes),
        ]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return plain values, times as text."""
        row = asdict(self) | {"files": [str(f) for f in self.files], "path": str(self.path)}
        return row | {k: format_utc(row.pop(f"{k}_ms")) for k in ("first", "last")}


def import_files(
    paths: Sequence[Path], root: str | Path, wanted: Wanted, now_ms: int
) -> list[Imported]:
    """Import files into a data root; return what became of each series.

    Args:
        paths: files of any layout that `layouts` has.
        root: where our files lie; made where missing.
        wanted: what the options say that the files hold.
        now_ms: bars that end after it are left out.

    Raises:
        ConfigError: a file does not tell what it holds, and no option does.
        DataError: a file cannot be read, or a row is faulty or contradicts another; nothing of
            that series is written.
    """
    return [plan.carry_out() for plan in _plans(paths, DataRoot.at(root), wanted, now_ms)]


def is_imported(path: Path, root: str | Path, wanted: Wanted, now_ms: int) -> bool:
    """Return whether all that a file holds is in our files already; the arguments are as above."""
    try:
        plans = _plans([path], DataRoot.at(root), wanted, now_ms)
    except (ConfigError, DataError):
        return False
    return not any(plan.changes for plan in plans)


def _plans(paths: Sequence[Path], where: DataRoot, wanted: Wanted, now_ms: int) -> list[_Plan]:
    sources = [source for path in paths for source in read_sources(path, wanted, now_ms)]
    of_series: dict[tuple[str, ...], list[ImportSource]] = {}
    for source in sources:
        holds = source.holds
        interval = "" if holds.kind == "funding" else holds.interval
        of_series.setdefault((holds.kind, holds.venue, holds.symbol, interval), []).append(source)
    return [_Plan(where, group) for group in of_series.values()]


class _Plan:
    """The files of one series, merged with what is there, not yet written; does it change that?"""

    def __init__(self, where: DataRoot, sources: Sequence[ImportSource]) -> None:
        self._sources, self._holds = sources, sources[0].holds
        self._target, present = _target(where, self._holds)
        read = {source.path.resolve() for source in sources}
        before = {path: _present_rows(path, self._holds, read) for path in present}
        self._before = [rows for rows in before.values() if rows is not None]
        self._new = merge([source.rows for source in sources])
        self._merged = merge([*self._before, self._new])
        values = self._merged.values
        self.changes = len(present) != 1 or not (
            self._before and _equal(self._before[0].values, values)
        )
        self._path = self._target if self.changes else present[0]
        self._aside = [
            path
            for path, rows in before.items()
            if rows is None or path != self._target or not _is_ours(path)
        ]

    def carry_out(self) -> Imported:
        """Write what is new, and put aside the files whose place it takes."""
        notes = [note for source in self._sources for note in source.notes]
        if self.changes:
            notes += self._write()
        known = [rows.time for rows in self._before]
        times = self._new.time
        return Imported(
            files=tuple(source.path for source in self._sources),
            layouts=tuple(source.layout for source in self._sources),
            kind=self._holds.kind,
            venue=self._holds.venue,
            symbol=self._holds.symbol,
            interval="" if self._holds.kind == "funding" else self._holds.interval,
            path=self._path,
            rows=len(times),
            new_rows=int((~np.isin(times, np.concatenate([times[:0], *known]))).sum()),
            total_rows=len(self._merged.time),
            first_ms=int(times[0]),
            last_ms=int(times[-1]),
            missing=_missing(times, self._holds),
            notes=tuple(dict.fromkeys(notes)),
        )

    def _write(self) -> list[str]:
        noted, notes = _noted(self._target), []
        kept = {path: _free_name(path) for path in self._aside}
        if self._target in kept:
            shutil.copy2(self._target, kept[self._target])
        if self._holds.kind == "funding":
            funding = Funding(self._merged.time, self._merged.values[:, 0])
            write_funding(self._target, funding, noted)
        else:
            candles = Candles(self._merged.time, self._merged.values)
            write_candles(self._target, candles.frame(), noted)
        for path, name in kept.items():
            if path != self._target:
                path.rename(name)
            notes.append(f"{path.name} is kept as {name.name}")
        return notes


def _target(where: DataRoot, holds: Identity) -> tuple[Path, list[Path]]:
    """Return the file to write, and the files of the series that are there."""
    if holds.kind == "funding":
        folder, stem = where.home / "funding", f"{holds.venue}_{holds.symbol}_funding"
    else:
        series = Series(holds.venue, holds.symbol, holds.interval)
        if holds.kind == "candles":
            present = where.files_of(series)
            folder = present[0].parent if present else where.candles_folder
            return folder / f"{series.stem}.parquet", present
        folder, stem = where.home / "mark", f"{series.stem}_mark"
    return folder / f"{stem}.parquet", where.files_named(folder, stem)


def _present_rows(path: Path, holds: Identity, imported: Set[Path]) -> SeriesRows | None:
    """Return the rows of a file that is there; None where it is read only by importing it."""

    def place(i: int) -> str:
        return f"{path} (row {i + 1})"

    try:
        if holds.kind == "funding":
            funding = read_funding(path)
            return SeriesRows(funding.time, funding.rate[:, np.newaxis], place)
        candles = read_candles(path, holds.interval)
    except DataError:
        if path.resolve() in imported:
            return None
        raise
    return SeriesRows(candles.time, candles.values, place)


def _is_ours(path: Path) -> bool:
    """Return whether a file loses nothing when it is written anew."""
    return path.suffix == ".parquet" and set(pq.read_schema(path).names) <= _OURS


def _noted(path: Path) -> dict[str, str]:
    """Return what a fetch has noted in a file that is there."""
    if not path.is_file():
        return {}
    metadata = pq.read_schema(path).metadata or {}
    return (
        {ASKED_FROM: metadata[ASKED_FROM.encode()].decode()}
        if ASKED_FROM.encode() in metadata
        else {}
    )


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}{KEPT}{n or ''}") for n in itertools.count())
    return next(name for name in names if not name.exists())


def _equal(a: F64, b: F64) -> bool:
    return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=True))


def _missing(times: I64, holds: Identity) -> int | None:
    if holds.kind == "funding":
        found = settlements_between(
            Funding(times, np.zeros(len(times))), int(times[0]), int(times[-1]) + 1
        )
        return int(np.isnan(found.rate).sum())
    if has_sessions(holds.venue):
        return None
    return sum(count for _, count in gaps(times, INTERVAL_MS[holds.interval]))

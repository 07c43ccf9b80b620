"""What a file that is to be imported holds: its layout, its series, and its rows in order.

Rules: what the file's name or its rows tell for certain is taken, what an option says goes before it,
and what neither tells is asked for. Each time is taken by its own unit, as long as the rows keep
to one direction. Left out, and noted: rows without any price, and bars that are not over. Must not
write.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bot.adapters.files.candle_tables import BarKind, candles_of, one_symbol
from bot.adapters.files.candles import COLUMNS, Candles, check_candles
from bot.adapters.files.funding import read_funding_table
from bot.adapters.files.layouts import Identity, Layout, TableShape, parts_of, recognise
from bot.adapters.files.layouts.layout import plain_symbol
from bot.adapters.files.row_order import order_rows
from bot.adapters.files.tables import FileTable, read_table
from bot.app.history.import_merging import SeriesRows
from bot.blocks import I64
from bot.errors import ConfigError, DataError
from bot.timegrid import DAY_MS, HOUR_MS, INTERVAL_MS, MINUTE_MS
from bot.timestamps import TimeReader
from bot.venues import VENUES, has_sessions, is_inverse, venue_row
from bot.wording import counted

_OWN_NAME = re.compile(
    rf"(?P<venue>{'|'.join(sorted(VENUES, key=len, reverse=True))})_(?P<symbol>[A-Za-z0-9.\-]+?)_"
    rf"((?P<interval>{'|'.join(INTERVAL_MS)})(?P<mark>_mark)?|funding)(?=$|[ _(\-.])"
)
_ENOUGH_ROWS = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options say a file holds, empty where they say nothing."""

    venue: str = ""
    symbol: str = ""
    interval: str = ""

    def __post_init__(self) -> None:
        """Refuse what no file of ours could be named.

        Raises:
            ConfigError: with the option and what it may be.
        """
        if self.venue:
            venue_row(self.venue, "--venue")
        if self.interval and self.interval not in INTERVAL_MS:
            raise ConfigError(
                f"--interval {self.interval}: expected one of {', '.join(INTERVAL_MS)}"
            )
        if self.symbol and not re.fullmatch(r"[A-Za-z0-9.\-]+", self.symbol):
            raise ConfigError(
                f"--symbol {self.symbol}: write it in letters, digits, '.' and '-', as BTCUSDT"
            )


@dataclass(frozen=True, slots=True)
class ImportSource:
    """A file, or a part of one, with all that it holds; `notes` say what reading did, a sentence each."""

    path: Path
    layout: str
    holds: Identity
    rows: SeriesRows
    notes: tuple[str, ...]


def read_sources(path: Path, wanted: Wanted, now_ms: int) -> list[ImportSource]:
    """Read a file, checked by the very checks of a backtest.

    Args:
        path: a file of any layout.
        wanted: what the options say.
        now_ms: bars that end after it are left out.

    Returns:
        one source a symbol; of a file that holds several, only the wanted one.

    Raises:
        ConfigError: the file does not tell what it holds, and no option does.
        DataError: the file cannot be read, is laid out in no known way, or has a faulty row.
    """
    parts = parts_of(read_table(path))
    found = [(part, *_identified(part)) for part in parts]
    if len(parts) > 1 and wanted.symbol:
        found = [entry for entry in found if entry[3].symbol == wanted.symbol]
        if not found:
            held = ", ".join(sorted(_identified(part)[2].symbol for part in parts))
            raise ConfigError(f"{path}: --symbol {wanted.symbol}: the file holds {held}")
    return [
        _read(part, layout, columns, identity=identity, wanted=wanted, now_ms=now_ms)
        for part, layout, columns, identity in found
    ]


def identify(table: FileTable) -> Identity | None:
    """Return what a table holds as far as it tells; None where it is laid out in no known way.

    Raises:
        DataError: a column stands there twice.
    """
    found = recognise(TableShape.of(parts_of(table)[0]))
    return _identified(parts_of(table)[0])[2] if found else None


def import_command(path: Path, root: str | Path, identity: Identity, venue: str) -> str:
    """Return the command that imports a file; `venue` stands in where nothing else tells it."""
    words = ["bot", "import", str(path), "--data", str(root)]
    if not identity.venue:
        words += ["--venue", identity.likely_venue or venue]
    if not identity.symbol:
        words += ["--symbol", "SYMBOL"]
    return shlex.join(words)


def _identified(table: FileTable) -> tuple[Layout, dict[str, str], Identity]:
    shape = TableShape.of(table)
    found = recognise(shape)
    if found is None:
        listed = ",".join(table.columns) if table.named else f"{len(table.columns)} unnamed columns"
        raise DataError(
            f"{table.path}: no known layout of candles or funding rates; expected "
            f"timestamp,open,high,low,close,volume or timestamp,funding_rate and found {listed}"
        )
    layout, columns = found
    identity = layout.identify(shape)
    own = _OWN_NAME.match(shape.stem)
    if own is not None:
        kind = "mark" if own["mark"] else identity.kind
        identity = Identity(kind, own["venue"], own["symbol"], own["interval"] or "")
    return layout, columns, identity


def _read(
    table: FileTable,
    layout: Layout,
    columns: dict[str, str],
    identity: Identity,
    wanted: Wanted,
    now_ms: int,
) -> ImportSource:
    held = plain_symbol(one_symbol(table, columns))
    if held and wanted.symbol and held != wanted.symbol:
        raise ConfigError(f"{table.path}: --symbol {wanted.symbol}: the rows are of {held}")
    holds = replace(
        identity,
        venue=wanted.venue or identity.venue,
        symbol=wanted.symbol or identity.symbol,
        interval=wanted.interval or identity.interval,
    )
    overruled = _overruled(identity, holds)
    if identity.kind == "funding":
        _ask(table.path, replace(holds, interval="-"))
        reader = TimeReader(daily=False, mixed=True)
        funding, notes = read_funding_table(table, reader)
        rows = SeriesRows(
            funding.time, funding.rate[:, np.newaxis], lambda i: f"{table.path}: row {i + 1}"
        )
        return ImportSource(
            table.path, layout.name, holds, rows, (*overruled, *_units(reader), *notes)
        )
    if not holds.interval:
        holds = replace(holds, interval=_interval(table, columns))
    _ask(table.path, holds)
    rows, notes = _candles(table, columns, holds, now_ms)
    if holds.kind == "candles" and is_inverse(holds.venue):
        notes = (*notes, *_count_contracts(rows, layout))
    return ImportSource(table.path, layout.name, holds, rows, (*overruled, *notes))


def _count_contracts(rows: SeriesRows, layout: Layout) -> list[str]:
    """Let volumes of inverse contracts be in contracts of one USD and turnovers in coin; say what was done."""
    if layout.base_volume is None:
        return [
            "volume taken as contracts of one USD; if it is in coin, multiply it by the close first"
        ]
    if not layout.base_volume:
        return []
    close, volume, turnover = (COLUMNS.index(name) for name in ("close", "volume", "turnover"))
    rows.values[:, turnover] = rows.values[:, volume]
    rows.values[:, volume] = np.rint(rows.values[:, volume] * rows.values[:, close])
    return ["volume was in coin, as ccxt tells it: made contracts of one USD at each close"]


def _overruled(said: Identity, holds: Identity) -> list[str]:
    """Say where an option overrules what the file says of itself."""
    return [
        f"the file says its {name} is {getattr(said, name)}; taken as {getattr(holds, name)}, "
        f"as --{name} says"
        for name in ("venue", "symbol", "interval")
        if getattr(said, name) not in {"", getattr(holds, name)}
    ]


def _ask(path: Path, holds: Identity) -> None:
    """Ask for what is not known."""
    unknown = [name for name in ("venue", "symbol", "interval") if not getattr(holds, name)]
    if unknown:
        examples = {"venue": holds.likely_venue or "bybit_linear", "symbol": "BTCUSDT"}
        options = " ".join(f"--{name} {examples.get(name, '1h')}" for name in unknown)
        raise ConfigError(
            f"{path}: neither its name nor its rows tell the {' and '.join(unknown)}; add, for example, "
            f"{options}"
        )
    venue_row(holds.venue, "--venue")


def _candles(
    table: FileTable, columns: dict[str, str], holds: Identity, now_ms: int
) -> tuple[SeriesRows, tuple[str, ...]]:
    bars = BarKind(holds.interval, holds.kind, has_sessions(holds.venue))
    reader = bars.time_reader(mixed=True)
    candles = candles_of(table, columns, bars, reader)
    notes = _units(reader)
    if len(reader.kinds) > 1:
        _refuse_turns(table, candles.time)
    empty = np.isnan(candles.values[:, :4]).all(axis=1)
    if holds.kind == "candles" and np.isnan(candles.column("volume")[~empty]).all():
        raise DataError(
            f"{table.path}: has no volume, which a backtest needs; write it out with its volume "
            "(TradingView exports what the chart shows: show the volume first)"
        )
    open_still = candles.time + INTERVAL_MS[holds.interval] > now_ms
    for left_out, why in (
        (empty, "without a price"),
        (open_still & ~empty, "of a bar not over yet"),
    ):
        if left_out.any():
            count = int(left_out.sum())
            notes.append(f"{counted(count, 'row')} {why}: left out")
    index = np.flatnonzero(~(empty | open_still))
    if len(index) == 0:
        raise DataError(f"{table.path}: has no finished bar with a price")
    order = order_rows(
        candles.time[index], candles.values[index], str(table.path), lambda i: table.place(index[i])
    )
    kept = index[order.rows]
    candles = Candles(candles.time[kept], candles.values[kept])
    _refuse_wider(table.path, candles.time, holds.interval)
    check_candles(
        candles, holds.interval, str(table.path), lambda i: table.place(int(kept[i])),
        sessions=bars.sessions,
    )  # fmt: skip
    place = lambda i: f"{table.path}: {table.place(int(kept[i]))}"  # noqa: E731
    return SeriesRows(candles.time, candles.values, place), (*notes, *order.notes)


def _units(reader: TimeReader) -> list[str]:
    if len(reader.kinds) < 2:
        return []
    return [f"times in {' and in '.join(reader.kinds)}: each read by its own unit"]


def _refuse_turns(table: FileTable, time: I64) -> None:
    """Refuse times of several units that do not keep to one direction: one may be misread."""
    steps = np.diff(time)
    if np.any(steps < 0) and np.any(steps > 0):
        turn = int(np.argmax(steps < 0 if (steps > 0).sum() > (steps < 0).sum() else steps > 0)) + 1
        raise DataError(
            f"{table.path}: {table.place(turn)}: the times are of several units and turn back here; "
            "make a file of each unit, or sort the rows"
        )


def _interval(table: FileTable, columns: dict[str, str]) -> str:
    """Return the interval that most rows are apart, empty where it is none of ours."""
    reader = TimeReader(daily=False, mixed=True)
    steps = np.diff(np.unique(table.times(columns["timestamp"], reader)))
    if len(steps) == 0:
        return ""
    usual, count = np.unique(steps, return_counts=True)
    step = int(usual[np.argmax(count)])
    return next((name for name, ms in INTERVAL_MS.items() if ms == step), "")


def _refuse_wider(path: Path, time: I64, interval: str) -> None:
    """Refuse rows that are never as near to one another as bars of the interval."""
    steps = np.diff(time)
    if len(time) >= _ENOUGH_ROWS and int(steps.min()) > INTERVAL_MS[interval]:
        raise DataError(
            f"{path}: the rows are at least {_length(int(steps.min()))} apart, so they are no "
            f"{interval} bars; correct --interval, or the file's name"
        )


def _length(ms: int) -> str:
    for size, unit in ((DAY_MS, "d"), (HOUR_MS, "h")):
        if ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms // MINUTE_MS}m"

"""Forecasts made elsewhere: read a file of them and lay them on the bar grid.

Rules: a file of any ending that candles may have, with the columns timestamp (the open time of the
bar at whose close the forecast was known), symbol, return and p_up, optionally volatility and
volume, all in the units of the targets; one row a symbol and bar. On daily bars a time is its date.
A forecast outside the run's span is left out; inside it, one
that fits no bar is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot.adapters.files.layouts import TableShape
from bot.adapters.files.layouts.layout import refuse_doubles, squash, squashed, time_column
from bot.adapters.files.tables import FileTable, read_table
from bot.blocks import F64, I64, Bool
from bot.errors import DataError
from bot.timegrid import DAY_MS
from bot.timestamps import TimeReader, format_utc

_NEEDED = ("symbol", "return", "p_up")
_NUMBERS = ("return", "p_up", "volatility", "volume")
_PLAUSIBLE = (
    ("return", 10.0, "a fraction, such as 0.01"),
    ("volatility", 10.0, "a fraction, such as 0.01"),
    ("volume", 100.0, "a logarithm"),
)
"""The largest number, either way, that a forecast of each column can be, and what it is to be."""


@dataclass(frozen=True, slots=True)
class ForecastTable:
    """Forecasts on the grid, each float64[n, S], NaN where there is none.

    `expected_return` and `volatility` are fractions, `p_up` a probability, `volume` a logarithm.
    """

    expected_return: F64
    p_up: F64
    volatility: F64
    volume: F64

    def bars_covered(self) -> I64:
        """Return int64[S], the number of bars with a forecast of each symbol."""
        bars: I64 = np.isfinite(self.expected_return).sum(axis=0, dtype=np.int64)
        return bars


def read_forecasts(path: str | Path, symbols: Sequence[str], open_time: I64) -> ForecastTable:
    """Read a file of forecasts.

    Args:
        path: a file of any ending that candles may have.
        symbols: S names as in market.symbols.
        open_time: int64[n] ms UTC, the grid; n is at least 1.

    Raises:
        DataError: a column is missing, or a row is wrong; the message names file and row.
    """
    daily = len(open_time) > 1 and bool(np.all(open_time % DAY_MS == 0))
    rows = _read(Path(path), daily=daily)
    index = {name: i for i, name in enumerate(symbols)}
    column = np.array([index.get(name, -1) for name in rows.symbol], np.int64)
    inside = (rows.time >= open_time[0]) & (rows.time <= open_time[-1])
    place = np.minimum(np.searchsorted(open_time, rows.time), len(open_time) - 1)
    off_grid = inside & (open_time[place] != rows.time)
    _refuse(rows, column, off_grid, symbols)
    if not inside.any():
        raise DataError(
            f"{path}: no forecast lies in the run's bars, {_span(open_time)}; the file has "
            f"{_span(np.sort(rows.time))}"
        )
    grids = []
    for name in _NUMBERS:
        grid = np.full((len(open_time), len(symbols)), np.nan)
        if name in rows.numbers:
            grid[place[inside], column[inside]] = rows.numbers[name][inside]
        grids.append(grid)
    return ForecastTable(*grids)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a file as they stand there."""

    table: FileTable
    time: I64
    symbol: list[str]
    numbers: dict[str, F64]


def _read(path: Path, *, daily: bool) -> _Rows:
    table = read_table(path)
    names = _columns(table)
    return _Rows(
        table,
        table.times(names["timestamp"], TimeReader(daily=daily, fix="write all times in one unit")),
        [str(s) for s in table.frame[names["symbol"]]],
        {k: table.numbers(names[k]) for k in _NUMBERS if k in names},
    )


def _columns(table: FileTable) -> dict[str, str]:
    """Return the file's own name of each column."""
    shape = TableShape.of(table)
    own = squashed(shape)
    time = time_column(own) if table.named else None
    names = {"timestamp": time} if time is not None else {}
    names |= {k: own[squash(k)] for k in ("symbol", *_NUMBERS) if squash(k) in own}
    missing = [name for name in ("timestamp", *_NEEDED) if name not in names]
    if missing:
        raise DataError(
            f"{table.path}: no column {', '.join(missing)}; expected timestamp,{','.join(_NEEDED)} "
            f"and found {','.join(table.columns)}"
        )
    refuse_doubles(shape, names)
    return names


def _refuse(rows: _Rows, column: I64, off_grid: Bool, symbols: Sequence[str]) -> None:
    """Raise at the first kind of fault, with the first row that has it."""
    expected, p_up = rows.numbers["return"], rows.numbers["p_up"]
    volatility = rows.numbers.get("volatility", np.full(len(rows.time), np.nan))
    infinite = np.logical_or.reduce([np.isinf(values) for values in rows.numbers.values()])
    order = np.lexsort((column, rows.time))
    same = (np.diff(rows.time[order]) == 0) & (np.diff(column[order]) == 0)
    twice = np.zeros(len(rows.time), dtype=np.bool_)
    twice[order[1:][same]] = True
    kinds: list[tuple[Bool, str]] = [
        (column < 0, f"the symbol is none of the run's; expected one of {', '.join(symbols)}"),
        (twice, "a second forecast of this symbol and bar; keep one"),
        (off_grid, "no bar of the run opens at this time; write the open time of the bar"),
        (infinite, "a number is infinite; leave the cell empty where there is no forecast"),
        ((p_up < 0.0) | (p_up > 1.0), "p_up is no probability; expected 0 to 1"),
        (np.isnan(expected) != np.isnan(p_up), "return and p_up must both be there, or neither"),
        *(
            (
                np.abs(rows.numbers[name]) > most,
                f"{name} is beyond {most:g}, which no forecast is; write {what}",
            )
            for name, most, what in _PLAUSIBLE
            if name in rows.numbers
        ),
        (volatility <= 0.0, "volatility is not positive; leave the cell empty where not known"),
    ]
    for faulty, text in kinds:
        if faulty.any():
            i, count = int(np.argmax(faulty)), int(faulty.sum())
            moment = format_utc(int(rows.time[i]))
            more = f" ({count} such rows)" if count > 1 else ""
            raise DataError(
                f"{rows.table.path}: {rows.table.place(i)}: {rows.symbol[i]} at {moment}: "
                f"{text}{more}"
            )


def _span(times_ms: I64) -> str:
    return f"{format_utc(int(times_ms[0]))} to {format_utc(int(times_ms[-1]))}"

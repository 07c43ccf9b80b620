"""Forecasts made elsewhere: read a file of them and lay them on the bar grid.

Rules: Parquet or CSV with the columns timestamp (the open time of the bar at whose close the
forecast was known), symbol, return and p_up, optionally volatility and volume, all in the units of
the targets; one row a symbol and bar. A forecast outside the run's span is left out; inside it, one
that fits no bar is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bot.adapters.csv_formats import numbers, read_table, resolve_columns, times
from bot.adapters.timestamps import UnreadableTimeError, format_utc, times_to_ms
from bot.blocks import F64, I64, Bool
from bot.errors import DataError

_NEEDED = ("symbol", "return", "p_up")
_NUMBERS = ("return", "p_up", "volatility", "volume")


@dataclass(frozen=True, slots=True)
class ForecastTable:
    """Forecasts on the grid, each float64[n, S], NaN where there is none.

    `expected_return` and `volatility` are fractions, `p_up` a probability, `volume` a logarithm.
    """

    expected_return: F64
    p_up: F64
    volatility: F64
    volume: F64


def read_forecasts(path: str | Path, symbols: Sequence[str], open_time: I64) -> ForecastTable:
    """Read a file of forecasts.

    Args:
        path: a .parquet or .csv file.
        symbols: S names as in market.symbols.
        open_time: int64[n] ms UTC, the grid; n is at least 1.

    Raises:
        DataError: a column is missing, or a row is wrong; the message names file and row.
    """
    rows = _read(Path(path))
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
    """The rows of a file as they stand there; `word` and `first` name the place of one."""

    path: Path
    word: str
    first: int
    time: I64
    symbol: list[str]
    numbers: dict[str, F64]


def _read(path: Path) -> _Rows:
    if path.suffix == ".csv":
        table, line = read_table(path)
        names = resolve_columns(table.columns, _NEEDED, path)
        time = times(table[names["timestamp"]], path, line, daily=False)
        cells = {k: numbers(table[names[k]], path, line) for k in _NUMBERS if k in names}
        return _Rows(path, "line", line, time, table[names["symbol"]].tolist(), cells)
    if path.suffix != ".parquet":
        raise DataError(f"{path}: expected a .parquet or .csv file of forecasts")
    try:
        frame: pd.DataFrame = pq.read_table(path, partitioning=None).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from None
    names = resolve_columns(frame.columns, _NEEDED, path)
    if len(frame) == 0:
        raise DataError(f"{path}: has no rows; write a row a symbol and bar")
    try:
        time = times_to_ms(_utc(frame[names["timestamp"]]), daily=False)
    except UnreadableTimeError as error:
        raise DataError(f"{path}: row {error.index + 1}: {error}") from None
    try:
        cells = {k: frame[names[k]].to_numpy(dtype=np.float64) for k in _NUMBERS if k in names}
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: expected numbers in {', '.join(_NUMBERS)}: {error}") from None
    return _Rows(path, "row", 1, time, [str(s) for s in frame[names["symbol"]]], cells)


def _utc(column: pd.Series[Any]) -> npt.NDArray[Any]:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert(None)
    return column.to_numpy()


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
        (volatility <= 0.0, "volatility is not positive; leave the cell empty where not known"),
    ]
    for faulty, text in kinds:
        if faulty.any():
            i, count = int(np.argmax(faulty)), int(faulty.sum())
            moment = format_utc(int(rows.time[i]))
            more = f" ({count} such rows)" if count > 1 else ""
            raise DataError(
                f"{rows.path}: {rows.word} {rows.first + i}: {rows.symbol[i]} at {moment}: "
                f"{text}{more}"
            )


def _span(times_ms: I64) -> str:
    return f"{format_utc(int(times_ms[0]))} to {format_utc(int(times_ms[-1]))}"

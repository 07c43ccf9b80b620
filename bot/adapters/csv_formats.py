"""Candles and other tables in CSV: plain ones, and what yfinance exports.

Owns the dialects. Plain: a header `timestamp,open,high,low,close,volume[,turnover]`, in any order
and case. yfinance: `Date,Open,High,Low,Close,Adj Close,Volume`, and the three header rows (`Price`,
`Ticker`, `Date`) of its newer versions. Where there is an `Adj Close`, `Close` is kept as it is,
that is adjusted for splits and not for dividends: nobody ever traded at a price adjusted for
dividends. (Without an `Adj Close` the file may be adjusted for both; it does not tell.)
Numbers are read exactly, as Python reads them. Must not judge prices: `candles.py` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bot.adapters.candles import COLUMNS, Candles
from bot.adapters.timestamps import UnreadableTimeError, times_to_ms
from bot.blocks import F64
from bot.errors import DataError
from bot.timegrid import DAY_MS, INTERVAL_MS

_TIME_NAMES = ("timestamp", "date", "datetime")
_MISSING = frozenset({"", "nan", "null", "none", "na", "n/a"})


def read_candle_csv(path: Path, interval: str) -> tuple[Candles, int]:
    """Read candles, unchecked; return them and the number of the first one's line in the file.

    Raises:
        DataError: the file cannot be read as CSV, lacks a column, or has a cell that is no number.
    """
    table, first_line = read_table(path)
    names = resolve_columns(table.columns, COLUMNS[:5], path)
    values = np.full((len(table), len(COLUMNS)), np.nan)
    for k, name in enumerate(COLUMNS):
        if name in names:
            values[:, k] = numbers(table[names[name]], path, first_line)
    daily = INTERVAL_MS[interval] >= DAY_MS
    return Candles(
        times(table[names["timestamp"]], path, first_line, daily=daily), values
    ), first_line


def read_table(path: Path) -> tuple[pd.DataFrame, int]:
    """Read a CSV as text; return it with the number of the first data row's line.

    Raises:
        DataError: it is empty, unreadable, or holds several tickers.
    """
    try:
        table = pd.read_csv(
            path, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig"
        )
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: not a readable CSV file: {error}") from None
    first_line = 2
    if table.columns[0].lower() == "price" and len(table) >= 2 and table.iloc[0, 0] == "Ticker":
        tickers = sorted(set(table.iloc[0, 1:]))
        if len(tickers) != 1:
            raise DataError(
                f"{path}: holds several tickers ({', '.join(tickers)}); export one ticker a file"
            )
        table = table.iloc[2:].rename(columns={table.columns[0]: "Date"})
        first_line = 4
    filled = np.flatnonzero((table != "").any(axis=1).to_numpy())
    table = table.iloc[: filled[-1] + 1 if len(filled) else 0]
    if len(table) == 0:
        raise DataError(f"{path}: has no rows; delete it, or fetch it again")
    return table.reset_index(drop=True), first_line


def resolve_columns(present: Iterable[str], needed: Sequence[str], path: Path) -> dict[str, str]:
    """Return the file's own name of each column by its plain name: `timestamp`, `open`, ….

    Raises:
        DataError: a needed column, or the column of times, is missing, or one stands there twice.
    """
    names: dict[str, str] = {}
    listed = list(present)
    for own in listed:
        plain = own.strip().lower()
        plain = "timestamp" if plain in _TIME_NAMES else plain
        if plain in names:
            raise DataError(f"{path}: column '{plain}' stands there twice; remove one")
        names[plain] = own
    missing = [name for name in ("timestamp", *needed) if name not in names]
    if missing:
        raise DataError(
            f"{path}: no column {', '.join(missing)}; expected timestamp,{','.join(needed)} "
            f"and found {','.join(listed)}"
        )
    return names


def numbers(column: pd.Series[Any], path: Path, first_line: int) -> F64:
    """Return float64[m] of a column of texts, NaN where a cell is empty.

    Raises:
        DataError: a cell is no number.
    """
    cells: npt.NDArray[Any] = column.to_numpy(dtype=object)
    parsed = np.empty(len(cells))
    for i, cell in enumerate(cells):
        try:
            parsed[i] = float(cell)
        except ValueError:
            if cell.strip().lower() not in _MISSING:
                raise DataError(
                    f"{path}: line {first_line + i}: {column.name} is '{cell}', expected a number"
                ) from None
            parsed[i] = np.nan
    return parsed


def times(
    column: pd.Series[Any], path: Path, first_line: int, *, daily: bool
) -> npt.NDArray[np.int64]:
    """Return int64[m] ms UTC of a column of texts.

    Raises:
        DataError: a cell is no time.
    """
    try:
        return times_to_ms(column.to_numpy(dtype=object), daily=daily)
    except UnreadableTimeError as error:
        raise DataError(f"{path}: line {first_line + error.index}: {error}") from None

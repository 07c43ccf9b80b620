"""What yfinance exports: one header row, or the two or three rows of its columns of two levels.

Where there is an `Adj Close`, `Close` is read as it is, that is adjusted for splits and not for
dividends: nobody ever traded at a price adjusted for dividends. (Without an `Adj Close` the file
may be adjusted for both; it does not tell.) Yahoo's names of US shares have no suffix; those of
currencies end in -USD.
"""

from __future__ import annotations

import re
from ast import literal_eval
from dataclasses import replace

from bot.adapters.files.layouts.layout import (
    NEEDED,
    Identity,
    Layout,
    TableShape,
    candle_columns,
    interval_of,
)
from bot.adapters.files.tables import FileTable
from bot.errors import DataError

_TIMES = ("Date", "Datetime")
_US_TICKER = re.compile(r"[A-Z]{1,5}(-[A-Z])?")
_NAME = re.compile(r"(?P<symbol>[A-Z][A-Z0-9.=^\-]{0,14})([_ -](?P<interval>\d+[mhd]))?")


def _columns(shape: TableShape) -> dict[str, str] | None:
    of_ticker = _levels(shape)
    if of_ticker:
        if len(of_ticker) > 1:
            raise DataError(
                f"{shape.path}: holds several tickers ({', '.join(sorted(of_ticker))}); export one "
                "ticker a file"
            )
        (columns,) = of_ticker.values()
        return columns if all(name in columns for name in NEEDED) else None
    known = [name for name in _TIMES if name in shape.columns]
    fields = {name.title() for name in NEEDED}
    if not known or not fields <= set(shape.columns):
        return None
    return candle_columns(shape)


def _levels(shape: TableShape) -> dict[str, dict[str, str]]:
    """Return the columns of each ticker of a file whose columns have two levels."""
    found: dict[str, dict[str, str]] = {}
    for own in shape.columns:
        pair = _pair(own)
        if pair is None:
            continue
        field, ticker = pair if pair[0].lower() in _FIELDS else pair[::-1]
        if field.lower() in NEEDED:
            found.setdefault(ticker, {"timestamp": _index(shape)})[field.lower()] = own
    return found


_FIELDS = frozenset({*NEEDED, "adj close", "dividends", "stock splits", "capital gains"})


def _pair(own: str) -> tuple[str, str] | None:
    if not own.startswith("('"):
        return None
    try:
        pair = literal_eval(own)
    except (ValueError, SyntaxError):
        return None
    return (str(pair[0]), str(pair[1])) if isinstance(pair, tuple) and len(pair) == 2 else None


def _index(shape: TableShape) -> str:
    """Return the column that is not of two levels, or whose second is empty: the times."""
    for own in shape.columns:
        pair = _pair(own)
        if pair is None or pair[1] == "" or pair[0] == "":
            return own
    return shape.columns[0]


def _parts(table: FileTable) -> list[FileTable]:
    shape = TableShape.of(table)
    of_ticker = _levels(shape)
    if len(of_ticker) < 2:
        return [table]
    index = _index(shape)
    kept = {
        ticker: [index, *(c for c in columns.values() if c != index)]
        for ticker, columns in of_ticker.items()
    }
    return [replace(table, frame=table.frame[columns]) for columns in kept.values()]


def _identify(shape: TableShape) -> Identity:
    match = _NAME.fullmatch(shape.stem)
    tickers = list(_levels(shape))
    symbol = tickers[0] if tickers else match["symbol"] if match else ""
    interval = interval_of(match["interval"]) if match and match["interval"] else ""
    return Identity("candles", _venue(symbol), symbol, interval, likely_venue="us")


def _venue(symbol: str) -> str:
    """Return the venue of Yahoo's name, empty where it is neither a US share nor a currency.

    >>> _venue("AAPL"), _venue("BTC-USD"), _venue("SAP.DE")
    ('us', 'yahoo', '')
    """
    if symbol.endswith("-USD"):
        return "yahoo"
    return "us" if _US_TICKER.fullmatch(symbol) else ""


YFINANCE = Layout("yfinance", _columns, _identify, _parts)

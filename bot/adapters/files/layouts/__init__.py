"""The layouts that are read, one module a family: to add one, write its module and enter it here.

layout          what a layout is
plain           our own, and files with named columns
binance         Binance Vision
bybit           Bybit's public history
ccxt            ccxt as JSON
cryptodatadownload CryptoDataDownload
freqtrade       freqtrade's data folder
tradingview     TradingView's export of a chart
yfinance        yfinance, one header row or three
"""

from __future__ import annotations

from bot.adapters.files.layouts.binance import BINANCE, BINANCE_FUNDING
from bot.adapters.files.layouts.bybit import BYBIT
from bot.adapters.files.layouts.ccxt import CCXT, CCXT_FUNDING
from bot.adapters.files.layouts.cryptodatadownload import CRYPTODATADOWNLOAD
from bot.adapters.files.layouts.freqtrade import FREQTRADE
from bot.adapters.files.layouts.layout import (
    Identity,
    Layout,
    SeriesKind,
    TableShape,
    refuse_doubles,
)
from bot.adapters.files.layouts.plain import PLAIN, PLAIN_FUNDING
from bot.adapters.files.layouts.tradingview import TRADINGVIEW
from bot.adapters.files.layouts.yfinance import YFINANCE
from bot.adapters.files.tables import FileTable
from bot.errors import DataError
from bot.parts.registry import shipped

LAYOUTS = (
    BINANCE_FUNDING, CCXT_FUNDING, BINANCE, BYBIT, CRYPTODATADOWNLOAD, TRADINGVIEW, FREQTRADE, CCXT,
    YFINANCE, PLAIN, PLAIN_FUNDING,
)  # fmt: skip
"""In the order in which they are tried: the more particular before the plainer."""

for _layout in LAYOUTS:
    shipped("importer", _layout.name, doc=f"files of {_layout.name}")(_layout)

_EXPECTED = {
    "candles": "timestamp,open,high,low,close,volume",
    "mark": "timestamp,open,high,low,close",
    "funding": "timestamp,funding_rate",
}


def recognise(shape: TableShape) -> tuple[Layout, dict[str, str]] | None:
    """Return a file's layout and the own names of its columns, None where it has none of them.

    Raises:
        DataError: the layout is one of several tickers, or a column stands there twice.
    """
    for layout in LAYOUTS:
        columns = layout.columns(shape)
        if columns is not None:
            refuse_doubles(shape, columns)
            return layout, columns
    return None


def parts_of(table: FileTable) -> list[FileTable]:
    """Return a table of each symbol that a file holds; mostly the table itself."""
    split = (layout.parts(table) for layout in LAYOUTS)
    return next((parts for parts in split if len(parts) > 1), [table])


def columns_of(shape: TableShape, kind: SeriesKind) -> dict[str, str]:
    """Return the file's own name of each plain column.

    Raises:
        DataError: no layout fits, or the file holds something else; the message lists both.
    """
    needed = _EXPECTED[kind].split(",")
    fitting = [columns for layout in LAYOUTS if (columns := layout.columns(shape)) is not None]
    whole = (columns for columns in fitting if all(name in columns for name in needed))
    columns = next(whole, fitting[0] if fitting else {})
    refuse_doubles(shape, columns)
    missing = [name for name in needed if name not in columns]
    if not missing:
        return columns
    listed = ",".join(shape.columns) if shape.named else f"{len(shape.columns)} unnamed columns"
    if shape.named and not columns:
        present = {name.strip().lower() for name in shape.columns}
        missing = [name for name in needed if name not in present] or missing
    raise DataError(
        f"{shape.path}: no column {', '.join(missing)}; expected {_EXPECTED[kind]} and found {listed}"
    )


__all__ = [
    "LAYOUTS",
    "Identity",
    "Layout",
    "SeriesKind",
    "TableShape",
    "columns_of",
    "parts_of",
    "recognise",
]

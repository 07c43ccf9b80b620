"""TradingView's export of a chart: `time,open,high,low,close,Volume`, named `BYBIT_BTCUSDT.P, 60.csv`.

`Volume` is there only if the chart shows it; a chart's last bar may not be over yet.
"""

from __future__ import annotations

import re

from bot.adapters.files.layouts.layout import (
    Identity,
    Layout,
    TableShape,
    candle_columns,
    interval_of,
    known_venue,
    plain_symbol,
)

_NAME = re.compile(
    r"(?P<exchange>[A-Z]+)_(?P<symbol>[A-Z0-9.!\-]+), (?P<interval>[0-9]+[DHW]?|[DW])"
    r"([ _].*)?"
)
_US = frozenset({"NASDAQ", "NYSE", "AMEX", "BATS", "ARCA"})


def _columns(shape: TableShape) -> dict[str, str] | None:
    return candle_columns(shape) if _NAME.fullmatch(shape.stem) else None


def _identify(shape: TableShape) -> Identity:
    match = _NAME.fullmatch(shape.stem)
    if match is None:
        return Identity()
    exchange, symbol = match["exchange"], match["symbol"]
    return Identity(
        "candles", _venue(exchange, symbol), plain_symbol(symbol), interval_of(match["interval"])
    )


def _venue(exchange: str, symbol: str) -> str:
    """Return the venue: TradingView marks perpetuals with .P, and names no exchange twice.

    >>> _venue("BYBIT", "BTCUSDT.P"), _venue("BINANCE", "BTCUSDT"), _venue("NASDAQ", "AAPL")
    ('bybit_linear', 'binance_spot', 'us')
    """
    if exchange in _US:
        return "us"
    if not symbol.endswith(".P"):
        return known_venue(exchange, "spot")
    return known_venue(exchange, "inverse" if symbol.endswith("USD.P") else "linear")


TRADINGVIEW = Layout("TradingView chart", _columns, _identify)

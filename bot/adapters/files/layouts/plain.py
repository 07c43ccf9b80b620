"""Our own layout, and any other that names its columns as people do: times, prices, volume."""

from __future__ import annotations

from bot.adapters.files.layouts.layout import (
    RATE_NAMES,
    Identity,
    Layout,
    TableShape,
    by_position,
    candle_columns,
    first_text,
    pair_and_interval,
    plain_symbol,
    squashed,
    time_column,
)

_ROW = ("timestamp", "open", "high", "low", "close", "volume", "turnover")


def _columns(shape: TableShape) -> dict[str, str] | None:
    if shape.named:
        return candle_columns(shape)
    width = len(shape.columns)
    return by_position(*_ROW[:width]) if width in {6, 7} else None


def _identify(shape: TableShape) -> Identity:
    symbol, interval = pair_and_interval(shape.stem)
    return Identity(symbol=plain_symbol(first_text(shape, ["symbol"])) or symbol, interval=interval)


def _funding_columns(shape: TableShape) -> dict[str, str] | None:
    if not shape.named:
        return by_position("timestamp", "funding_rate") if len(shape.columns) == 2 else None
    names = squashed(shape)
    time = time_column(names)
    rate = next((names[name] for name in RATE_NAMES if name in names), None)
    if time is None or rate is None:
        return None
    columns = {"timestamp": time, "funding_rate": rate}
    return columns | ({"symbol": names["symbol"]} if "symbol" in names else {})


def _identify_funding(shape: TableShape) -> Identity:
    return Identity("funding", symbol=plain_symbol(first_text(shape, ["symbol"])))


PLAIN = Layout("plain columns", _columns, _identify)
PLAIN_FUNDING = Layout("funding rates", _funding_columns, _identify_funding)

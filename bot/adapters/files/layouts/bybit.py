"""Bybit's public history of contracts: `start_at,symbol,period,open,…`, named SYMBOL_PERIOD_FROM_TO."""

from __future__ import annotations

from bot.adapters.files.layouts.layout import (
    Identity,
    Layout,
    TableShape,
    candle_columns,
    first_text,
    interval_of,
    pair_and_interval,
    squashed,
)


def _columns(shape: TableShape) -> dict[str, str] | None:
    names = squashed(shape)
    return candle_columns(shape) if {"startat", "period", "symbol"} <= names.keys() else None


def _identify(shape: TableShape) -> Identity:
    named, interval = pair_and_interval(shape.stem, "_")
    symbol = first_text(shape, ["symbol"]) or named
    period = interval_of(first_text(shape, ["period"])) or interval
    linear = symbol.endswith(("USDT", "USDC", "PERP"))
    venue = "bybit_linear" if linear else "bybit_inverse" if symbol.endswith("USD") else ""
    return Identity("candles", venue, symbol, period, likely_venue="bybit_linear")


BYBIT = Layout("Bybit public trading klines", _columns, _identify, base_volume=False)

"""What ccxt's fetch_ohlcv and fetch_funding_rate_history return, as JSON: lists of six; objects.

Volumes are in the base currency, those of inverse contracts since 2023-03 (https://github.com/ccxt/ccxt/pull/17297);
before, they were contracts.
"""

from __future__ import annotations

from bot.adapters.files.layouts.layout import (
    Identity,
    Layout,
    TableShape,
    by_position,
    first_text,
    pair_and_interval,
    plain_symbol,
    squashed,
)


def _is_json(shape: TableShape) -> bool:
    return shape.path.name.lower().endswith((".json", ".json.gz"))


def _columns(shape: TableShape) -> dict[str, str] | None:
    if shape.named or not _is_json(shape) or len(shape.columns) != 6:
        return None
    return by_position("timestamp", "open", "high", "low", "close", "volume")


def _identify(shape: TableShape) -> Identity:
    symbol, interval = pair_and_interval(shape.stem)
    return Identity(symbol=symbol, interval=interval)


def _funding_columns(shape: TableShape) -> dict[str, str] | None:
    names = squashed(shape)
    if not _is_json(shape) or not {"symbol", "fundingrate", "timestamp"} <= names.keys():
        return None
    wanted = {"timestamp": "timestamp", "funding_rate": "fundingrate", "symbol": "symbol"}
    return {plain: names[own] for plain, own in wanted.items()}


def _identify_funding(shape: TableShape) -> Identity:
    return Identity("funding", symbol=plain_symbol(first_text(shape, ["symbol"])))


CCXT = Layout("ccxt candles", _columns, _identify, base_volume=True)
CCXT_FUNDING = Layout("ccxt funding rates", _funding_columns, _identify_funding)

"""freqtrade's data: Feather, Parquet or JSON named `BTC_USDT-1h` or `BTC_USDT_USDT-1h-futures`.

Mark prices (`-mark`) and funding rates (`-funding_rate`, the rate stands in `open`) are candles of
the same columns. The exchange is only the name of the folder. Volumes are ccxt's (`ccxt.py`).
"""

from __future__ import annotations

import re

from bot.adapters.files.layouts.layout import (
    Identity,
    Layout,
    SeriesKind,
    TableShape,
    by_position,
    candle_columns,
    interval_of,
    known_venue,
)
from bot.venues import VENUES

_NAME = re.compile(
    r"(?P<base>[A-Z0-9]+)_(?P<quote>[A-Z]+)(_(?P<settle>[A-Z]+))?-(?P<interval>[0-9]+[mhd])"
    r"(-(?P<kind>futures|spot|mark|funding_rate))?"
)
_KINDS: dict[str | None, SeriesKind] = {"mark": "mark", "funding_rate": "funding"}
_EXCHANGES = frozenset({name.partition("_")[0] for name in VENUES})


def _columns(shape: TableShape) -> dict[str, str] | None:
    match = _NAME.fullmatch(shape.stem)
    columns = (
        candle_columns(shape)
        if shape.named
        else by_position("timestamp", "open", "high", "low", "close", "volume")
    )
    if match is None or columns is None or (not shape.named and len(shape.columns) != 6):
        return None
    if match["kind"] == "funding_rate":
        return {"timestamp": columns["timestamp"], "funding_rate": columns["open"]}
    return columns


def _identify(shape: TableShape) -> Identity:
    match = _NAME.fullmatch(shape.stem)
    if match is None:
        return Identity()
    exchange = next((part for part in reversed(shape.path.parts) if part in _EXCHANGES), "")
    settle = match["settle"]
    market = "spot" if settle is None else "inverse" if settle == match["base"] else "linear"
    return Identity(
        _KINDS.get(match["kind"], "candles"),
        known_venue(exchange, market),
        match["base"] + match["quote"],
        interval_of(match["interval"]),
        likely_venue=f"bybit_{market}",
    )


FREQTRADE = Layout("freqtrade", _columns, _identify, base_volume=True)

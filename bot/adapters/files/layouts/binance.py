"""Binance's public history (Binance Vision): klines of 12 columns, and funding rates.

Older files and all of spot have no header; since 2025 the times of spot are microseconds. Which
market a file is of, only its folder tells.
"""

from __future__ import annotations

from bot.adapters.files.layouts.layout import (
    Identity,
    Layout,
    SeriesKind,
    TableShape,
    by_position,
    candle_columns,
    pair_and_interval,
    squashed,
)

_WIDTH = 12


def _columns(shape: TableShape) -> dict[str, str] | None:
    if not shape.named:
        first = ("timestamp", "open", "high", "low", "close", "volume", "close_time", "turnover")
        return _without_close_time(by_position(*first)) if len(shape.columns) == _WIDTH else None
    names = squashed(shape)
    if "closetime" not in names or not {"quotevolume", "quoteassetvolume"} & names.keys():
        return None
    return candle_columns(shape)


def _without_close_time(columns: dict[str, str]) -> dict[str, str]:
    return {name: own for name, own in columns.items() if name != "close_time"}


def _identify(shape: TableShape) -> Identity:
    symbol, interval = pair_and_interval(shape.stem)
    folders = set(shape.path.parts)
    kind: SeriesKind = "mark" if "markPriceKlines" in folders else "candles"
    venue = _venue(folders) or ("binance_linear" if kind == "mark" else "")
    return Identity(kind, venue, symbol, interval, likely_venue="binance_spot")


def _venue(folders: set[str]) -> str:
    if "futures" in folders:
        return "binance_linear" if "um" in folders else "binance_coinm" if "cm" in folders else ""
    return "binance_spot" if "spot" in folders else ""


def _funding_columns(shape: TableShape) -> dict[str, str] | None:
    names = squashed(shape)
    if not shape.named or not {"calctime", "lastfundingrate"} <= names.keys():
        return None
    return {"timestamp": names["calctime"], "funding_rate": names["lastfundingrate"]}


def _identify_funding(shape: TableShape) -> Identity:
    symbol, dash, _ = shape.stem.partition("-fundingRate")
    return Identity(
        "funding", _venue(set(shape.path.parts)), symbol if dash else "",
        likely_venue="binance_linear",
    )  # fmt: skip


BINANCE = Layout("Binance Vision klines", _columns, _identify)
BINANCE_FUNDING = Layout("Binance Vision funding rates", _funding_columns, _identify_funding)

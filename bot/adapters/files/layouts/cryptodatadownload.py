"""CryptoDataDownload: a line with its address, `Unix,Date,Symbol,…,Volume BTC,Volume USDT`, newest first.

Its `Unix` changes between seconds and milliseconds within some files.
"""

from __future__ import annotations

import re

from bot.adapters.files.layouts.layout import (
    Identity,
    Layout,
    TableShape,
    candle_columns,
    first_text,
    interval_of,
    known_venue,
    plain_symbol,
    squash,
    squashed,
)

_NAME = re.compile(
    r"(?P<exchange>[A-Za-z]+)_(?P<symbol>[A-Z0-9]+)(_20\d\d)?_(?P<interval>[a-z0-9]+)"
)


def _columns(shape: TableShape) -> dict[str, str] | None:
    names, columns = squashed(shape), candle_columns(shape)
    symbol = plain_symbol(first_text(shape, ["symbol"]))
    volumes = {squash(own)[6:]: own for own in shape.columns if own.lower().startswith("volume ")}
    base = [own for coin, own in volumes.items() if coin and symbol.lower().startswith(coin)]
    quote = [own for coin, own in volumes.items() if coin and symbol.lower().endswith(coin)]
    if columns is None or not {"unix", "unixtimestamp"} & names.keys() or len(base) != 1:
        return None
    return columns | {"volume": base[0]} | ({"turnover": quote[0]} if len(quote) == 1 else {})


def _identify(shape: TableShape) -> Identity:
    match = _NAME.fullmatch(shape.stem)
    symbol = plain_symbol(first_text(shape, ["symbol"]))
    if match is None:
        return Identity(symbol=symbol)
    return Identity(
        "candles",
        known_venue(match["exchange"], "spot"),
        symbol,
        interval_of(match["interval"]),
        likely_venue="other_spot",
    )


CRYPTODATADOWNLOAD = Layout("CryptoDataDownload", _columns, _identify)

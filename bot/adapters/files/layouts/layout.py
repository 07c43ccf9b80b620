"""What a layout of files is: which column means what, and what the file's name and rows say it holds.

Owns the words that columns go by and the parts of file names. Must not read a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bot.adapters.files.tables import FileTable, split_ending
from bot.errors import DataError
from bot.timegrid import INTERVAL_MS, MINUTE_MS
from bot.venues import VENUES

SeriesKind = Literal["candles", "mark", "funding"]

PRICES = ("open", "high", "low", "close")
NEEDED = (*PRICES, "volume")

TIME_NAMES = (
    "opentime", "startat", "unix", "unixtimestamp", "timestamp", "time", "datetime", "date",
    "calctime", "fundingtime", "fundingratetimestamp", "fundingtimestamp", "index",
    "indexlevel0", "",
)  # fmt: skip
"""The names of a column of times, squashed; of several in one file the first here counts."""

RATE_NAMES = ("fundingrate", "lastfundingrate")
TURNOVER_NAMES = ("turnover", "quotevolume", "quoteassetvolume")


@dataclass(frozen=True, slots=True)
class TableShape:
    """What a layout is recognised by: the file's name, its columns and its first row."""

    path: Path
    columns: tuple[str, ...]
    named: bool
    sample: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, table: FileTable) -> TableShape:
        """Return a table's shape."""
        sample = dict(zip(table.columns, table.frame.iloc[0], strict=True))
        return cls(table.path, table.columns, table.named, sample)

    @property
    def stem(self) -> str:
        """Return the file's name without its ending."""
        split = split_ending(self.path.name)
        return split[0] if split else self.path.name.removesuffix(".zip")


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file holds; a part that it does not tell for certain is empty.

    `likely_venue` is a guess to offer, never one to act on.
    """

    kind: SeriesKind = "candles"
    venue: str = ""
    symbol: str = ""
    interval: str = ""
    likely_venue: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which files are laid out.

    Attributes:
        name: what people call it.
        columns: the file's own name of each plain column (`timestamp`, `open`, …, `turnover`, or
            `funding_rate`; `symbol` where rows name it); None where the file is laid out otherwise.
        identify: what the file holds.
        parts: a table of each symbol, where a file may hold several.
        base_volume: whether volumes of inverse contracts are in the base currency, and not, as the exchange has
            them, in contracts; None where that is not known.
    """

    name: str
    columns: Callable[[TableShape], dict[str, str] | None]
    identify: Callable[[TableShape], Identity]
    parts: Callable[[FileTable], list[FileTable]] = lambda table: [table]
    base_volume: bool | None = None


def squash(name: str) -> str:
    """Return a column's name in lower case, letters and digits only.

    >>> squash("Open time"), squash("open_time")
    ('opentime', 'opentime')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def squashed(shape: TableShape) -> dict[str, str]:
    """Return the file's own name of each column by its squashed name, the first of equal ones."""
    names: dict[str, str] = {}
    for own in shape.columns:
        names.setdefault(squash(own), own)
    return names


def time_column(names: Mapping[str, str]) -> str | None:
    """Return the file's own name of its column of times, None without one."""
    return next((names[name] for name in TIME_NAMES if name in names), None)


def candle_columns(shape: TableShape) -> dict[str, str] | None:
    """Return the columns of named candles, None where a price or the times are missing."""
    names = squashed(shape)
    time = time_column(names) if shape.named else None
    if time is None or not all(name in names for name in PRICES):
        return None
    columns = {"timestamp": time}
    columns |= {name: names[name] for name in (*NEEDED, "symbol") if name in names}
    turnover = next((names[name] for name in TURNOVER_NAMES if name in names), None)
    return columns | ({} if turnover is None else {"turnover": turnover})


def by_position(*names: str) -> dict[str, str]:
    """Return the columns of a file that names none, in their order.

    >>> by_position("timestamp", "open")
    {'timestamp': '1', 'open': '2'}
    """
    return {name: str(i + 1) for i, name in enumerate(names)}


def refuse_doubles(shape: TableShape, columns: Mapping[str, str]) -> None:
    """Refuse a file in which a column that is read stands twice.

    Raises:
        DataError: with the column's name.
    """
    for plain, own in columns.items():
        if sum(squash(name) == squash(own) for name in shape.columns if shape.named) > 1:
            raise DataError(f"{shape.path}: column '{plain}' stands there twice; remove one")


def interval_of(token: str) -> str:
    """Return the interval that a token of a file's name means, empty where none.

    >>> [interval_of(t) for t in ("1h", "60", "240", "1D", "d", "minute", "1M", "7h")]
    ['1h', '1h', '4h', '1d', '1d', '1m', '', '']
    """
    if token in INTERVAL_MS:
        return token
    words = {"minute": "1m", "hour": "1h", "hourly": "1h", "day": "1d", "daily": "1d", "d": "1d"}
    plain = words.get(token.lower(), token.lower() if token[-1:] in "DHhd" else "")
    if token.isascii() and token.isdigit() and int(token) < 1440:
        named = {ms: name for name, ms in INTERVAL_MS.items()}
        plain = named.get(int(token) * MINUTE_MS, "")
    return plain if plain in INTERVAL_MS else ""


def plain_symbol(text: str) -> str:
    """Return a pair as the exchanges' own name of it.

    >>> plain_symbol("BTC/USDT:USDT"), plain_symbol("BTC_USDT"), plain_symbol("BTCUSDT.P")
    ('BTCUSDT', 'BTCUSDT', 'BTCUSDT')
    """
    return re.sub(r"[/_]", "", text.strip().partition(":")[0].removesuffix(".P"))


def pair_and_interval(stem: str, separators: str = "-_") -> tuple[str, str]:
    """Return the symbol and interval with which a name begins, each empty where it has none.

    >>> pair_and_interval("BTCUSDT-1h-2024-01"), pair_and_interval("notes")
    (('BTCUSDT', '1h'), ('', ''))
    """
    match = re.match(rf"([A-Z0-9]+)[{separators}]([0-9]+[mhdD]?|[dD])(?=$|[{separators}. ])", stem)
    if match is None or not re.search("[A-Z]", match[1]):
        return "", ""
    interval = interval_of(match[2])
    return (match[1], interval) if interval else ("", "")


def known_venue(exchange: str, market: str) -> str:
    """Return an exchange's venue, empty where the table of venues has no such row.

    >>> known_venue("BYBIT", "linear"), known_venue("gemini", "spot")
    ('bybit_linear', '')
    """
    venue = f"{exchange.lower()}_{market}"
    return venue if venue in VENUES else ""


def first_text(shape: TableShape, names: Sequence[str]) -> str:
    """Return the first row's text in the first of these columns that the file has."""
    own = squashed(shape)
    return next((str(shape.sample.get(own[n], "")) for n in names if n in own), "")

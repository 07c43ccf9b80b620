"""The table of venues: what trades there, what it costs, when it is open, where its data can come from.

Rules: a venue is the first part of a candle file's name (`bybit_linear`, `us`, …). Whatever depends
on the venue asks this table; nothing else looks at the name's ending. A venue that is not in the
table is refused. Must not look at files.

Fees are the published ones of the lowest tier, a taker's for most of these exchanges 0.1 % on spot and
about 0.05 % on contracts; they change, and `costs.taker_fee` and `costs.maker_fee` override them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from bot.errors import ConfigError
from bot.parts.registry import shipped
from bot.timegrid import DAY_MS, INTERVAL_MS, MINUTE_MS

SESSIONS_PER_YEAR = 252
SESSION_MS = 390 * MINUTE_MS


class ProductKind(Enum):
    """What is traded: against cash, or a contract settled in the quote currency or in coin."""

    CASH = "cash"
    LINEAR = "linear contract"
    INVERSE = "inverse contract"


class Source(Enum):
    """Who can be asked for a venue's data; of the others there are only files."""

    FILES = "files"
    BYBIT = "Bybit"
    YAHOO = "Yahoo"


@dataclass(frozen=True, slots=True)
class Venue:
    """A row of the table.

    Attributes:
        taker_fee, maker_fee: fractions of the notional; the second of limit orders that rest.
        quote: the currency of all prices there, empty where each symbol has its own.
        sessions: closed at night, at weekends and on holidays, on days that only its files tell.
    """

    name: str
    kind: ProductKind
    taker_fee: float
    maker_fee: float
    source: Source = Source.FILES
    quote: str = ""
    sessions: bool = False

    @property
    def contract(self) -> bool:
        """Tell whether positions are contracts: they can be short, and pay funding."""
        return self.kind is not ProductKind.CASH

    @property
    def live(self) -> bool:
        """Tell whether the daemon can trade here."""
        return self.source is Source.BYBIT


VENUES = {
    row.name: row
    for row in (
        Venue("bybit_linear", ProductKind.LINEAR, 0.00055, 0.0002, Source.BYBIT),
        Venue("bybit_spot", ProductKind.CASH, 0.001, 0.001, Source.BYBIT),
        Venue("bybit_inverse", ProductKind.INVERSE, 0.00055, 0.0002, Source.BYBIT),
        Venue("binance_linear", ProductKind.LINEAR, 0.0005, 0.0002),
        Venue("binance_usdm", ProductKind.LINEAR, 0.0005, 0.0002),
        Venue("binance_spot", ProductKind.CASH, 0.001, 0.001),
        Venue("binance_coinm", ProductKind.INVERSE, 0.0005, 0.0002),
        Venue("okx_linear", ProductKind.LINEAR, 0.0005, 0.0002),
        Venue("okx_spot", ProductKind.CASH, 0.001, 0.0008),
        Venue("coinbase_spot", ProductKind.CASH, 0.006, 0.004),
        Venue("kraken_spot", ProductKind.CASH, 0.004, 0.0025),
        Venue("other_linear", ProductKind.LINEAR, 0.00055, 0.0002),
        Venue("other_spot", ProductKind.CASH, 0.001, 0.001),
        Venue("us", ProductKind.CASH, 0.0005, 0.0005, Source.YAHOO, quote="USD", sessions=True),
        Venue("yahoo", ProductKind.CASH, 0.0005, 0.0005, Source.YAHOO),
    )
}
"""Every known venue. `other_spot` and `other_linear` are for files of exchanges not named here; the
fee of `us` and `yahoo` stands for commission and exchange fees together."""
for _row in VENUES.values():
    shipped(
        "venue",
        _row.name,
        doc=f"{_row.kind.value}, taker fee {_row.taker_fee:g}, {_row.source.value}",
    )(_row)


def venue_row(name: str, key: str = "market.venue") -> Venue:
    """Return the row of a venue.

    Args:
        key: the setting an error names.

    Raises:
        ConfigError: there is no such venue.

    >>> venue_row("bybit_spot").contract
    False
    """
    if name in VENUES:
        return VENUES[name]
    close = difflib.get_close_matches(name, VENUES, n=2)
    meant = f"Did you mean {' or '.join(close)}? " if close else ""
    raise ConfigError(
        f"{key}: there is no venue '{name}'. {meant}Known are {', '.join(VENUES)}; files of another "
        "exchange can be named other_spot_… or other_linear_…"
    )


def split_symbol(name: str, venue: str) -> tuple[str, str]:
    """Return (venue, symbol) of a name in the settings, which may carry its own venue.

    >>> split_symbol("yahoo:BTC-USD", "us")
    ('yahoo', 'BTC-USD')
    >>> split_symbol("AAPL", "us")
    ('us', 'AAPL')
    """
    prefix, colon, symbol = name.partition(":")
    return (prefix, symbol) if colon else (venue, name)


def is_contract(venue: str) -> bool:
    """Return whether positions at this venue pay funding and can be short."""
    return venue_row(venue).contract


def is_inverse(venue: str) -> bool:
    """Return whether positions at this venue are contracts whose profit is in coin."""
    return venue_row(venue).kind is ProductKind.INVERSE


def has_sessions(venue: str) -> bool:
    """Return whether this venue is closed at times; one that is not known is taken to be open."""
    return venue in VENUES and VENUES[venue].sessions


def periods_per_year(venues: Iterable[str], interval: str) -> int:
    """Return the bars of a year by the calendar, not measured from gaps.

    252 sessions (of 6.5 hours, for shorter bars, the last of which may be cut short) where every
    venue has sessions; else 365 days round the clock, also where both kinds are mixed.

    >>> periods_per_year(["bybit_linear"], "1h"), periods_per_year(["us"], "1d")
    (8760, 252)
    >>> periods_per_year(["us"], "1h") // 252, periods_per_year(["us"], "30m") // 252
    (7, 13)
    >>> periods_per_year(["us", "yahoo"], "1d")
    365
    """
    step = INTERVAL_MS[interval]
    if all(has_sessions(venue) for venue in venues):
        return SESSIONS_PER_YEAR * -(-SESSION_MS // step)
    return 365 * DAY_MS // step

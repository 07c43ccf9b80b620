"""What a venue's name tells: whether it trades contracts, keeps sessions, and how long its year is.

Rules: a venue is the first part of a candle file's name (`bybit_linear`, `us`, …). A venue ending
in `_linear` or `_inverse` trades contracts that pay funding; `us` trades in sessions on days that only
its own files tell; every other venue trades round the clock. Must not look at files.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.timegrid import DAY_MS, INTERVAL_MS, MINUTE_MS

SESSION_VENUES = frozenset({"us"})
"""Venues that close at night, at weekends and on holidays."""

SESSIONS_PER_YEAR = 252
SESSION_MS = 390 * MINUTE_MS


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
    """Return whether positions at this venue pay funding."""
    return venue.endswith(("_linear", "_inverse"))


def has_sessions(venue: str) -> bool:
    """Return whether this venue is closed at times."""
    return venue in SESSION_VENUES


def periods_per_year(venues: Iterable[str], interval: str) -> int:
    """Return the bars of a year by the calendar, not measured from gaps.

    252 sessions (of 6.5 hours, for shorter bars) where every venue has sessions; else 365 days
    round the clock, also where both kinds are mixed.

    >>> periods_per_year(["bybit_linear"], "1h"), periods_per_year(["us"], "1d")
    (8760, 252)
    >>> periods_per_year(["us", "yahoo"], "1d")
    365
    """
    step = INTERVAL_MS[interval]
    if all(has_sessions(venue) for venue in venues):
        return SESSIONS_PER_YEAR if step >= DAY_MS else SESSIONS_PER_YEAR * SESSION_MS // step
    return 365 * DAY_MS // step

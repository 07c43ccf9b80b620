"""The symbols of a run, those of the settings or the synthetic market's own, and their year."""

from __future__ import annotations

from bot.config import Config
from bot.practice.synthetic import symbol_names
from bot.venues import periods_per_year, split_symbol


def traded_symbols(config: Config) -> tuple[str, ...]:
    """Return the names of the run's symbols, in the ledger's order."""
    if config.data.source == "synthetic":
        return symbol_names(config.synthetic.symbols)
    return config.market.symbols


def venues_of(config: Config, symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Return the venue of each symbol."""
    return tuple(split_symbol(name, config.market.venue)[0] for name in symbols)


def bars_a_year(config: Config, symbols: tuple[str, ...]) -> float:
    """Return what report.periods_per_year says, else the bars of a year by the calendar."""
    calendar = periods_per_year(venues_of(config, symbols), config.market.interval)
    return config.report.periods_per_year or calendar

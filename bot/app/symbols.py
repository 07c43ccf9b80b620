"""The symbols of a run, those of the settings or the synthetic market's own: instruments and year."""

from __future__ import annotations

from collections.abc import Mapping

from bot.adapters.files.instruments import load_instruments
from bot.config import Config
from bot.portfolio.instruments import Instrument
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


def known_instruments(config: Config, symbols: tuple[str, ...]) -> Mapping[str, Instrument]:
    """Return the instruments that are on file, by symbol; the synthetic market has none."""
    if config.data.source == "synthetic":
        return {}
    found: dict[str, Instrument] = {}
    for name in symbols:
        venue, symbol = split_symbol(name, config.market.venue)
        known = load_instruments(config.data.root, venue)
        if symbol in known:
            found[name] = known[symbol]
    return found

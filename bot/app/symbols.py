"""The symbols of a run, those of the settings or the synthetic market's own: instruments and year.

Where a universe chooses among all symbols that there are, they are named here once, before anything
else is looked at, so that the run's own settings have them by name.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bot.adapters.files.data_root import DataRoot
from bot.adapters.files.instruments import load_instruments
from bot.blocks import Bool
from bot.config import Config
from bot.config.schema import MarketSection
from bot.config.universe import MOST_SYMBOLS
from bot.errors import ConfigError, DataError
from bot.portfolio.denomination import check_symbols
from bot.portfolio.instruments import Instrument
from bot.practice.synthetic import SyntheticMarket, symbol_names
from bot.timegrid import INTERVAL_MS
from bot.venues import is_inverse, periods_per_year, split_symbol


def traded_symbols(config: Config) -> tuple[str, ...]:
    """Return the names of the run's symbols, in the ledger's order.

    Of the synthetic market those that market.symbols names, all where it names none of them.
    """
    named = config.market.symbols
    if config.data.source != "synthetic":
        return named
    made = made_symbols(config)
    return named if set(named) <= set(made) else made


def made_symbols(config: Config) -> tuple[str, ...]:
    """Return the names of all symbols of the synthetic market, which are inverse where the venue is."""
    return symbol_names(config.synthetic.symbols, inverse=is_inverse(config.market.venue))


def made_market(config: Config) -> SyntheticMarket:
    """Return the synthetic market of these settings."""
    interval_ms = INTERVAL_MS[config.market.interval]
    return SyntheticMarket(config.synthetic, interval_ms, inverse=is_inverse(config.market.venue))


def check_made(config: Config) -> None:
    """Refuse symbols that the synthetic market has not; the defaults stand for all that it has.

    Raises:
        ConfigError: with the names that it has.
    """
    named, made = config.market.symbols, traded_symbols(config)
    if config.data.source != "synthetic" or named == made or named == MarketSection().symbols:
        return
    has = ", ".join(made) if len(made) <= 3 else f"{made[0]}, {made[1]}, … {made[-1]}"
    raise ConfigError(
        f"market.symbols = {', '.join(named)}: data.source = 'synthetic' has {has}; name some of "
        "these, or leave market.symbols out for all"
    )


def venues_of(config: Config, symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Return the venue of each symbol."""
    return tuple(split_symbol(name, config.market.venue)[0] for name in symbols)


def inverse_of(config: Config, symbols: tuple[str, ...]) -> Bool | None:
    """Return bool[S], which symbols are held in contracts and coin; None for none."""
    inverse = np.array([is_inverse(venue) for venue in venues_of(config, symbols)], dtype=np.bool_)
    return inverse if inverse.any() else None


def bars_a_year(config: Config, symbols: tuple[str, ...]) -> float:
    """Return what report.periods_per_year says, else the bars of a year by the calendar."""
    calendar = periods_per_year(venues_of(config, symbols), config.market.interval)
    return config.report.periods_per_year or calendar


def known_instruments(config: Config, symbols: tuple[str, ...]) -> Mapping[str, Instrument]:
    """Return the instruments that are on file, by symbol; the synthetic market has none."""
    if config.data.source == "synthetic":
        return {}
    of_venue: dict[str, Mapping[str, Instrument]] = {}
    found: dict[str, Instrument] = {}
    for name in symbols:
        venue, symbol = split_symbol(name, config.market.venue)
        if venue not in of_venue:
            of_venue[venue] = load_instruments(config.data.root, venue)
        if symbol in of_venue[venue]:
            found[name] = of_venue[venue][symbol]
    return found


def with_candidates(config: Config) -> Config:
    """Return the settings with the symbols that a universe chooses among, where they name none.

    These are all that have candles of the venue and interval in the data root, but those that the
    account cannot hold.

    Raises:
        ConfigError: the account can hold none of them.
        DataError: the root is no folder, or has none, or too many.
    """
    market = config.market
    if not market.symbols_are_open or config.data.source == "synthetic":
        return config
    there = [
        series.symbol
        for series, _ in DataRoot.at(config.data.root).all_candle_files()
        if (series.venue, series.interval) == (market.venue, market.interval)
    ]
    names = tuple(dict.fromkeys(there))
    if not names:
        raise DataError(
            f"market.universe: {config.data.root} has no {market.interval} candles of {market.venue} to "
            "choose among; 'bot data' lists what there is, 'bot fetch --symbols' brings more"
        )
    instruments, refused = known_instruments(config, names), []
    held = []
    for name in names:
        try:
            check_symbols(config, [name], instruments)
            held.append(name)
        except ConfigError as error:
            refused.append(str(error))
    if not held:
        raise ConfigError("\n".join(refused[:5]))
    if len(held) > MOST_SYMBOLS:
        raise DataError(
            f"market.universe: {config.data.root} has {len(held)} symbols to choose among, and a run has "
            f"{MOST_SYMBOLS} at most; name these in market.symbols"
        )
    return config.model_copy(update={"market": market.model_copy(update={"symbols": tuple(held)})})

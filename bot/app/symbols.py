"""The symbols of a run: those of the settings, or the synthetic market's own."""

from __future__ import annotations

from bot.config import Config
from bot.practice.synthetic import symbol_names


def traded_symbols(config: Config) -> tuple[str, ...]:
    """Return the names of the run's symbols, in the ledger's order."""
    if config.data.source == "synthetic":
        return symbol_names(config.synthetic.symbols)
    return config.market.symbols

"""The symbols that a new live run's universe chooses among, where the settings name none.

Rules: the exchange's list is asked once, before the run is made, whose settings then name them. All
that it lists would be hundreds of symbols to follow for a few that are traded, so those with the
largest turnover of the last day are taken, several for each member. Must not rank members: the
universe does, by the run's own bars.
"""

from __future__ import annotations

import asyncio
import sys

from bot.adapters.bybit.exchange import BybitExchange
from bot.adapters.bybit.opening import open_bybit
from bot.app.runs.folder import config_of, resumable_run
from bot.config import Config
from bot.errors import ConfigError
from bot.log import Terminal
from bot.portfolio.denomination import check_symbols
from bot.portfolio.instruments import TRADED, Instrument

FOR_EACH_MEMBER = 3
LEAST, MOST = 10, 200
"""Candidates: below, a rule has little to choose from; above, a start would fetch for an hour."""


def with_live_candidates(config: Config, run_dir: str | None) -> Config:
    """Return the settings with the candidates, unless they name symbols: of a run that has begun its own.

    Raises:
        ConfigError: the exchange lists none that the account can hold.
        ExchangeError, DataError: it does not answer, or makes no sense.
    """
    if not config.market.symbols_are_open:
        return config
    begun = None if run_dir is None else resumable_run(run_dir)
    if begun is not None:
        return _with_symbols(config, config_of(begun).market.symbols)
    symbols = asyncio.run(_asked(config))
    Terminal(sys.stderr).write(
        f"market.universe: chooses among the {len(symbols)} symbols of {config.market.venue} with the "
        f"largest turnover of the last day: {', '.join(symbols)}\n"
    )
    return _with_symbols(config, symbols)


def _with_symbols(config: Config, symbols: tuple[str, ...]) -> Config:
    return config.model_copy(
        update={"market": config.market.model_copy(update={"symbols": symbols})}
    )


async def _asked(config: Config) -> tuple[str, ...]:
    exchange = open_bybit(config)
    try:
        return await candidates(exchange, config)
    finally:
        exchange.close()


async def candidates(exchange: BybitExchange, config: Config) -> tuple[str, ...]:
    """Return those that can be traded and held with the largest turnover of the last day."""
    rule = config.market.rule
    wanted = min(max(FOR_EACH_MEMBER * rule.most, LEAST), MOST) if rule else 0
    ranked = await exchange.by_turnover()
    refused = [f"market.universe: {config.market.venue} lists no symbol with any turnover"]
    found: list[str] = []
    while ranked and len(found) < wanted:
        some, ranked = ranked[:wanted], ranked[wanted:]
        told = await exchange.listed(some, tiers=False)
        for name in some:
            fault = _fault(config, name, told.get(name))
            if fault:
                refused.append(fault)
            else:
                found.append(name)
    if not found:
        raise ConfigError("\n".join(refused[:5]))
    return tuple(found[:wanted])


def _fault(config: Config, name: str, told: Instrument | None) -> str:
    if told is None or told.status not in TRADED:
        return f"market.universe: {name} is {'not listed' if told is None else told.status}"
    try:
        check_symbols(config, [name], {name: told})
    except ConfigError as error:
        return str(error)
    return ""

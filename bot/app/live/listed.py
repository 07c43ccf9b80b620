"""What the exchange says of a run's symbols at a start.

Rules: a new run does not begin before it is told, or where one cannot be traded; a run that resumes
has what it knows, and does without. Must not record anything.
"""

from __future__ import annotations

import asyncio
from typing import Any

from bot.adapters.exchange import Exchange
from bot.app.live.catch_up import LONGEST_RETRY_S
from bot.config import Config
from bot.errors import DataError, ExchangeError
from bot.portfolio.denomination import check_symbols
from bot.portfolio.instruments import Instrument


async def told_now(exchange: Exchange, config: Config, log: Any) -> dict[str, Instrument]:
    """Ask once what the exchange says of the symbols of a run that resumes; it does without too."""
    try:
        async with asyncio.timeout(config.exchange.request_timeout_s):
            return await exchange.listed(config.market.symbols)
    except (ExchangeError, DataError, TimeoutError) as error:
        reason = f"{str(error) or 'no answer in time'}; the run keeps the instruments that it has"
        log.warning("exchange_unreachable", reason=reason, retry_s=0.0)
        return {}


async def instruments_of_a_start(
    exchange: Exchange, config: Config, log: Any
) -> dict[str, Instrument]:
    """Ask for the instruments until they are answered.

    Raises:
        ConfigError: a symbol is not listed, or not one that the account can hold.
        DataError: what the exchange says of one makes no sense.
    """
    wait_s, symbols = 1.0, config.market.symbols
    while True:
        try:
            found = await exchange.instruments(symbols)
            check_symbols(config, symbols, found)
            return found
        except ExchangeError as error:
            log.warning("exchange_unreachable", reason=str(error), retry_s=wait_s)
        await asyncio.sleep(wait_s)
        wait_s = min(2.0 * wait_s, LONGEST_RETRY_S)

"""Bybit's REST client with what only a live run asks: quotes now."""

from __future__ import annotations

from typing import Any

from bot.adapters.bybit.answers import rows_of, shown, text
from bot.adapters.bybit.rest import BybitRest, category_of
from bot.errors import ExchangeError


class LiveRest(BybitRest):
    """A synchronous client of the public market data, with tickers."""

    def tickers(self, venue: str, symbol: str | None = None) -> dict[str, dict[str, Any]]:
        """Return the raw tickers of a venue, or of one symbol, by symbol.

        Raises:
            ExchangeError: it is out of reach, refuses, or answers nonsense.
        """
        query = {"category": category_of(venue)}
        if symbol is not None:
            query["symbol"] = symbol
        rows = rows_of(self._ask("get_tickers", **query), "list")
        found = {text(row, "symbol"): row for row in rows}
        if symbol is not None and found.keys() - {symbol}:
            raise ExchangeError(
                f"Bybit was asked for the ticker of {symbol} and answers of {shown(list(found))}; try "
                "again later"
            )
        return found

"""Bybit's REST client with what only a live run asks: quotes now."""

from __future__ import annotations

from typing import Any

from bot.adapters.bybit_rest import BybitRest, category_of
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
        rows = self._ask("get_tickers", **query).get("list")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ExchangeError(
                f"Bybit answers without tickers ({str(rows)[:80]}); try again later"
            )
        return {str(row.get("symbol")): row for row in rows}

"""Which connections a set of symbols needs, and what is subscribed to on each. Pure.

Rules: a category is a connection of its own, and so is every 20,000 characters of topics; spot takes
ten topics a request, each answered before the next. Quotes come from the tickers of contracts, and
from the top of the book of spot, whose tickers carry none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.adapters.bybit.rest import category_of
from bot.venues import split_symbol

SPOT_TOPICS = 10
"""Topics of a request; contracts have no limit."""

TOPIC_CHARACTERS = 20_000
"""Characters of topics on a connection; Bybit takes 21,000."""


@dataclass(frozen=True, slots=True)
class Link:
    """A connection: its category, (name in market.symbols, Bybit's symbol) of each, its interval."""

    category: str
    symbols: tuple[tuple[str, str], ...]
    code: str

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names in market.symbols."""
        return tuple(name for name, _ in self.symbols)

    @property
    def requests(self) -> list[tuple[str, ...]]:
        """Return the topics of each request to subscribe, in order.

        >>> Link("spot", (("BTCUSDT", "BTCUSDT"),), "60").requests
        [('kline.60.BTCUSDT', 'orderbook.1.BTCUSDT')]
        """
        topics = [
            t for _, symbol in self.symbols for t in topics_of(self.category, self.code, symbol)
        ]
        size = SPOT_TOPICS if self.category == "spot" else len(topics)
        return [tuple(topics[i : i + size]) for i in range(0, len(topics), size)]

    def named_in(self, message: str) -> tuple[str, ...]:
        """Return the names whose symbol or topic stands in a message of the exchange.

        >>> link = Link("linear", (("A", "AUSDT"), ("B", "BUSDT")), "60")
        >>> link.named_in("error:handler not found,topic:kline.60.BUSDT")
        ('B',)
        """
        words = set(words_of(message))
        return tuple(
            name
            for name, symbol in self.symbols
            if words & {symbol, *topics_of(self.category, self.code, symbol)}
        )


def plan_links(names: Sequence[str], venue: str, code: str) -> list[Link]:
    """Return the connections for these names of market.symbols.

    Raises:
        ConfigError: a venue is not Bybit's.

    >>> [(link.category, link.names) for link in plan_links(["A", "bybit_spot:A"], "bybit_linear", "60")]
    [('linear', ('A',)), ('spot', ('bybit_spot:A',))]
    """
    by_category: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        own_venue, symbol = split_symbol(name, venue)
        by_category.setdefault(category_of(own_venue), []).append((name, symbol))
    links = []
    for category, symbols in by_category.items():
        part: list[tuple[str, str]] = []
        characters = 0
        for name, symbol in symbols:
            more = sum(len(topic) + 3 for topic in topics_of(category, code, symbol))
            if part and characters + more > TOPIC_CHARACTERS:
                links.append(Link(category, tuple(part), code))
                part, characters = [], 0
            part.append((name, symbol))
            characters += more
        links.append(Link(category, tuple(part), code))
    return links


def words_of(message: str) -> list[str]:
    """Return the words of a message, of which a symbol and a topic are one each."""
    return re.findall(r"[\w.-]+", message)


def topics_of(category: str, code: str, symbol: str) -> tuple[str, str]:
    """Return a symbol's topics: its candles, and its quotes."""
    quotes = f"orderbook.1.{symbol}" if category == "spot" else f"tickers.{symbol}"
    return (f"kline.{code}.{symbol}", quotes)

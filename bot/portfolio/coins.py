"""The coins of an account that holds inverse contracts, beside its cash.

Rules: what a wallet of the exchange has is a coin's balance; what the position held has made since its entry is not in
it yet. Cash and the values of both, of all coins, at the marks are the equity. Must not change anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bot.blocks import Bool
from bot.portfolio.book import Book
from bot.portfolio.instruments import Instrument
from bot.venues import split_symbol


@dataclass(frozen=True, slots=True)
class CoinBalance:
    """A symbol's coins.

    Attributes:
        symbol: as the settings name it.
        coin: the currency.
        balance: in coin, what trips, fees and funding have left; negative where the account owes them.
        made: in coin, by the position held since its entry; 0 without one.
        mark: price of the coin at the last close.
        value: of balance and made at the mark, in the quote currency.
    """

    symbol: str
    coin: str
    balance: float
    made: float
    mark: float
    value: float


def inverse_symbols(symbols: Sequence[str], inverse: Bool | None) -> tuple[str, ...]:
    """Return those of these symbols that are held in contracts, whose profit is in coin."""
    return () if inverse is None else tuple(symbols[s] for s in np.flatnonzero(inverse).tolist())


def coin_balances(
    symbols: Sequence[str], book: Book, inverse: Bool | None, instruments: Mapping[str, Instrument]
) -> tuple[CoinBalance, ...]:
    """Return the coins of an account, symbol by symbol; nothing of linear symbols and of what has none.

    Args:
        symbols: S names.
        book: after a close.
        inverse: bool[S], which symbols are held in contracts; None for none.
        instruments: by symbol, those that are known.
    """
    found: list[CoinBalance] = []
    if inverse is None:
        return ()
    for s in np.flatnonzero(
        inverse & ((book.quantity != 0.0) | (book.holding["coin"] != 0.0))
    ).tolist():
        quantity, mark = float(book.quantity[s]), float(book.mark[s])
        entry, coins = float(book.holding["entry"][s]), float(book.holding["coin"][s])
        brought = quantity / entry if quantity else 0.0
        owed = quantity / mark
        found.append(
            CoinBalance(
                symbols[s], _currency(symbols[s], instruments.get(symbols[s])), coins - brought,
                made=brought - owed, mark=mark, value=coins * mark - quantity,
            )
        )  # fmt: skip
    return tuple(found)


def _currency(symbol: str, known: Instrument | None) -> str:
    """Return the coin of an inverse symbol: as the exchange says, else what is before USD in its name."""
    return known.base if known and known.base else split_symbol(symbol, "")[1].removesuffix("USD")

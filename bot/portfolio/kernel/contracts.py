"""The arithmetic of contracts: what a quantity is worth, linear or inverse.

Of a linear symbol a quantity is in the base currency, and its money is the quote currency. Of an inverse
one it is a number of contracts of one unit of the quote currency each, and its money is the base currency, the coin:
N contracts bought at p bring N / p coins and owe N of the quote, so that at a mark m they are worth
N (m / p - 1), which is Bybit's N (1/p - 1/m) in coin. The book carries the coins (`holding.coin`) from one position
to the next: what was realised stays in coin, and moves with its price.

Source: https://www.bybit.com/en/help-center/article/Profit-Loss-calculations-Inverse-Contracts and
https://www.bybit.com/en/help-center/article/Liquidation-Price-Calculation-under-Isolated-Mode-Inverse-Contract

Rules: only here is it known what tells the two apart; "own money" is what a symbol's profit and margin are
in. The plain account knows no inverse symbol.
"""

from __future__ import annotations

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.compiling import hot


@hot
def is_inverse(s: int, full: FullAccount | None) -> bool:
    """Tell whether a symbol's money is its coin."""
    if full is not None and full.has_inverse:
        return bool(full.inverse[s])
    return False


@hot
def value_of(s: int, quantity: float, price: float, full: FullAccount | None) -> float:
    """Return what a quantity is in the quote currency at a price, signed as it is."""
    return quantity if is_inverse(s, full) else quantity * price


@hot
def quantity_of(s: int, value: float, price: float, full: FullAccount | None) -> float:
    """Return the quantity of a value in the quote currency."""
    return value if is_inverse(s, full) else value / price


@hot
def base_of(s: int, quantity: float, price: float, full: FullAccount | None) -> float:
    """Return what a quantity is in the base currency at a price, signed as it is."""
    return quantity / price if is_inverse(s, full) else quantity


@hot
def own_value_of(s: int, quantity: float, price: float, full: FullAccount | None) -> float:
    """Return what a quantity is in the symbol's own money, without its sign: of which its margin is a share."""
    return abs(quantity) / price if is_inverse(s, full) else abs(quantity) * price


@hot
def own_price(s: int, price: float, full: FullAccount | None) -> float:
    """Return what one unit of the symbol's own money is in the quote currency."""
    return price if is_inverse(s, full) else 1.0


@hot
def made_of(s: int, quantity: float, entry: float, price: float, full: FullAccount | None) -> float:
    """Return what a position has made since its entry, in the symbol's own money."""
    if is_inverse(s, full):
        return quantity * (1.0 / entry - 1.0 / price)
    return quantity * (price - entry)


@hot
def price_of_loss(
    s: int, quantity: float, entry: float, loss: float, full: FullAccount | None
) -> float:
    """Return the price at which a position has lost so much of the symbol's own money."""
    if is_inverse(s, full):
        return quantity / (quantity / entry + loss)
    return entry - loss / quantity


@hot
def entry_of(
    s: int, held: float, entry: float, quantity: float, price: float, full: FullAccount | None
) -> float:
    """Return the entry of a position and an increase: the mean, of what is in coin the harmonic one."""
    after = held + quantity
    if is_inverse(s, full):
        return after / (held / entry + quantity / price)
    return (held * entry + quantity * price) / after


@hot
def flow_of(s: int, quantity: float, price: float, full: FullAccount | None) -> float:
    """Return what a fill brings of the symbol's own money, before its fee."""
    return quantity / price if is_inverse(s, full) else -quantity * price


@hot
def worth_of(s: int, price: float, book: Book, full: FullAccount | None) -> float:
    """Return what is held of a symbol, its coins among it, in the quote currency."""
    quantity = book.quantity[s]
    worth: float = quantity * price
    if is_inverse(s, full):
        worth = book.holding[s].coin * price - quantity
    return worth


@hot
def has_worth(s: int, book: Book, full: FullAccount | None) -> bool:
    """Tell whether anything is held of a symbol, be it only coins."""
    held = bool(book.quantity[s] != 0.0)
    return held or (is_inverse(s, full) and bool(book.holding[s].coin != 0.0))


@hot
def pay(s: int, paid: float, price: float, book: Book, full: FullAccount | None) -> None:
    """Take a fee or funding, told in the quote currency, out of the symbol's own money."""
    account = book.account[0]
    if is_inverse(s, full):
        book.holding[s].coin -= paid / price
        account.bar_in_coin += paid
    else:
        account.cash -= paid


@hot
def exchange_coins(s: int, price: float, book: Book) -> None:
    """Turn a symbol's coins into cash."""
    account, holding = book.account[0], book.holding[s]
    brought = holding.coin * price
    account.cash += brought
    account.bar_in_coin += brought
    holding.coin = 0.0

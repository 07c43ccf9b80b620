"""Cash: what of an order can be paid where a symbol is paid in full.

Rules: the cash of an account is what is in its books, without the notional of contracts, which are
held on margin; nothing is lent unless `portfolio.borrow` allows it.
"""

from __future__ import annotations

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.kernel.compiling import cold
from bot.portfolio.kernel.margin import initial_margin
from bot.portfolio.kernel.orders import whole_lot
from bot.portfolio.rules import Rules

ISOLATED = int(MarginMode.ISOLATED)
DUST = 1e-9
"""Share of the cost of an order: less cash than that is what rounding left."""


@cold
def free_cash(book: Book, full: FullAccount) -> float:
    """Return the cash that can be spent: the wallet, less the margin of isolated positions."""
    free: float = book.account[0].cash
    for s in range(len(book.quantity)):
        if full.contract[s] and book.quantity[s] != 0.0:
            worth = book.quantity[s] * book.holding[s].entry
            free += worth
            if full.margin_mode == ISOLATED:
                free -= initial_margin(s, abs(worth), full)
    return free


@cold
def charge_interest(book: Book, full: FullAccount) -> None:
    """Charge a bar's interest on what is borrowed; it is in the fees."""
    paid = -min(free_cash(book, full), 0.0) * full.interest
    if paid > 0.0:
        account = book.account[0]
        account.cash -= paid
        account.bar_fees += paid
        account.fees += paid
        account.interest += paid


@cold
def payable(
    s: int, quantity: float, price: float, fee: float, book: Book, rules: Rules, full: FullAccount
) -> float:
    """Return the part of an order that the cash pays for, in whole steps; all of what needs none."""
    if quantity <= 0.0 or full.contract[s] or full.borrow:
        return quantity
    free = free_cash(book, full)
    cost = quantity * price + fee
    if cost <= free:
        return quantity
    if free <= DUST * cost:
        return 0.0
    return whole_lot(s, quantity * max(free, 0.0) / cost, price, rules)

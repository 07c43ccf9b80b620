"""Cash: what of an order can be paid where a symbol is paid in full, and what has its margin where margin
is isolated.

Rules: the cash of an account is what is in its books, without the notional of contracts, which are
held on margin; nothing is lent unless `portfolio.borrow` allows it. An isolated position sets aside its
initial margin and the fee for closing it at its bankruptcy price; what opens it has to find both, and the
fee for opening (Bybit's help centre, "Order Cost (USDT Contract)").
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.contracts import made_of, own_price, own_value_of
from bot.portfolio.kernel.margin import free_cash, set_aside
from bot.portfolio.kernel.orders import whole_lot
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import Rules

ISOLATED = int(MarginMode.ISOLATED)
NO_CASH, MARGIN = int(Refusal.NO_CASH), int(Refusal.MARGIN)
DUST = 1e-9
"""Share of the cost of an order: less cash than that is what rounding left."""
HALVINGS = 60


@cold
def charge_interest(book: Book, rules: Rules, full: FullAccount) -> None:
    """Charge a bar's interest on what is borrowed; it is in the fees."""
    paid = -min(free_cash(book, rules, full), 0.0) * full.interest
    if paid > 0.0:
        account = book.account[0]
        account.cash -= paid
        account.bar_fees += paid
        account.fees += paid
        account.interest += paid


@hot
def is_to_be_paid(s: int, quantity: float, book: Book, full: FullAccount) -> bool:
    """Tell whether an order has to find its cash, or its margin, when it is filled."""
    if not full.contract[s]:
        return quantity > 0.0 and not full.borrow
    held = book.quantity[s]
    reduces = quantity * held < 0.0 and abs(quantity) <= abs(held)
    return full.margin_mode == ISOLATED and quantity != 0.0 and not reduces


@hot
def what_lacks(s: int, full: FullAccount) -> int:
    """Return the Refusal of what could not be paid."""
    return MARGIN if full.contract[s] else NO_CASH


@cold
def payable(
    s: int, quantity: float, price: float, fee: float, book: Book, rules: Rules, full: FullAccount
) -> float:
    """Return the part of an order that the cash pays for, in whole steps."""
    free = free_cash(book, rules, full)
    if full.contract[s]:
        return _margined(s, quantity, price, fee, free, book, rules, full)
    cost = quantity * price + fee
    if cost <= free:
        return quantity
    if free <= DUST * cost:
        return 0.0
    return whole_lot(s, quantity * max(free, 0.0) / cost, price, rules, full)


@cold
def _margined(
    s: int, quantity: float, price: float, fee: float, free: float,
    book: Book, rules: Rules, full: FullAccount,
) -> float:  # fmt: skip
    """Return the part of an order for which there is margin where margin is isolated.

    What it closes it always may. With tiers the margin of a part is less than its share, so the share
    is found by halving.
    """
    held, entry = book.quantity[s], book.holding[s].entry
    free /= own_price(s, price, full)
    fee /= own_price(s, price, full)
    closes = 0.0
    kept = 0.0
    if held != 0.0:
        value = own_value_of(s, held, entry, full)
        free += set_aside(s, held, value, rules, full)
        if quantity * held < 0.0:
            closes = -held
            free += made_of(s, held, entry, price, full) - fee * abs(held / quantity)
        else:
            kept = value
    opens = quantity - closes
    fee *= opens / quantity
    value = own_value_of(s, opens, price, full)
    share, high = 0.0, 1.0
    if set_aside(s, opens, kept + value, rules, full) + fee <= free:
        return quantity
    for _ in range(HALVINGS):
        middle = 0.5 * (share + high)
        if set_aside(s, opens, kept + middle * value, rules, full) + middle * fee <= free:
            share = middle
        else:
            high = middle
    if share <= DUST:
        return closes
    return closes + math.copysign(whole_lot(s, share * abs(opens), price, rules, full), opens)

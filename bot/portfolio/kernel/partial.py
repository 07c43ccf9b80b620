"""Fills of the full account: as much of an order as market, exchange and cash allow; and its rest.

Rules: a bar fills at most a share of its volume, which at the open is that of the last bar closed, and
no more than the quote has that is met; a part is in whole steps and above the instrument's minima. What
is to be closed by anything but a signal waits until it is done, whatever `execution.excess` says.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.costs import begin_trial, costs
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.asked import SchemeCall
from bot.portfolio.kernel.booking import book_fill
from bot.portfolio.kernel.cash import is_to_be_paid, payable, what_lacks
from bot.portfolio.kernel.compiling import cold
from bot.portfolio.kernel.contracts import base_of, value_of
from bot.portfolio.kernel.orders import STEP_SLACK, whole_lot
from bot.portfolio.market import Market
from bot.portfolio.order_rules import Excess
from bot.portfolio.reasons import FillReason, Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Trace

DROP = int(Excess.DROP)
SIGNAL = int(FillReason.SIGNAL)
ACCEPTED = int(Refusal.NONE)
NO_CASH, MARGIN = int(Refusal.NO_CASH), int(Refusal.MARGIN)
PARTICIPATION, MAX_ORDER = int(Refusal.PARTICIPATION), int(Refusal.MAX_ORDER)


@cold
def fill_part(
    i: int, s: int, middle: float, quote: float, size: float, volume: float, book: Book,
    rules: Rules, market: Market, trace: Trace, count: int, scheme: SchemeCall,
    full: FullAccount,
) -> int:  # fmt: skip
    """Fill what can be filled of a pending order at the market, and return the number of fills.

    Args:
        middle, quote: as `costs` takes them.
        size: that the quote has, in what quantities are; NaN where it is not known.
        volume: of which the order may be a share.
    """
    asked = book.pending[s]
    part, refusal = portion(s, asked, middle, size, volume, book, rules, full)
    price = fee = spread = slippage = 0.0
    turnover = book.account[0].turnover
    if part != 0.0 and is_to_be_paid(s, part, book, full):
        begin_trial(s, scheme)
        price, fee, _, _ = costs(
            i, s, part, middle, quote, turnover, book, rules, market, scheme, full, True
        )
        paid = payable(s, part, price, fee, book, rules, full)
        if paid != part:
            part, refusal = paid, what_lacks(s, full)
    if part != 0.0:
        price, fee, spread, slippage = costs(
            i, s, part, middle, quote, turnover, book, rules, market, scheme, full, False
        )
    limit = book.holding[s].limit
    if limit != 0.0 and (price - limit) * part > 0.0:  # it takes no worse price than its limit
        price = limit
        fee = rules.taker_fee[s] * abs(value_of(s, part, price, full))
        slippage = (price - middle) * base_of(s, part, middle, full) - spread
    return book_part(
        i, s, part, price, fee, spread, slippage, refusal, book, rules, market, trace, count, full
    )


@cold
def portion(
    s: int, asked: float, price: float, size: float, volume: float,
    book: Book, rules: Rules, full: FullAccount,
) -> tuple[float, int]:  # fmt: skip
    """Return the part of an order that a bar may fill, and why it is not all."""
    orders, holding = full.orders, book.holding[s]
    most, refusal = math.inf, ACCEPTED
    if orders.max_participation > 0.0:
        most = max(orders.max_participation * volume - holding.traded, 0.0)
        most = min(most, size)
        refusal = PARTICIPATION
    largest = orders.max_limit[s] if holding.limit != 0.0 else orders.max_market[s]
    if 0.0 < largest < most:
        most, refusal = largest, MAX_ORDER
    if 0.0 < holding.slice < most:
        most, refusal = holding.slice, ACCEPTED
    if abs(asked) <= most + STEP_SLACK * rules.quantity_step[s]:
        return asked, ACCEPTED
    return math.copysign(whole_lot(s, most, price, rules, full), asked), refusal


@cold
def book_part(
    i: int, s: int, part: float, price: float, fee: float, spread: float, slippage: float,
    refusal: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int,
    full: FullAccount,
) -> int:  # fmt: skip
    """Book a part of the pending order, keep or drop its rest, and return the number of fills."""
    reason = book.pending_reason[s]
    if refusal != ACCEPTED:
        trace.refusal[i, s] = refusal
    if part != 0.0:
        book.weight[s] = book.pending_weight[s]
        book.holding[s].traded += abs(part)
        count = book_fill(
            i, s, book, market, trace, count, part, price, fee, spread, slippage, reason, full
        )
    rest = book.pending[s] - part
    if reason == SIGNAL and rest != 0.0:
        dropped = refusal != ACCEPTED and full.orders.excess == DROP
        if dropped or refusal in (NO_CASH, MARGIN):
            rest = 0.0
        elif part != 0.0 and rest != -book.quantity[s]:
            rest = math.copysign(min(whole_lot(s, abs(rest), price, rules, full), abs(rest)), rest)
    book.pending[s] = rest
    return count

"""Orders: a target rounded to the instrument's steps, and noted as pending.

Rules: every order goes through `order`; a new one replaces the symbol's pending one.
"""

from __future__ import annotations

import math

import numpy as np

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.contracts import value_of
from bot.portfolio.market import Market
from bot.portfolio.order_rules import Excess
from bot.portfolio.reasons import FillReason, Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.ticks import on_tick
from bot.portfolio.trace import Trace

SIGNAL = int(FillReason.SIGNAL)
STOP_LOSS, TRAILING_STOP = int(FillReason.STOP_LOSS), int(FillReason.TRAILING_STOP)
SPLIT = int(Excess.SPLIT)
ACCEPTED, STEP_ROUNDS_TO_ZERO = int(Refusal.NONE), int(Refusal.STEP_ROUNDS_TO_ZERO)
MIN_QUANTITY, MIN_NOTIONAL = int(Refusal.MIN_QUANTITY), int(Refusal.MIN_NOTIONAL)
ROUNDING = 1e-12
"""Share of equity: a change of less is what sums miss, and no order."""
STEP_SLACK = 1e-9
"""Share of a step by which a quantity may miss a whole number of steps through rounding."""


@cold
def place(
    i: int, s: int, book: Book, rules: Rules, market: Market, trace: Trace, target: float,
    full: FullAccount | None,
) -> None:  # fmt: skip
    """Replace the pending order by one that leads to the target, if steps and minima allow."""
    book.pending[s] = 0.0
    change, refusal = change_to(s, target, book, rules, full)
    if refusal != ACCEPTED:
        trace.refusal[i, s] = refusal
    if change != 0.0:
        order(i, s, book, market, trace, change, trace.weight[i, s], SIGNAL)
        if full is not None:
            set_terms(s, book, rules, full)


@cold
def change_to(
    s: int, target: float, book: Book, rules: Rules, full: FullAccount | None
) -> tuple[float, int]:
    """Return the order that leads to a target, rounded towards zero to steps; and what the steps or
    minima have refused of it. A position is always closed exactly."""
    quantity = book.quantity[s]
    step = rules.quantity_step[s]
    asked = target
    change = target - quantity
    if step > 0.0:
        target = math.copysign(math.floor(abs(asked) / step + STEP_SLACK) * step, asked)
        change = np.rint((target - quantity) / step) * step
    if target == 0.0:
        return -quantity, STEP_ROUNDS_TO_ZERO if asked != 0.0 else ACCEPTED
    if change == 0.0:
        return 0.0, STEP_ROUNDS_TO_ZERO if asked != quantity else ACCEPTED
    value = abs(value_of(s, change, book.mark[s], full))
    if step == 0.0 and value <= ROUNDING * abs(book.account[0].equity):
        return 0.0, ACCEPTED
    if abs(change) < rules.min_quantity[s] * (1.0 - STEP_SLACK):
        return 0.0, MIN_QUANTITY
    if value < rules.min_notional[s]:
        return 0.0, MIN_NOTIONAL
    return change, ACCEPTED


@hot
def at_market(s: int, book: Book) -> None:
    """Let the pending order be one at the market, filled as soon as it can be."""
    holding = book.holding[s]
    holding.slice = 0.0
    holding.limit = 0.0
    holding.limit_bars = 0


@cold
def set_terms(s: int, book: Book, rules: Rules, full: FullAccount) -> None:
    """Set over how many bars an order decided on a signal is spread, or its limit.

    An order too small to be spread is not.
    """
    orders = full.orders
    if orders.is_limit:
        side = math.copysign(1.0, book.pending[s])
        price = book.mark[s] * (1.0 - side * orders.limit_offset)
        book.holding[s].limit = on_tick(price, side, orders.tick[s])
        book.holding[s].limit_bars = orders.limit_bars
    if orders.excess == SPLIT:
        part = abs(book.pending[s]) / orders.split_bars
        step = rules.quantity_step[s]
        if step > 0.0:
            part = math.ceil(part / step - STEP_SLACK) * step
        book.holding[s].slice = whole_lot(s, part, book.mark[s], rules, full)


@cold
def whole_lot(
    s: int, quantity: float, price: float, rules: Rules, full: FullAccount | None
) -> float:
    """Return what of a quantity is an order: in whole steps, 0 below the instrument's minima."""
    step = rules.quantity_step[s]
    lot = quantity
    if step > 0.0:
        lot = math.floor(quantity / step + STEP_SLACK) * step
    if lot < rules.min_quantity[s] * (1.0 - STEP_SLACK):
        return 0.0
    if value_of(s, lot, price, full) < rules.min_notional[s]:
        return 0.0
    return lot


@hot
def is_stopping(s: int, book: Book) -> bool:
    """Tell whether the rest of a stop is still to be closed."""
    reason = int(book.pending_reason[s])
    return bool(book.pending[s] != 0.0) and STOP_LOSS <= reason <= TRAILING_STOP


@cold
def order(
    i: int, s: int, book: Book, market: Market, trace: Trace,
    quantity: float, weight: float, reason: int,
) -> None:  # fmt: skip
    """Note an order as pending from this close."""
    book.pending[s] = quantity
    book.pending_weight[s] = weight
    book.pending_reason[s] = reason
    book.pending_since[s] = market.open_time[i]
    at_market(s, book)
    trace.order[i, s] = quantity

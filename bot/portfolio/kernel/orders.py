"""Orders: a target rounded to the instrument's steps, and noted as pending.

Rules: every order goes through `order`; a new one replaces the symbol's pending one.
"""

from __future__ import annotations

import math

import numpy as np

from bot.portfolio.book import Book
from bot.portfolio.kernel.compiling import cold
from bot.portfolio.market import Market
from bot.portfolio.reasons import FillReason, Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Trace

SIGNAL = int(FillReason.SIGNAL)
STEP_ROUNDS_TO_ZERO = int(Refusal.STEP_ROUNDS_TO_ZERO)
MIN_QUANTITY, MIN_NOTIONAL = int(Refusal.MIN_QUANTITY), int(Refusal.MIN_NOTIONAL)
STEP_SLACK = 1e-9
"""Share of a step by which a quantity may miss a whole number of steps through rounding."""


@cold
def place(
    i: int, s: int, book: Book, rules: Rules, market: Market, trace: Trace, target: float
) -> None:
    """Replace the pending order by one that leads to the target, if steps and minima allow."""
    book.pending[s] = 0.0
    quantity = book.quantity[s]
    step = rules.quantity_step[s]
    asked = target
    change = target - quantity
    if step > 0.0:
        target = math.copysign(math.floor(abs(asked) / step + STEP_SLACK) * step, asked)
        change = np.rint((target - quantity) / step) * step
    if target == 0.0:
        change = -quantity  # exactly, and whatever the minima
        if asked != 0.0:
            trace.refusal[i, s] = STEP_ROUNDS_TO_ZERO
    elif change == 0.0:
        if asked != quantity:
            trace.refusal[i, s] = STEP_ROUNDS_TO_ZERO
    elif abs(change) < rules.min_quantity[s] * (1.0 - STEP_SLACK):
        trace.refusal[i, s] = MIN_QUANTITY
        change = 0.0
    elif abs(change) * book.mark[s] < rules.min_notional[s]:
        trace.refusal[i, s] = MIN_NOTIONAL
        change = 0.0
    if change != 0.0:
        order(i, s, book, market, trace, change, trace.weight[i, s], SIGNAL)


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
    trace.order[i, s] = quantity

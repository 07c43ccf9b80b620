"""Decisions at a close: from signals to target quantities, within the caps.

Rules: a quantity is fixed at the close it is decided on; every refusal has its reason.
"""

from __future__ import annotations

import math

from bot.blocks import F64, Bool
from bot.portfolio.book import Book
from bot.portfolio.kernel.asked import SchemeCall
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.orders import place
from bot.portfolio.kernel.room import Room
from bot.portfolio.market import Market
from bot.portfolio.policies.sides import is_decided, side_wanted
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.sizings.sizes import is_worth_a_trade, size_account, size_of
from bot.portfolio.trace import Trace

ACCEPTED = int(Refusal.NONE)
SHORT_NOT_ALLOWED = int(Refusal.SHORT_NOT_ALLOWED)
CAP_SYMBOL, CAP_GROSS = int(Refusal.CAP_SYMBOL), int(Refusal.CAP_GROSS)


@hot
def decide(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, room: Room,
    scheme: SchemeCall | None,
) -> None:  # fmt: skip
    """Decide every symbol of which a side is wanted, but those whose side is only kept."""
    if rules.sizes_account:
        size_account(i, book, rules, market, trace, room, scheme)
    equity = book.account[0].equity
    target, wanted = room.target, room.wanted
    any_wanted = False
    for s in range(len(book.quantity)):
        wanted[s] = False
        if room.kept[s] or not is_decided(i, s, rules, market, room.side):
            continue
        side = side_wanted(i, s, rules, market, room.side)
        weight, refusal = _weight(i, s, side, rules, market, trace, room)
        if refusal != ACCEPTED:
            trace.refusal[i, s] = refusal
            if math.isnan(weight):
                continue
        trace.weight[i, s] = weight
        price = book.mark[s]
        held = book.quantity[s] + book.pending[s]
        if is_worth_a_trade(weight, held, price, equity, rules):
            wanted[s] = any_wanted = True
            target[s] = weight * equity / price
    if any_wanted:
        if rules.max_gross > 0.0:
            _cap_gross(i, book, rules, trace, target, wanted)
        for s in range(len(book.quantity)):
            if wanted[s]:
                place(i, s, book, rules, market, trace, target[s])


@hot
def _weight(
    i: int, s: int, side: float, rules: Rules, market: Market, trace: Trace, room: Room
) -> tuple[float, int]:
    """Return the weight on the side that is wanted, within what the symbol may have."""
    if side == 0.0:
        return 0.0, ACCEPTED
    if side < 0.0 and not rules.allow_short[s]:
        return 0.0, SHORT_NOT_ALLOWED
    size, refusal = size_of(i, s, side, rules, market, trace, room)
    if math.isnan(size):
        return math.nan, refusal
    if rules.disagreement_penalty > 0.0:
        size *= market.agreement[i, s]
    if 0.0 < rules.max_symbol_weight < size:
        size = rules.max_symbol_weight
        refusal = CAP_SYMBOL
    return math.copysign(size, side), refusal


@cold
def _cap_gross(i: int, book: Book, rules: Rules, trace: Trace, target: F64, wanted: Bool) -> None:
    """Scale all increases of this close by one factor, so that the sum of weights keeps its cap.

    An increase is what a target has beyond the position held on the same side: closing is never
    scaled. Pending orders that stand count as filled.
    """
    standing = 0.0
    increase = 0.0
    for s in range(len(target)):
        if wanted[s]:
            kept = _kept(target[s], book.quantity[s])
            standing += abs(kept) * book.mark[s]
            increase += abs(target[s] - kept) * book.mark[s]
        else:
            held = book.quantity[s] + book.pending[s]
            if held != 0.0:
                standing += abs(held) * book.mark[s]
    equity = book.account[0].equity
    room = max(rules.max_gross * equity - standing, 0.0)
    if increase <= room:
        return
    factor = room / increase
    for s in range(len(target)):
        if wanted[s]:
            kept = _kept(target[s], book.quantity[s])
            if kept != target[s]:
                target[s] = kept + factor * (target[s] - kept)
                trace.weight[i, s] = target[s] * book.mark[s] / equity
                trace.refusal[i, s] = CAP_GROSS


@hot
def _kept(target: float, quantity: float) -> float:
    """Return the part of the target that is held already."""
    if target * quantity <= 0.0:
        return 0.0
    return math.copysign(min(abs(target), abs(quantity)), target)

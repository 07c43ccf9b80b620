"""Decisions at a close: from signals to target quantities, within the caps.

Rules: a quantity is fixed at the close it is decided on; every refusal has its reason.
"""

from __future__ import annotations

import math

from bot.portfolio.book import NOT_PAUSED, Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.asked import SchemeCall
from bot.portfolio.kernel.blocking import STAGE, blocked_by
from bot.portfolio.kernel.caps import cap_gross, cap_leverage, cap_margin, cap_net, hold_back
from bot.portfolio.kernel.compiling import hot
from bot.portfolio.kernel.contracts import quantity_of, value_of
from bot.portfolio.kernel.orders import is_stopping, place
from bot.portfolio.kernel.room import Room
from bot.portfolio.kernel.stages import HALVED
from bot.portfolio.market import Market
from bot.portfolio.policies.sides import is_decided, side_wanted
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.sizings.sizes import is_worth_a_trade, size_account, size_of
from bot.portfolio.trace import Trace

ACCEPTED = int(Refusal.NONE)
SHORT_NOT_ALLOWED = int(Refusal.SHORT_NOT_ALLOWED)
CAP_SYMBOL, PAUSED = int(Refusal.CAP_SYMBOL), int(Refusal.PAUSED)
STOPPED = int(Refusal.STOPPED)


@hot
def decide(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, room: Room,
    scheme: SchemeCall, full: FullAccount | None,
) -> None:  # fmt: skip
    """Decide every symbol of which a side is wanted, but those whose side is only kept."""
    if rules.sizes_account:
        size_account(i, book, rules, market, trace, room, scheme, full)
    equity = book.account[0].equity
    target, wanted = room.target, room.wanted
    any_wanted = False
    for s in range(len(book.quantity)):
        wanted[s] = False
        side = _side(i, s, book, rules, market, trace, room, full)
        if math.isnan(side):
            continue
        weight, refusal = _weight(i, s, side, book, rules, market, trace, room, full)
        if refusal != ACCEPTED:
            trace.refusal[i, s] = refusal
            if math.isnan(weight):
                continue
        trace.weight[i, s] = weight
        price = book.mark[s]
        held = book.quantity[s] + book.pending[s]
        if is_worth_a_trade(weight, held, value_of(s, held, price, full), equity, rules):
            wanted[s] = any_wanted = True
            target[s] = quantity_of(s, weight * equity, price, full)
            forbidden = _forbidden_by(i, s, book, market, full)
            if forbidden != ACCEPTED:
                hold_back(i, s, book, trace, room, full, forbidden)
    if any_wanted:
        _keep_caps(i, book, rules, trace, room, full)
        for s in range(len(book.quantity)):
            if wanted[s]:
                place(i, s, book, rules, market, trace, target[s], full)


@hot
def _side(
    i: int, s: int, book: Book, rules: Rules, market: Market, trace: Trace, room: Room,
    full: FullAccount | None,
) -> float:  # fmt: skip
    """Return the side to be taken, NaN where nothing is to be decided."""
    if room.kept[s] or not is_decided(i, s, rules, market, room.side):
        return math.nan
    side = side_wanted(i, s, rules, market, room.side)
    if full is not None and _is_stopped(i, s, side, book, trace):
        return math.nan
    return side


@hot
def _is_stopped(i: int, s: int, side: float, book: Book, trace: Trace) -> bool:
    """Tell whether a side is not opened again: until the policy has let go of it, a stop holds."""
    holding = book.holding[s]
    if is_stopping(s, book):
        return True
    if side * holding.stopped > 0.0:
        trace.refusal[i, s] = STOPPED
        return True
    holding.stopped = 0.0
    return False


@hot
def _keep_caps(
    i: int, book: Book, rules: Rules, trace: Trace, room: Room, full: FullAccount | None
) -> None:
    """Scale increases to every cap of the account; the net last, since it only makes sums smaller."""
    held, increase = math.inf, math.inf
    if rules.max_gross > 0.0:
        held, increase = cap_gross(i, book, rules, trace, room, full)
    if full is not None:
        room.at_most[0] += increase  # what is to be less may be refused
        if full.risk.max_leverage > 0.0:
            cap_leverage(i, book, trace, room, full)
        cap_margin(i, held, book, rules, trace, room, full)
        if full.risk.max_net > 0.0:
            cap_net(i, book, trace, room, full)


@hot
def _weight(
    i: int, s: int, side: float, book: Book, rules: Rules, market: Market, trace: Trace,
    room: Room, full: FullAccount | None,
) -> tuple[float, int]:  # fmt: skip
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
    if full is not None and book.account[0].stage == HALVED:
        size *= 0.5
        refusal = STAGE
    if 0.0 < rules.max_symbol_weight < size:
        size = rules.max_symbol_weight
        refusal = CAP_SYMBOL
    return math.copysign(size, side), refusal


@hot
def _forbidden_by(i: int, s: int, book: Book, market: Market, full: FullAccount | None) -> int:
    """Return the Refusal of an increase: a person's, then that of the limits of risk."""
    if book.account[0].paused != NOT_PAUSED:
        return PAUSED
    if full is not None:
        return blocked_by(i, s, book, market, full)
    return ACCEPTED

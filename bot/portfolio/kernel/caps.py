"""Caps on what is decided: increases are scaled by one factor, so that a sum keeps its limit.

Rules: an increase is what a target has beyond the position held on the same side, so closing is never
scaled; pending orders that stand count as filled.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.contracts import made_of, own_price, own_value_of, value_of
from bot.portfolio.kernel.first_tiers import surely_has_margin
from bot.portfolio.kernel.margin import initial_margin, set_aside
from bot.portfolio.kernel.room import Room
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Trace

CAP_GROSS, MARGIN = int(Refusal.CAP_GROSS), int(Refusal.MARGIN)
NO_MARGIN, ISOLATED = int(MarginMode.NONE), int(MarginMode.ISOLATED)
CAP_NET, LEVERAGE = int(Refusal.CAP_NET), int(Refusal.LEVERAGE)


@cold
def hold_back(
    i: int, s: int, book: Book, trace: Trace, room: Room, full: FullAccount | None, refusal: int
) -> None:
    """Leave of a target what is held already: nothing is opened or increased, a reversal closes."""
    stays, more = _parts(s, book, room)
    if more != 0.0:
        room.target[s] = stays
        trace.weight[i, s] = value_of(s, stays, book.mark[s], full) / book.account[0].equity
        trace.refusal[i, s] = refusal


@cold
def cap_gross(
    i: int, book: Book, rules: Rules, trace: Trace, room: Room, full: FullAccount | None
) -> tuple[float, float]:
    """Scale all increases of this close so that the sum of weights keeps its cap.

    Returns:
        The value of all targets, and of the increases among it.
    """
    return _cap_sum(i, rules.max_gross, False, book, trace, room, full, CAP_GROSS)


@cold
def cap_margin(
    i: int, held: float, book: Book, rules: Rules, trace: Trace, room: Room, full: FullAccount
) -> None:
    """Scale all increases of this close so that their initial margin is there.

    Args:
        held: no less than the value of all positions, with the increases; infinite where it is not known.

    Under isolated margin what is not yet gained stands for nothing. What has no margin is paid in
    full. With tiers the margin of a part is less than its share, so the factor is found by halving.
    """
    limit = book.account[0].equity
    if full.margin_mode != ISOLATED and surely_has_margin(held, limit, room):
        return
    if full.margin_mode == ISOLATED:
        limit -= max(_gained(book, full), 0.0)
    if _margin(1.0, book, rules, room, full) <= limit:
        return
    factor, high = 0.0, 1.0
    if _margin(0.0, book, rules, room, full) < limit:
        for _ in range(60):
            middle = 0.5 * (factor + high)
            if _margin(middle, book, rules, room, full) <= limit:
                factor = middle
            else:
                high = middle
    for s in range(len(room.target)):
        _cut(i, s, factor, book, trace, room, full, MARGIN)


@cold
def _gained(book: Book, full: FullAccount) -> float:
    """Return what contracts have gained at the marks, and is not in the wallet."""
    gained = 0.0
    for s in range(len(book.quantity)):
        if full.contract[s] and book.quantity[s] != 0.0:
            mark = book.mark[s]
            made = made_of(s, book.quantity[s], book.holding[s].entry, mark, full)
            gained += made * own_price(s, mark, full)
    return gained


@cold
def _margin(factor: float, book: Book, rules: Rules, room: Room, full: FullAccount) -> float:
    """Return the margin of what stays and of a share of the increases; where it is isolated, with the
    fees for opening and closing."""
    margin = 0.0
    for s in range(len(room.target)):
        stays, more = _parts(s, book, room)
        quantity = stays + factor * more
        if quantity != 0.0:
            price = book.mark[s]
            value = own_value_of(s, quantity, price, full)
            unit = own_price(s, price, full)
            if not (full.contract[s] or full.borrow):
                margin += value
            elif full.contract[s] and full.margin_mode == ISOLATED:
                margin += set_aside(s, quantity, value, rules, full) * unit
                margin += rules.taker_fee[s] * abs(value_of(s, factor * more, price, full))
            elif full.margin_mode != NO_MARGIN:
                margin += initial_margin(s, value, full) * unit
    return margin


@cold
def cap_leverage(i: int, book: Book, trace: Trace, room: Room, full: FullAccount) -> None:
    """Scale the increases of contracts so that their value over equity keeps its cap."""
    _cap_sum(i, full.risk.max_leverage, True, book, trace, room, full, LEVERAGE)


@cold
def _cap_sum(
    i: int, cap: float, contracts: bool, book: Book, trace: Trace, room: Room,
    full: FullAccount | None, refusal: int,
) -> tuple[float, float]:  # fmt: skip
    """Scale increases so that the value of positions over equity keeps a cap; return it, and theirs.

    Args:
        contracts: only what is held on margin counts.
    """
    standing = 0.0
    increase = 0.0
    for s in range(len(room.target)):
        if not contracts or full is None or full.contract[s]:
            stays, more = _parts(s, book, room)
            if stays != 0.0:  # the mark of what was never held may be unknown
                standing += abs(value_of(s, stays, book.mark[s], full))
            if more != 0.0:
                increase += abs(value_of(s, more, book.mark[s], full))
    left = max(cap * book.account[0].equity - standing, 0.0)
    if increase > left:
        for s in range(len(room.target)):
            if not contracts or full is None or full.contract[s]:
                _cut(i, s, left / increase, book, trace, room, full, refusal)
    increase = min(increase, left)
    return standing + increase, increase


@cold
def cap_net(i: int, book: Book, trace: Trace, room: Room, full: FullAccount) -> None:
    """Scale the increases of the side that would be too large, so that the net keeps its cap."""
    standing = longer = shorter = side = increase = left = 0.0
    for s in range(len(room.target)):
        stays, more = _parts(s, book, room)
        if stays != 0.0 or more != 0.0:  # the mark of what was never held may be unknown
            standing += value_of(s, stays, book.mark[s], full)
            longer += value_of(s, max(more, 0.0), book.mark[s], full)
            shorter -= value_of(s, min(more, 0.0), book.mark[s], full)
    cap = full.risk.max_net * book.account[0].equity
    if standing + longer - shorter > cap:
        side, increase, left = 1.0, longer, max(cap - standing + shorter, 0.0)
    elif standing + longer - shorter < -cap:
        side, increase, left = -1.0, shorter, max(cap + standing + longer, 0.0)
    if side != 0.0 and increase > left:
        for s in range(len(room.target)):
            if _parts(s, book, room)[1] * side > 0.0:
                _cut(i, s, left / increase, book, trace, room, full, CAP_NET)


@cold
def _cut(
    i: int, s: int, factor: float, book: Book, trace: Trace, room: Room, full: FullAccount | None,
    refusal: int,
) -> None:  # fmt: skip
    """Leave a share of an increase."""
    stays, more = _parts(s, book, room)
    if more != 0.0:
        room.target[s] = stays + factor * more
        value = value_of(s, room.target[s], book.mark[s], full)
        trace.weight[i, s] = value / book.account[0].equity
        trace.refusal[i, s] = refusal


@hot
def _parts(s: int, book: Book, room: Room) -> tuple[float, float]:
    """Return what of a target is held already, or stands if nothing is wanted; and the increase."""
    if not room.wanted[s]:
        return book.quantity[s] + book.pending[s], 0.0
    target, quantity = room.target[s], book.quantity[s]
    kept = (
        0.0 if target * quantity <= 0.0 else math.copysign(min(abs(target), abs(quantity)), target)
    )
    return kept, target - kept

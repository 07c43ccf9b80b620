"""Limits that hold: at each close positions, with what is on order, are reduced to what they may be.

Rules: it comes after the decisions, so that it holds whatever the policy keeps, and while nothing may be
opened. A cap is held from `cap_tolerance` beyond it on, and then to the cap itself: sums by one factor
for all that counts, the net by one for the side that is too large. A quantity is rounded towards zero;
what is less than the least order stays.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.blocking import ACCEPTED, FLATTENED, LEAVING, STAGE, blocked_by
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.contracts import quantity_of, value_of
from bot.portfolio.kernel.orders import change_to, order
from bot.portfolio.kernel.room import Room
from bot.portfolio.market import Market
from bot.portfolio.reasons import DrawdownStage, FillReason, Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Trace

NO_STAGE = int(DrawdownStage.NONE)
RISK = int(FillReason.RISK)
CAP_SYMBOL, CAP_GROSS = int(Refusal.CAP_SYMBOL), int(Refusal.CAP_GROSS)
CAP_NET, LEVERAGE = int(Refusal.CAP_NET), int(Refusal.LEVERAGE)


@hot
def is_within_limits(
    book: Book, rules: Rules, market: Market, room: Room, full: FullAccount
) -> bool:
    """Tell whether positions and orders are surely what they may be: after a quiet bar no order is older than this
    close, and what is ordered at a close is within each symbol's limits."""
    account, risk = book.account[0], full.risk
    most = (1.0 + risk.cap_tolerance) * account.equity
    cap = rules.max_gross if rules.max_gross > 0.0 else math.inf
    cap = min(cap, risk.max_leverage) if risk.max_leverage > 0.0 else cap
    cap = min(cap, risk.max_net) if risk.max_net > 0.0 else cap
    within = (room.at_most[0] < cap * most) & (
        room.at_most[1] <= _largest_value(account.equity, rules, full)
    )
    return bool(within) and account.stage == NO_STAGE and not market.has_events


@hot
def hold_limits(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, room: Room, full: FullAccount
) -> None:
    """Replace the orders of this close by such as lead within the limits, where there is need."""
    target = room.target
    cut = False
    gross = on_margin = net = 0.0
    for s in range(len(book.quantity)):
        wanted = book.quantity[s] + book.pending[s]
        target[s] = wanted
        if wanted == 0.0:
            continue
        allowed, refusal = _allowed(i, s, wanted, book, rules, market, full)
        if abs(wanted) > allowed:
            target[s] = math.copysign(allowed, wanted)
            trace.refusal[i, s] = refusal
            cut = True
        value = value_of(s, target[s], book.mark[s], full)
        gross += abs(value)
        net += value
        if full.contract[s]:
            on_margin += abs(value)
    most = (1.0 + full.risk.cap_tolerance) * book.account[0].equity
    if full.risk.cap_tolerance > 0.0 and (
        0.0 < rules.max_gross * most < gross
        or 0.0 < full.risk.max_leverage * most < on_margin
        or 0.0 < full.risk.max_net * most < abs(net)
    ):
        _hold_sums(i, book, rules, trace, room, full)
        cut = True
    if cut:
        for s in range(len(book.quantity)):
            if target[s] != book.quantity[s] + book.pending[s]:
                _lead_to(i, s, book, rules, market, trace, target[s], full)


@hot
def _largest_value(equity: float, rules: Rules, full: FullAccount) -> float:
    """Return the value above which a symbol is reduced to its cap, infinite where it is held to none."""
    slack = full.risk.cap_tolerance
    most: float = rules.max_symbol_weight * equity * (1.0 + slack)
    return most if slack > 0.0 and most > 0.0 else math.inf


@hot
def _allowed(
    i: int, s: int, wanted: float, book: Book, rules: Rules, market: Market, full: FullAccount
) -> tuple[float, int]:
    """Return the largest quantity on the side that is held or on order, and what limits it."""
    account = book.account[0]
    if account.stage == FLATTENED:
        return 0.0, STAGE
    if market.leaving[i, s] and full.risk.flatten_leaving:
        return 0.0, LEAVING
    allowed, refusal = math.inf, ACCEPTED
    if book.pending[s] * wanted > 0.0:  # it opens or increases
        refusal = blocked_by(i, s, book, market, full)
        if refusal != ACCEPTED:
            allowed = abs(book.quantity[s]) if book.quantity[s] * wanted > 0.0 else 0.0
    if 0.0 < book.holding[s].most < allowed:
        allowed, refusal = book.holding[s].most, STAGE
    value = abs(value_of(s, wanted, book.mark[s], full))
    if value > _largest_value(account.equity, rules, full):
        cap = quantity_of(s, rules.max_symbol_weight * account.equity, book.mark[s], full)
        if cap < allowed:
            allowed, refusal = cap, CAP_SYMBOL
    return allowed, refusal


@cold
def _hold_sums(
    i: int, book: Book, rules: Rules, trace: Trace, room: Room, full: FullAccount
) -> None:
    """Scale the targets to the caps of the account that they are beyond."""
    equity = book.account[0].equity
    slack = 1.0 + full.risk.cap_tolerance
    gross = _sum(False, 0.0, book, room, full)
    cap = rules.max_gross * equity
    if 0.0 < cap * slack < gross:
        _scale(i, cap / gross, False, 0.0, trace, room, full, CAP_GROSS)
    on_margin = _sum(True, 0.0, book, room, full)
    cap = full.risk.max_leverage * equity
    if 0.0 < cap * slack < on_margin:
        _scale(i, cap / on_margin, True, 0.0, trace, room, full, LEVERAGE)
    longs = _sum(False, 1.0, book, room, full)
    shorts = _sum(False, -1.0, book, room, full)
    cap = full.risk.max_net * equity
    if 0.0 < cap * slack < abs(longs - shorts):
        side = 1.0 if longs > shorts else -1.0
        factor = (min(longs, shorts) + cap) / max(longs, shorts)
        _scale(i, factor, False, side, trace, room, full, CAP_NET)


@cold
def _sum(contracts: bool, side: float, book: Book, room: Room, full: FullAccount) -> float:
    """Return the value of the targets, of contracts or all, on a side or on both (0)."""
    value = 0.0
    for s in range(len(room.target)):
        if _counts(s, contracts, side, room, full):
            value += abs(value_of(s, room.target[s], book.mark[s], full))
    return value


@cold
def _scale(
    i: int, factor: float, contracts: bool, side: float, trace: Trace, room: Room,
    full: FullAccount, refusal: int,
) -> None:  # fmt: skip
    for s in range(len(room.target)):
        if _counts(s, contracts, side, room, full):
            room.target[s] *= factor
            trace.refusal[i, s] = refusal


@hot
def _counts(s: int, contracts: bool, side: float, room: Room, full: FullAccount) -> bool:
    target = room.target[s]
    return target != 0.0 and target * side >= 0.0 and (full.contract[s] or not contracts)


@cold
def _lead_to(
    i: int, s: int, book: Book, rules: Rules, market: Market, trace: Trace, target: float,
    full: FullAccount,
) -> None:  # fmt: skip
    """Replace the pending order by one that leads to a target nearer to zero.

    An order that is only made smaller keeps its reason, and how it is laid.
    """
    quantity, before = book.quantity[s], book.pending[s]
    change, _ = change_to(s, target, book, rules, full)
    smaller = before * change > 0.0 and abs(change) <= abs(before)
    reason = book.pending_reason[s] if smaller else RISK
    weight = value_of(s, quantity + change, book.mark[s], full) / book.account[0].equity
    holding = book.holding[s]
    part, limit, limit_bars = holding.slice, holding.limit, holding.limit_bars
    book.pending[s] = 0.0
    trace.order[i, s] = 0.0
    trace.weight[i, s] = weight
    if change != 0.0:
        order(i, s, book, market, trace, change, weight, reason)
        if smaller:
            holding.slice, holding.limit, holding.limit_bars = part, limit, limit_bars

"""The loop over bars: what is done at each open and each close, in which order.

Must not fill, charge, halt or decide by itself.
"""

from __future__ import annotations

import math

import numpy as np

from bot.portfolio.book import FLATTENED, Book
from bot.portfolio.correlation import take_in
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.ahead import fetch_for_fills
from bot.portfolio.kernel.asked import PolicyCall, SchemeCall
from bot.portfolio.kernel.blocking import count_missing, let_time_pass
from bot.portfolio.kernel.by_reference import by_reference
from bot.portfolio.kernel.cash import charge_interest
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.contracts import is_inverse
from bot.portfolio.kernel.debts import settle_debts
from bot.portfolio.kernel.decide import decide
from bot.portfolio.kernel.fills import fill_or_delay, fill_sales_first, settle_reference
from bot.portfolio.kernel.first_tiers import note_first_tiers
from bot.portfolio.kernel.funding import charge_funding, charge_funding_inside
from bot.portfolio.kernel.halts import NOT_HALTED, equity_of, obey_halt, update_halt
from bot.portfolio.kernel.margin import liquidate
from bot.portfolio.kernel.measured import note_bar
from bot.portfolio.kernel.path import walk_path
from bot.portfolio.kernel.quiet import is_quiet, pass_quietly
from bot.portfolio.kernel.reducing import hold_limits, is_within_limits
from bot.portfolio.kernel.room import Room
from bot.portfolio.kernel.settling import settle
from bot.portfolio.kernel.stages import update_stage
from bot.portfolio.market import Market
from bot.portfolio.policies.asked import ask_policy
from bot.portfolio.policies.sides import THRESHOLD, choose_sides, note_edges
from bot.portfolio.rules import FillAt, Rules
from bot.portfolio.trace import Phase, Trace

OPEN, CLOSE = int(Phase.OPEN), int(Phase.CLOSE)
NEXT_OPEN = int(FillAt.NEXT_OPEN)


@cold
def run(
    book: Book, rules: Rules, market: Market, trace: Trace, room: Room,
    policy: PolicyCall, scheme: SchemeCall, full: FullAccount | None,
) -> int:  # fmt: skip
    """Do the phases of each bar and return the number of fills.

    Args:
        policy: a user's, if there is one.
        scheme: a user's cost scheme, likewise.
        full: what the plain account lacks; None for it, whose machine code has no trace of the other.
    """
    book, rules, market = by_reference(book), by_reference(rules), by_reference(market)
    trace, room, full = by_reference(trace), by_reference(room), by_reference(full)
    policy, scheme = by_reference(policy), by_reference(scheme)
    _prepare(rules, room, full)
    count: int = np.int64(0)  # type: ignore[assignment]  # a literal's type would compile all anew
    # an unsigned place is never one from the end, for which every access would else be tested
    for i in range(np.uint64(len(market.open_time))):
        if trace.phase & OPEN:
            count = _open_bar(i, book, rules, market, trace, count, scheme, full)
        if trace.phase & CLOSE:
            count = _close_bar(i, book, rules, market, trace, count, room, policy, scheme, full)
        _record(i, book, trace, full)
    return count


@hot
def _prepare(rules: Rules, room: Room, full: FullAccount | None) -> None:
    """Work out what holds for all bars."""
    if full is not None:  # of an argument alone it is known when compiled that it is None
        note_first_tiers(rules, room, full)


@hot
def _open_bar(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int,
    scheme: SchemeCall, full: FullAccount | None,
) -> int:  # fmt: skip
    """Begin a bar: charge funding, then fill what is pending."""
    account = book.account[0]
    account.opened = 1
    account.open_time = market.open_time[i]
    account.bar_fees = 0.0
    account.bar_spread = 0.0
    account.bar_slippage = 0.0
    account.bar_funding = 0.0
    account.bar_in_coin = 0.0
    account.bar_funding_unknown = 0
    fetch_for_fills(i, market, full)
    for s in range(len(book.quantity)):
        if book.quantity[s] != 0.0 and rules.funding[s] and market.funding_rate[i, s] != 0.0:
            charge_funding(i, s, book, market, full)
        if full is not None:
            book.holding[s].traded = 0.0
        elif book.pending[s] != 0.0 and rules.fill_at == NEXT_OPEN:
            count = fill_or_delay(i, s, book, rules, market, trace, count, scheme, None)
    if full is not None and rules.fill_at == NEXT_OPEN:
        count = fill_sales_first(i, book, rules, market, trace, count, scheme, full)
    return count


@hot
def _close_bar(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int,
    room: Room, policy: PolicyCall, scheme: SchemeCall, full: FullAccount | None,
) -> int:  # fmt: skip
    """End a bar: what happened inside it, then marks and what is due at them, then the decisions."""
    account = book.account[0]
    first = count
    if full is not None:
        if full.borrow:
            charge_interest(book, rules, full)
        count = _pass_inside(i, book, rules, market, trace, count, room, scheme, full)
    else:
        for s in range(len(book.quantity)):
            count = _end_symbol(i, s, book, rules, market, trace, count, scheme)
    update_halt(book, rules, market.open_time[i], equity_of(book, full))
    if full is not None:
        update_stage(first, count, book, trace, full)
    _measure(i, book, rules, market, trace)
    if policy.is_own:
        ask_policy(i, book, rules, market, trace, room.side, policy, scheme, full)
    elif rules.policy_kind != THRESHOLD:
        choose_sides(i, book, rules, market, trace, room.side, room.kept, scheme, full)
    if account.halted != NOT_HALTED or account.paused == FLATTENED:
        obey_halt(i, book, rules, market, trace, room)
    elif market.tradable[i]:
        decide(i, book, rules, market, trace, room, scheme, full)
        if full is not None and not is_within_limits(book, rules, market, room, full):
            hold_limits(i, book, rules, market, trace, room, full)
    if full is not None:
        let_time_pass(i, book, market)
    account.opened = 0
    account.bars += 1
    return count


@hot
def _end_symbol(
    i: int, s: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int,
    scheme: SchemeCall,
) -> int:  # fmt: skip
    """Charge a symbol's funding inside the bar, mark, and fill what is due at the close."""
    if book.quantity[s] != 0.0 and rules.funding[s]:
        charge_funding_inside(i, s, book, market, None)
    if market.valid[i, s]:
        book.mark[s] = market.close[i, s]
    if rules.reference:
        count = settle_reference(i, s, book, rules, market, trace, count)
    elif book.pending[s] != 0.0 and rules.fill_at != NEXT_OPEN:
        count = fill_or_delay(i, s, book, rules, market, trace, count, scheme, None)
    return count


@hot
def _pass_inside(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int, room: Room,
    scheme: SchemeCall, full: FullAccount,
) -> int:  # fmt: skip
    """Take the full account's symbols from a bar's open to its end, and return the number of fills."""
    if is_quiet(i, book, market, room, full):
        pass_quietly(i, book, market, full)
        return count
    room.at_most[0] = math.inf
    count = walk_path(i, book, rules, market, trace, count, room, scheme, full)
    return _end_path(i, book, rules, market, trace, count, scheme, full)


@hot
def _end_path(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int,
    scheme: SchemeCall, full: FullAccount,
) -> int:  # fmt: skip
    """Likewise of the full account's symbols: margin is looked at once more at the end of the path,
    before anything is settled or filled there."""
    for s in range(len(book.quantity)):
        if book.quantity[s] != 0.0 and rules.funding[s]:
            charge_funding_inside(i, s, book, market, full)
    count = liquidate(i, 2.0, book, rules, market, trace, count, full)
    for s in range(len(book.quantity)):
        if math.isfinite(market.settlement_price[i, s]):
            count = settle(i, s, book, market, trace, count, full)
        if market.valid[i, s]:
            book.mark[s] = market.close[i, s]
            note_bar(i, s, book, market)
        else:
            count_missing(i, s, book, market)
    if rules.fill_at != NEXT_OPEN:
        count = fill_sales_first(i, book, rules, market, trace, count, scheme, full)
    if full.has_inverse:
        count = settle_debts(i, book, market, trace, count, full)
    return count


@hot
def _measure(i: int, book: Book, rules: Rules, market: Market, trace: Trace) -> None:
    """Take in what policy and sizing are to know of this close."""
    if rules.sizes_account:
        take_in(book.correlation, market.close[i], market.valid[i], rules.correlation_decay)
    if rules.is_calibrated:
        note_edges(i, rules, market, trace)


@hot
def _record(i: int, book: Book, trace: Trace, full: FullAccount | None) -> None:
    account = book.account[0]
    trace.cash[i] = account.cash
    trace.equity[i] = equity_of(book, full) if account.opened else account.equity
    trace.fees[i] = account.bar_fees
    trace.spread[i] = account.bar_spread
    trace.slippage[i] = account.bar_slippage
    trace.funding[i] = account.bar_funding
    trace.funding_unknown[i] = account.bar_funding_unknown
    trace.in_coin[i] = account.bar_in_coin
    for s in range(len(book.quantity)):
        trace.quantity[i, s] = book.quantity[s]
        if is_inverse(s, full):
            trace.coin[i, s] = book.holding[s].coin

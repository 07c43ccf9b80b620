"""The kernel: one compiled loop over bars that fills, charges, marks, halts, sizes and orders.

Rules: every change of cash goes through `_book_fill` or `_pay_funding`, every order through
`_order`; a quantity is fixed at the close it is decided on; nothing is decided on a bar that was
not tradable; a new decision replaces the symbol's pending order; every refusal has its reason. All
is sequential, never fastmath, never parallel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from bot.blocks import F64, Bool
from bot.compiled import njit
from bot.portfolio.book import Book
from bot.portfolio.market import Market
from bot.portfolio.reasons import FillReason, Halt, Refusal
from bot.portfolio.rules import FillAt, LatePolicy, Rules, SizingMethod
from bot.portfolio.trace import Phase, Trace
from bot.timegrid import DAY_MS

OPEN, CLOSE = int(Phase.OPEN), int(Phase.CLOSE)
FIXED = int(SizingMethod.FIXED)
NEXT_OPEN = int(FillAt.NEXT_OPEN)
HOLD, CANCEL = int(LatePolicy.HOLD), int(LatePolicy.CANCEL)
SIGNAL, RESCALE = int(FillReason.SIGNAL), int(FillReason.RESCALE)
HALT, LATE_FLATTEN = int(FillReason.HALT), int(FillReason.LATE_FLATTEN)
NOT_HALTED, DAY_HALT = int(Halt.NONE), int(Halt.DAY)
DRAWDOWN_HALT, BANKRUPT = int(Halt.DRAWDOWN), int(Halt.BANKRUPT)
ACCEPTED, LATE_CANCELLED = int(Refusal.NONE), int(Refusal.LATE_CANCELLED)
SHORT_NOT_ALLOWED, NO_VOLATILITY = int(Refusal.SHORT_NOT_ALLOWED), int(Refusal.NO_VOLATILITY)
CAP_SYMBOL, CAP_GROSS = int(Refusal.CAP_SYMBOL), int(Refusal.CAP_GROSS)
STEP_ROUNDS_TO_ZERO = int(Refusal.STEP_ROUNDS_TO_ZERO)
MIN_QUANTITY, MIN_NOTIONAL = int(Refusal.MIN_QUANTITY), int(Refusal.MIN_NOTIONAL)
HALTED_DAY = int(Refusal.HALTED_DAY)
STEP_SLACK = 1e-9
"""Share of a step by which a quantity may miss a whole number of steps through rounding."""
SAME_WEIGHT = 1e-12
"""A rescaling by less than this share of the quantity is rounding, and not a trade."""

# The functions hand tuples of some thirty arrays to one another and allocate nothing: without
# reference counts on those arrays (_nrt=False) the loop is ten times as fast.
_OPTIONS: dict[str, Any] = {"cache": True, "_nrt": False}
_Function = TypeVar("_Function", bound=Callable[..., Any])


def hot(function: _Function) -> _Function:
    """Compile what runs for every bar, inlined into the loop."""
    return cast(_Function, njit(forceinline=True, **_OPTIONS)(function))


def cold(function: _Function) -> _Function:
    """Compile the loop, and what runs when something happens."""
    return cast(_Function, njit(**_OPTIONS)(function))


@cold
def run(book: Book, rules: Rules, market: Market, trace: Trace, target: F64, wanted: Bool) -> int:
    """Do the phases of each bar and return the number of fills."""
    count = 0
    for i in range(len(market.open_time)):
        if trace.phase & OPEN:
            count = _open_bar(i, book, rules, market, trace, count)
        if trace.phase & CLOSE:
            count = _close_bar(i, book, rules, market, trace, count, target, wanted)
        _record(i, book, trace)
    return count


@hot
def _open_bar(i: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int) -> int:
    """Begin a bar: charge funding, then fill what is pending."""
    account = book.account[0]
    account.opened = 1
    account.open_time = market.open_time[i]
    account.bar_fees = 0.0
    account.bar_spread = 0.0
    account.bar_slippage = 0.0
    account.bar_funding = 0.0
    account.bar_funding_unknown = 0
    for s in range(len(book.quantity)):
        if book.quantity[s] != 0.0 and rules.funding[s] and market.funding_rate[i, s] != 0.0:
            _charge_funding(i, s, book, market)
        if book.pending[s] != 0.0 and rules.fill_at == NEXT_OPEN:
            count = _fill_or_delay(i, s, book, rules, market, trace, count)
    return count


@hot
def _close_bar(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int,
    target: F64, wanted: Bool,
) -> int:  # fmt: skip
    """End a bar: charge the funding inside it, mark, fill at the close, check halts, decide."""
    account = book.account[0]
    for s in range(len(book.quantity)):
        if book.quantity[s] != 0.0 and rules.funding[s]:
            if market.funding_inside[i, s] != 0.0:
                _pay_funding(book, book.quantity[s] * market.funding_inside[i, s])
            if market.funding_inside_unknown[i, s] > 0.0:
                _count_unknown(book, int(market.funding_inside_unknown[i, s]))
        if market.valid[i, s]:
            book.mark[s] = market.close[i, s]
        if rules.reference:
            count = _settle_reference(i, s, book, rules, market, trace, count)
        elif book.pending[s] != 0.0 and rules.fill_at != NEXT_OPEN:
            count = _fill_or_delay(i, s, book, rules, market, trace, count)
    _update_halt(book, rules, market.open_time[i], _equity(book))
    if account.halted != NOT_HALTED:
        _obey_halt(i, book, rules, market, trace)
    elif market.tradable[i]:
        _decide(i, book, rules, market, trace, target, wanted)
    account.opened = 0
    account.bars += 1
    return count


@hot
def _equity(book: Book) -> float:
    equity: float = book.account[0].cash
    for s in range(len(book.quantity)):
        if book.quantity[s] != 0.0:
            equity += book.quantity[s] * book.mark[s]
    return equity


@hot
def _record(i: int, book: Book, trace: Trace) -> None:
    account = book.account[0]
    trace.cash[i] = account.cash
    trace.equity[i] = _equity(book) if account.opened else account.equity
    trace.fees[i] = account.bar_fees
    trace.spread[i] = account.bar_spread
    trace.slippage[i] = account.bar_slippage
    trace.funding[i] = account.bar_funding
    trace.funding_unknown[i] = account.bar_funding_unknown
    for s in range(len(book.quantity)):
        trace.quantity[i, s] = book.quantity[s]


@cold
def _charge_funding(i: int, s: int, book: Book, market: Market) -> None:
    """Charge the funding due at the bar's open, on the mark price, else the open, else the close.

    The close is that of the last valid bar. A rate not known charges nothing, and is counted.
    """
    rate = market.funding_rate[i, s]
    if math.isnan(rate):
        _count_unknown(book, 1)
        return
    price = market.mark[i, s]
    if not math.isfinite(price):
        price = market.open[i, s] if market.valid[i, s] else book.mark[s]
    _pay_funding(book, book.quantity[s] * price * rate)


@cold
def _pay_funding(book: Book, paid: float) -> None:
    account = book.account[0]
    account.cash -= paid
    account.bar_funding += paid
    account.funding += paid


@cold
def _count_unknown(book: Book, settlements: int) -> None:
    account = book.account[0]
    account.bar_funding_unknown += settlements
    account.funding_unknown += settlements


@cold
def _book_fill(
    i: int, s: int, book: Book, market: Market, trace: Trace, count: int,
    quantity: float, price: float, fee: float, spread: float, slippage: float, reason: int,
) -> int:  # fmt: skip
    """Book a fill and return the number of fills so far."""
    account = book.account[0]
    account.cash -= quantity * price + fee
    account.bar_fees += fee
    account.bar_spread += spread
    account.bar_slippage += slippage
    account.fees += fee
    account.spread += spread
    account.slippage += slippage
    account.turnover += abs(quantity) * price
    account.fills += 1
    book.quantity[s] += quantity
    row = trace.fills[count]
    row.open_time = market.open_time[i]
    row.symbol = s
    row.quantity = quantity
    row.price = price
    row.fee = fee
    row.spread = spread
    row.slippage = slippage
    row.reason = reason
    return count + 1


@cold
def _fill_or_delay(
    i: int, s: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int
) -> int:
    """Fill the pending order of a symbol where the bar allows it, else apply the late policy.

    The reference price is the quote where there is one, else the bar's price and the half spread;
    slippage comes on top. Quotes seen at the open fill also where the candle never came. A fill at
    the close needs a close that came in time.
    """
    at_open = rules.fill_at == NEXT_OPEN
    bid, ask = market.fill_bid[i, s], market.fill_ask[i, s]
    quoted = at_open and math.isfinite(bid) and math.isfinite(ask)
    met = market.valid[i, s] and (at_open or market.tradable[i])
    if not (market.fillable[i, s] and (met or quoted)):
        if market.in_session[i, s]:
            _delay(i, s, book, rules, trace)
        return count
    quantity = book.pending[s]
    side = 1.0 if quantity > 0.0 else -1.0
    middle = market.open[i, s] if at_open else market.close[i, s]
    reference = middle * (1.0 + side * rules.half_spread)
    quote = ask if side > 0.0 else bid
    if at_open and math.isfinite(quote):
        reference = quote
    if quoted:
        middle = 0.5 * (bid + ask)
    price = reference * (1.0 + side * rules.slippage)
    book.pending[s] = 0.0
    book.weight[s] = book.pending_weight[s]
    return _book_fill(
        i, s, book, market, trace, count,
        quantity, price, rules.taker_fee[s] * abs(quantity) * price,
        (reference - middle) * quantity, (price - reference) * quantity, book.pending_reason[s],
    )  # fmt: skip


@cold
def _delay(i: int, s: int, book: Book, rules: Rules, trace: Trace) -> None:
    """Hold, drop, or turn into the closing of the position an order whose bar cannot be filled.

    A bar out of the symbol's session makes no order late: it waits for the session.
    """
    if rules.late_policy == HOLD:
        return
    if rules.late_policy == CANCEL or book.quantity[s] == 0.0:
        book.pending[s] = 0.0
        trace.refusal[i, s] = LATE_CANCELLED
        return
    book.pending[s] = -book.quantity[s]
    book.pending_weight[s] = 0.0
    if book.pending_reason[s] != HALT:
        book.pending_reason[s] = LATE_FLATTEN


@cold
def _settle_reference(
    i: int, s: int, book: Book, rules: Rules, market: Market, trace: Trace, count: int
) -> int:
    """Take the pending weight for a fee on equity, and rescale the holding to it, free.

    The reference backtest of one symbol: C *= 1 - c where the position changes, and the holding is
    position x C at each close.
    """
    if not market.valid[i, s]:
        return count
    price = market.close[i, s]
    equity = max(book.account[0].cash + book.quantity[s] * price, 0.0)
    fee = 0.0
    reason = RESCALE
    if book.pending[s] != 0.0:
        fee = rules.taker_fee[s] * equity
        reason = book.pending_reason[s]
        book.pending[s] = 0.0
        book.weight[s] = book.pending_weight[s]
    quantity = book.weight[s] * (equity - fee) / price
    change = quantity - book.quantity[s]
    if reason == RESCALE and abs(change) <= SAME_WEIGHT * abs(quantity):
        return count
    return _book_fill(i, s, book, market, trace, count, change, price, fee, 0.0, 0.0, reason)


@hot
def _update_halt(book: Book, rules: Rules, open_time: int, equity: float) -> None:
    """Book the close's equity, roll day and peak, and raise or lift halts."""
    account = book.account[0]
    day = open_time // DAY_MS
    if day != account.day:
        account.day = day
        account.day_start_equity = account.equity
        if account.halted == DAY_HALT:
            account.halted = NOT_HALTED
    account.equity = equity
    account.peak_equity = max(account.peak_equity, equity)
    if equity <= 0.0:
        account.halted = BANKRUPT
    elif rules.max_drawdown > 0.0 and equity <= account.peak_equity * (1.0 - rules.max_drawdown):
        account.halted = max(account.halted, DRAWDOWN_HALT)
    else:
        floor = account.day_start_equity * (1.0 - rules.max_daily_loss)
        if rules.max_daily_loss > 0.0 and equity <= floor:
            account.halted = max(account.halted, DAY_HALT)


@cold
def _obey_halt(i: int, book: Book, rules: Rules, market: Market, trace: Trace) -> None:
    """Withdraw what is pending, and on a tradable close order every position closed."""
    halted = book.account[0].halted
    for s in range(len(book.quantity)):
        quantity = book.quantity[s]
        closing = quantity != 0.0 and book.pending_reason[s] == HALT
        if book.pending[s] != 0.0 and not (closing and book.pending[s] == -quantity):
            book.pending[s] = 0.0
        if not market.tradable[i]:
            continue
        if market.valid[i, s] and abs(market.signal[i, s]) > rules.threshold:
            trace.refusal[i, s] = HALTED_DAY + halted - DAY_HALT
        if quantity != 0.0:
            trace.weight[i, s] = 0.0
            if book.pending[s] == 0.0:
                _order(i, s, book, market, trace, -quantity, 0.0, HALT)


@hot
def _decide(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, target: F64, wanted: Bool
) -> None:
    """Decide every symbol that has a bar and a signal; `target` and `wanted` are room for S."""
    equity = book.account[0].equity
    any_wanted = False
    for s in range(len(book.quantity)):
        wanted[s] = False
        signal = market.signal[i, s]
        if math.isnan(signal) or not market.valid[i, s]:
            continue
        agreement = market.agreement[i, s] if rules.spread_penalty > 0.0 else 1.0
        weight, refusal = _weight(signal, market.volatility[i, s], agreement, rules, s)
        if refusal != ACCEPTED:
            trace.refusal[i, s] = refusal
            if refusal == NO_VOLATILITY:
                continue
        trace.weight[i, s] = weight
        price = book.mark[s]
        held = book.quantity[s] + book.pending[s]
        if _worth_a_trade(weight, held, price, equity, rules):
            wanted[s] = any_wanted = True
            target[s] = weight * equity / price
    if any_wanted:
        if rules.max_gross > 0.0:
            _cap_gross(i, book, rules, trace, target, wanted)
        for s in range(len(book.quantity)):
            if wanted[s]:
                _place(i, s, book, rules, market, trace, target[s])


@hot
def _weight(
    signal: float, volatility: float, agreement: float, rules: Rules, s: int
) -> tuple[float, int]:
    """Return the weight that the signal asks for, within what the symbol may have."""
    if not abs(signal) > rules.threshold:
        return 0.0, ACCEPTED
    if signal < 0.0 and not rules.allow_short[s]:
        return 0.0, SHORT_NOT_ALLOWED
    if rules.method == FIXED:
        size = rules.fraction
    elif volatility > 0.0:
        size = min(rules.scale * abs(signal) / volatility, rules.max_weight)
    else:
        return math.nan, NO_VOLATILITY
    size *= agreement
    refusal = ACCEPTED
    if 0.0 < rules.max_symbol_weight < size:
        size = rules.max_symbol_weight
        refusal = CAP_SYMBOL
    return math.copysign(size, signal), refusal


@hot
def _worth_a_trade(weight: float, held: float, price: float, equity: float, rules: Rules) -> bool:
    """Tell whether the weight differs enough from what is held and pending."""
    if rules.method == FIXED or weight == 0.0:
        return (weight > 0.0) != (held > 0.0) or (weight < 0.0) != (held < 0.0)
    return abs(weight * equity - held * price) > rules.band * equity


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


@cold
def _place(
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
        _order(i, s, book, market, trace, change, trace.weight[i, s], SIGNAL)


@cold
def _order(
    i: int, s: int, book: Book, market: Market, trace: Trace,
    quantity: float, weight: float, reason: int,
) -> None:  # fmt: skip
    """Note an order as pending from this close."""
    book.pending[s] = quantity
    book.pending_weight[s] = weight
    book.pending_reason[s] = reason
    book.pending_since[s] = market.open_time[i]
    trace.order[i, s] = quantity

"""Margin of contracts: what a position needs, where it is liquidated, and what is then left.

Rules: margin follows the mark's path inside the bar, adverse side first: from its open to its low for
longs and its high for shorts, all symbols at once; the bar's own stand in where the mark's are not known.
What is used up at the open is taken over before an order can close it at a price beyond its margin.
Read well, it goes straight to the bar's close, once profits are taken (`stops.py`). A position is taken over at the
mark that uses its margin up, and what remains of the margin there goes to the exchange, so that the loss is the one
down to the bankruptcy price; where the market was beyond that price already, the insurance fund pays the rest. Coins that are then owed are `debts.py`'s. After the funding inside the bar margin is
looked at once more, at the bar's end: a close or a settlement may lie beyond the marks' extreme.

Source: Bybit's help centre, "Liquidation Price (USDT Contract)" (isolated: maintenance on the value at entry),
"Trading Rules: Liquidation Process" and "Glossary (Unified Trading Account)" (cross: on the value at the mark,
with the fee for closing). A cross account, which Bybit reduces in steps, is closed at once and nothing kept.
"""

from __future__ import annotations

import math

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.kernel.booking import book_fill
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.contracts import (
    exchange_coins,
    has_worth,
    is_inverse,
    made_of,
    own_price,
    own_value_of,
    price_of_loss,
    worth_of,
)
from bot.portfolio.market import Market
from bot.portfolio.reasons import FillReason
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Trace

CROSS, ISOLATED = int(MarginMode.CROSS), int(MarginMode.ISOLATED)
LIQUIDATION = int(FillReason.LIQUIDATION)
HALVINGS = 80
"""Of the path, until the mark that uses the margin up is known to the last bit."""


@hot
def tier_of(s: int, value: float, full: FullAccount) -> int:
    """Return the tier that a position of this value, in the symbol's own money, is in."""
    t = 0
    while value > full.tier_limit[s, t]:
        t += 1
    return t


@hot
def maintenance_margin(s: int, value: float, full: FullAccount) -> float:
    """Return what must be left of the margin of a position of this value."""
    t = tier_of(s, value, full)
    need: float = value * full.tier_rate[s, t] - full.tier_deduction[s, t]
    return need


@hot
def initial_margin(s: int, value: float, full: FullAccount) -> float:
    """Return what a position of this value sets aside: by the leverage set, within its tier's."""
    leverage = min(full.leverage[s], full.tier_leverage[s, tier_of(s, value, full)])
    margin: float = value / leverage
    return margin


@hot
def set_aside(s: int, side: float, value: float, rules: Rules, full: FullAccount) -> float:
    """Return what an isolated position sets aside: its margin, and the fee for closing it where that
    margin is lost, at its bankruptcy price.

    Args:
        side: of the position, any number of its sign.
        value: at its entry, in the symbol's own money, as the result is.
    """
    margin = initial_margin(s, value, full)
    at_bankruptcy = value - math.copysign(margin, side)
    if is_inverse(s, full):  # fewer coins are worth as much where the price is higher
        at_bankruptcy = value + math.copysign(margin, side)
    kept: float = margin + rules.taker_fee[s] * at_bankruptcy
    return kept


@cold
def free_cash(book: Book, rules: Rules, full: FullAccount) -> float:
    """Return what can be spent: the wallet, its coins at their marks, less what isolated positions set
    aside."""
    free: float = book.account[0].cash
    for s in range(len(book.quantity)):
        quantity, entry = book.quantity[s], book.holding[s].entry
        if full.contract[s] and has_worth(s, book, full):
            mark = book.mark[s]
            free += worth_of(s, mark, book, full)
            if quantity == 0.0:
                continue
            own = made_of(s, quantity, entry, mark, full)
            if full.margin_mode == ISOLATED:
                own += set_aside(s, quantity, own_value_of(s, quantity, entry, full), rules, full)
            free -= own * own_price(s, mark, full)
    return free


@hot
def liquidate(
    i: int, reach: float, book: Book, rules: Rules, market: Market, trace: Trace, count: int,
    full: FullAccount,
) -> int:  # fmt: skip
    """Take over what the marks of this bar have used the margin of; return the number of fills.

    Args:
        reach: how much of the path is looked at: 0 its open, 1 all to its most adverse mark, 2 its end.
    """
    if full.margin_mode == ISOLATED:
        for s in range(len(book.quantity)):
            if book.quantity[s] != 0.0 and full.contract[s]:
                count = liquidate_isolated(i, s, reach, book, rules, market, trace, count, full)
    elif full.margin_mode == CROSS and _left(i, reach, book, rules, market, full) <= 0.0:
        count = _liquidate_cross(i, reach, book, rules, market, trace, count, full)
    return count


@hot
def is_used_up(
    i: int, s: int, way: float, book: Book, rules: Rules, market: Market, full: FullAccount
) -> bool:
    """Tell whether a position has lost its margin some way, 0 to 1, on the adverse side."""
    if full.margin_mode == CROSS:
        return _left(i, way, book, rules, market, full) <= 0.0
    if full.margin_mode == ISOLATED and full.contract[s]:
        return _spare(s, book, full) + _made(i, s, way, book, market, full) <= 0.0
    return False


@hot
def _spare(s: int, book: Book, full: FullAccount) -> float:
    """Return what an isolated position may lose until it is taken over, in its own money."""
    value = own_value_of(s, book.quantity[s], book.holding[s].entry, full)
    return initial_margin(s, value, full) - maintenance_margin(s, value, full)


@hot
def _made(i: int, s: int, way: float, book: Book, market: Market, full: FullAccount) -> float:
    """Return what a position has made since its entry, some way on the path, in its own money."""
    price = mark_on_path(i, s, way, book, market, full)
    return made_of(s, book.quantity[s], book.holding[s].entry, price, full)


@hot
def _side(s: int, book: Book, full: FullAccount) -> float:
    """Return the side on which a symbol's price is to rise, a number of its sign: of a cross account that
    of its coins, which stand for it together with its position."""
    if full.margin_mode == CROSS and is_inverse(s, full):
        side: float = book.holding[s].coin
        return side
    quantity: float = book.quantity[s]
    return quantity


@hot
def mark_on_path(
    i: int, s: int, way: float, book: Book, market: Market, full: FullAccount
) -> float:
    """Return the mark some way (0 to 1) from the bar's open to its most adverse price, or (1 to 2) to
    its end; below 0 as far towards its most adverse price, also where the bar is read well."""
    start = market.mark[i, s]
    if not math.isfinite(start):
        start = market.open[i, s] if market.valid[i, s] else book.mark[s]
    if way == 0.0:
        return float(start)
    if way > 1.0:
        way -= 1.0
        end = market.settlement_price[i, s]
        if not math.isfinite(end):
            end = market.close[i, s] if market.valid[i, s] else start
    elif full.optimistic and way >= 0.0:
        end = market.close[i, s] if market.valid[i, s] else start
    elif _side(s, book, full) > 0.0:
        end = market.mark_low[i, s]
        if not math.isfinite(end):
            end = market.low[i, s] if market.valid[i, s] else start
        end = min(start, end)
    else:
        end = market.mark_high[i, s]
        if not math.isfinite(end):
            end = market.high[i, s] if market.valid[i, s] else start
        end = max(start, end)
    on_path: float = start + abs(way) * (end - start)
    return on_path


@hot
def _left(i: int, way: float, book: Book, rules: Rules, market: Market, full: FullAccount) -> float:
    """Return what a cross account has beyond its maintenance margin; infinite with nothing on margin."""
    left: float = book.account[0].cash
    on_margin = False
    for s in range(len(book.quantity)):
        if has_worth(s, book, full):
            price = mark_on_path(i, s, way, book, market, full)
            left += worth_of(s, price, book, full)
            quantity = book.quantity[s]
            if quantity != 0.0 and (full.contract[s] or full.borrow):
                on_margin = True
                value = own_value_of(s, quantity, price, full)
                need = maintenance_margin(s, value, full) + value * rules.taker_fee[s]
                left -= need * own_price(s, price, full)
    return left if on_margin else math.inf


@cold
def _liquidate_cross(
    i: int, reach: float, book: Book, rules: Rules, market: Market, trace: Trace, count: int,
    full: FullAccount,
) -> int:  # fmt: skip
    """Close the whole account where its margin is used up, and keep nothing of it."""
    way = 0.0
    if _left(i, 0.0, book, rules, market, full) > 0.0:
        way, high = max(reach - 1.0, 0.0), reach
        for _ in range(HALVINGS):
            middle = 0.5 * (way + high)
            if _left(i, middle, book, rules, market, full) > 0.0:
                way = middle
            else:
                high = middle
        way = high
    return take_account(i, way, book, market, trace, count, full)


@cold
def take_account(
    i: int, way: float, book: Book, market: Market, trace: Trace, count: int, full: FullAccount
) -> int:
    """Close the whole account and keep nothing of it; what it owes is the insurance fund's.

    Args:
        way: on the path, whose marks are the prices; beyond 2 those of the close.
    """
    account = book.account[0]
    rest: float = account.cash
    last = -1
    for s in range(len(book.quantity)):
        if has_worth(s, book, full):
            rest += worth_of(s, _taken_at(i, s, way, book, market, full), book, full)
        if book.quantity[s] != 0.0:
            last = s
    if last < 0:  # no fill tells of it
        account.bar_fees += rest
        account.fees += rest
    for s in range(len(book.quantity)):
        price = _taken_at(i, s, way, book, market, full)
        quantity = book.quantity[s]
        if quantity != 0.0:
            fee = rest if s == last else 0.0
            count = book_fill(
                i, s, book, market, trace, count,
                -quantity, price, fee, 0.0, 0.0, LIQUIDATION, full,
            )  # fmt: skip
            book.holding[s].cooling = full.risk.cool_down_bars
        if is_inverse(s, full) and book.holding[s].coin != 0.0:
            exchange_coins(s, price, book)
        book.pending[s] = 0.0
    account.cash = 0.0  # what rounding left
    account.liquidations += 1
    return count


@hot
def _taken_at(i: int, s: int, way: float, book: Book, market: Market, full: FullAccount) -> float:
    """Return the price at which a symbol is taken over."""
    return float(book.mark[s]) if way > 2.0 else mark_on_path(i, s, way, book, market, full)


@cold
def liquidate_isolated(
    i: int, s: int, reach: float, book: Book, rules: Rules, market: Market, trace: Trace,
    count: int, full: FullAccount,
) -> int:  # fmt: skip
    """Close a position whose own margin is used up; its loss is that margin, and the closing fee."""
    quantity, entry = book.quantity[s], book.holding[s].entry
    if not is_used_up(i, s, reach, book, rules, market, full):
        return count
    price = price_of_loss(s, quantity, entry, _spare(s, book, full), full)
    if is_used_up(i, s, 0.0, book, rules, market, full):
        price = mark_on_path(i, s, 0.0, book, market, full)
    lost = set_aside(s, quantity, own_value_of(s, quantity, entry, full), rules, full)
    unit = own_price(s, price, full)
    if not full.borrow:  # funding beyond the wallet has been paid out of margins
        free = free_cash(book, rules, full)
        if free < 0.0 and is_inverse(s, full):  # its coins are worth what they are where it goes
            free += (price - book.mark[s]) * (book.holding[s].coin - quantity / entry - lost)
        lost = max(lost + min(free, 0.0) / unit, 0.0)
    fee = (lost + made_of(s, quantity, entry, price, full)) * unit
    book.pending[s] = 0.0
    book.holding[s].cooling = full.risk.cool_down_bars
    book.account[0].liquidations += 1
    return book_fill(
        i, s, book, market, trace, count, -quantity, price, fee, 0.0, 0.0, LIQUIDATION, full
    )

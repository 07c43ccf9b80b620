"""Halts: the equity of a close, what it raises or lifts, and what a halt withdraws and closes.

Rule: a higher halt replaces a lower one, and only the day's is lifted here. An account that a person has
flattened obeys as under a halt; a halt comes first.
"""

from __future__ import annotations

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.contracts import has_worth, worth_of
from bot.portfolio.kernel.orders import is_stopping, order
from bot.portfolio.kernel.room import Room
from bot.portfolio.market import Market
from bot.portfolio.policies.sides import is_decided, side_wanted
from bot.portfolio.reasons import FillReason, Halt, Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Trace
from bot.timegrid import DAY_MS

HALT, COMMAND = int(FillReason.HALT), int(FillReason.COMMAND)
NOT_HALTED, DAY_HALT = int(Halt.NONE), int(Halt.DAY)
DRAWDOWN_HALT, BANKRUPT = int(Halt.DRAWDOWN), int(Halt.BANKRUPT)
HALTED_DAY, PAUSED = int(Refusal.HALTED_DAY), int(Refusal.PAUSED)


@hot
def equity_of(book: Book, full: FullAccount | None) -> float:
    """Return cash and what is held, at the marks."""
    equity: float = book.account[0].cash
    for s in range(len(book.quantity)):
        if has_worth(s, book, full):
            equity += worth_of(s, book.mark[s], book, full)
    return equity


@hot
def update_halt(book: Book, rules: Rules, open_time: int, equity: float) -> None:
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
def obey_halt(i: int, book: Book, rules: Rules, market: Market, trace: Trace, room: Room) -> None:
    """Withdraw what is pending, and on a tradable close order every position closed."""
    halted = book.account[0].halted
    reason, refusal = COMMAND, PAUSED
    if halted != NOT_HALTED:
        reason, refusal = HALT, HALTED_DAY + halted - DAY_HALT
    for s in range(len(book.quantity)):
        quantity = book.quantity[s]
        for_good = book.pending_reason[s] == HALT or book.pending_reason[s] == COMMAND
        closing = quantity != 0.0 and (for_good or is_stopping(s, book))
        if book.pending[s] != 0.0 and not (closing and book.pending[s] == -quantity):
            book.pending[s] = 0.0
        if not market.tradable[i]:
            continue
        decided = is_decided(i, s, rules, market, room.side)
        if decided and side_wanted(i, s, rules, market, room.side) != 0.0:
            trace.refusal[i, s] = refusal
        if quantity != 0.0:
            trace.weight[i, s] = 0.0
            if book.pending[s] == 0.0:
                order(i, s, book, market, trace, -quantity, 0.0, reason)

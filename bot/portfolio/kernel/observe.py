"""Bars that are not traded: what is carried of the market, taken in before the first trade.

Must not change the account.
"""

from __future__ import annotations

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.by_reference import by_reference
from bot.portfolio.kernel.compiling import cold
from bot.portfolio.kernel.measured import note_bar
from bot.portfolio.market import Market
from bot.portfolio.policies.edge import grow_older
from bot.portfolio.policies.momentum import momentum_side
from bot.portfolio.policies.sides import EDGE, MOMENTUM
from bot.portfolio.rules import Rules


@cold
def observe(book: Book, rules: Rules, market: Market, full: FullAccount | None) -> None:
    """Let the policy in force, and what measures the market, see the bars."""
    book, rules, market = by_reference(book), by_reference(rules), by_reference(market)
    full = by_reference(full)
    for i in range(len(market.open_time)):
        for s in range(len(book.quantity)):
            if rules.policy_kind == EDGE:
                grow_older(i, s, 0.0, book, rules, market)
            elif rules.policy_kind == MOMENTUM and market.valid[i, s]:
                momentum_side(i, s, book, market)
            if full is not None and market.valid[i, s]:
                note_bar(i, s, book, market)

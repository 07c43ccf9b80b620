"""What forbids to open or increase a position at a close, and how long it does.

Rules: what is held may always be reduced and closed; a cool-down counts closes, that of the bar in which
it began among them. A symbol that lacked `max_stale_bars` in a row is forbidden at its first close back,
too, whose features span the hole.
"""

from __future__ import annotations

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.compiling import hot
from bot.portfolio.market import Market
from bot.portfolio.reasons import DrawdownStage, Refusal

ACCEPTED = int(Refusal.NONE)
STAGE, COOL_DOWN = int(Refusal.DRAWDOWN_STAGE), int(Refusal.COOL_DOWN)
LEAVING, STALE = int(Refusal.LEAVING), int(Refusal.STALE)
FLATTENED = int(DrawdownStage.FLATTENED)


@hot
def blocked_by(i: int, s: int, book: Book, market: Market, full: FullAccount) -> int:
    """Return the Refusal of whatever would open or increase a position, NONE where it may."""
    account, holding = book.account[0], book.holding[s]
    if account.stage == FLATTENED:
        return STAGE
    if account.cooling > 0 or holding.cooling > 0:
        return COOL_DOWN
    if market.leaving[i, s]:
        return LEAVING
    if 0 < full.risk.max_stale_bars <= holding.stale:
        return STALE
    return int(market.refused_by_model[i, s])


@hot
def count_missing(i: int, s: int, book: Book, market: Market) -> None:
    """Count a bar in session that a symbol lacks, before its close is decided on."""
    if market.in_session[i, s]:
        book.holding[s].stale += 1


@hot
def let_time_pass(i: int, book: Book, market: Market) -> None:
    """Let a close be over: cool-downs are shorter by one, a symbol with a bar is not stale, and what is
    cut enough need not be cut further."""
    account = book.account[0]
    if account.cooling > 0:
        account.cooling -= 1
    for s in range(len(book.quantity)):
        holding = book.holding[s]
        if holding.cooling > 0:
            holding.cooling -= 1
        if market.valid[i, s]:
            holding.stale = 0
        if holding.most > 0.0 and abs(book.quantity[s]) <= holding.most:
            holding.most = 0.0
